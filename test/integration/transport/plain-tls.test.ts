import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { QuorateError } from "../../../src/core/errors.ts";
import { GRPC_MESSAGE_BYTES_MAX } from "../../../src/core/limits.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus,
} from "../../../src/gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../../src/gen/grpc/reflection/v1/reflection_pb.ts";
import { UserService } from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { certificatesPem } from "../../../src/pki/pem.ts";
import { HealthState, healthService } from "../../../src/services/health.ts";
import { reflectionService } from "../../../src/services/reflection.ts";
import { serviceClient } from "../../../src/transport/grpc-client.ts";
import { ObservedChannel } from "../../../src/transport/observed-channel.ts";
import { requireAttested } from "../../../src/transport/session.ts";
import {
  attestedClient,
  failureOf,
  type Fixture,
  type FixturePeer,
  startServer,
  userService,
} from "./fixture.ts";
import {
  callHeaders,
  closedByServer,
  HTTP2_PING,
  HTTP2_START,
  http2FrameOf,
  rawTls,
  resetStream,
} from "./raw-client.ts";

const run = promisify(execFile);

function plainClient(fixture: Fixture, certificate?: Uint8Array) {
  const channel = new ObservedChannel({ address: fixture.address, certificate });
  onTestFinished(() => channel.close());
  return { channel, user: serviceClient(UserService, channel) };
}

const manyFaults = userService({
  setManifest: () =>
    Promise.reject(
      new QuorateError("manifest-invalid", "the manifest has faults", {
        hint: "correct them",
        faults: Array.from({ length: 100 }, (_, i) => ({
          path: `$.policies["${"ab".repeat(32)}"].dnsNames[${i}]`,
          message: "is not a DNS name: größer als erlaubt",
        })),
      }),
    ),
});

describe("plain TLS", () => {
  it("is served beside attested sessions, and its calls have no proved peer", async () => {
    const fixture = await startServer({ plain: true });
    const { user } = plainClient(fixture);
    expect((await user.getStatus({})).version).toBe("nobody");
    const attested = await attestedClient(fixture.address);
    expect((await attested.user.getStatus({})).version).toBe("web");
    expect(fixture.server.sessions().map(({ kind }) => kind)).toEqual(["plain", "attested"]);
  });

  it("can't make calls that need a proved peer", async () => {
    const guarded = userService({
      getStatus: (_request, { session }) => {
        requireAttested(session);
        return Promise.resolve({});
      },
    });
    const fixture = await startServer({ plain: true, services: [guarded] });
    const { user } = plainClient(fixture);
    expect((await failureOf(user.getStatus({}))).code).toBe("unauthenticated");
  });

  it("shows the client the server's certificate, and every later connection must show it again", async () => {
    const fixture = await startServer({ plain: true });
    const { user, channel } = plainClient(fixture);
    expect(channel.certificate()).toBeUndefined();
    await user.getStatus({});
    expect(channel.certificate()).toEqual(fixture.identity.certificate);
    await fixture.server.stop(0);
    const other = await startServer({ plain: true, port: fixture.port });
    let failure = await failureOf(user.getStatus({}));
    // The first call after the loss may still see the old connection's end.
    if (failure.code === "unavailable") failure = await failureOf(user.getStatus({}));
    expect(failure).toMatchObject({ code: "verification-failed" });
    expect(other.server.sessions()).toHaveLength(0);
  });

  it("can demand a certificate from the start", async () => {
    const fixture = await startServer({ plain: true });
    const good = plainClient(fixture, fixture.identity.certificate);
    await good.user.getStatus({});
    const bad = plainClient(fixture, Uint8Array.of(1, 2, 3));
    expect((await failureOf(bad.user.getStatus({}))).code).toBe("verification-failed");
  });

  it("bounds the plain connections", async () => {
    const fixture = await startServer({ plain: true, limits: { plainConnectionsMax: 1 } });
    const first = plainClient(fixture);
    await first.user.getStatus({});
    await closedByServer(await rawTls(fixture.port, { ALPNProtocols: ["h2"] }));
    expect((await fixture.event("refused")).error.code).toBe("resource-exhausted");
    expect((await first.user.getStatus({})).version).toBe("nobody");
  });

  it("bounds the calls of all strangers together, and counts calls that were reset at once", async () => {
    let finish: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const slow = userService({
      getStatus: async () => {
        await finished;
        return {};
      },
    });
    const fixture = await startServer({
      plain: true,
      services: [slow],
      limits: { strangersCallsMax: 2 },
    });
    // Calls that end before they begin must not use up the places for ever.
    const reset = await rawTls(fixture.port, { ALPNProtocols: ["h2"] });
    reset.write(HTTP2_START);
    for (let stream = 1; stream < 21; stream += 2) {
      const path = "/quorate.userapi.v1.UserService/GetStatus";
      reset.write(Buffer.concat([callHeaders(stream, path), resetStream(stream)]));
    }
    reset.write(HTTP2_PING);
    // Its answer means that all that came before it has been read.
    await http2FrameOf(reset, { type: 6, flags: 1 });
    reset.destroy();
    const { user } = plainClient(fixture);
    const running = [user.getStatus({}), user.getStatus({})];
    const refused = await failureOf(user.getStatus({}));
    expect(refused).toMatchObject({ code: "resource-exhausted", hint: "try again in a moment" });
    finish();
    await Promise.all(running);
    await user.getStatus({});
  });

  it("refuses a message above the limit", async () => {
    const fixture = await startServer({ plain: true, limits: { messageBytesMax: 1000 } });
    const { user } = plainClient(fixture);
    const failure = await failureOf(user.setManifest({ manifest: new Uint8Array(2000) }));
    expect(failure.code).toBe("resource-exhausted");
    const tooMuch = new Uint8Array(GRPC_MESSAGE_BYTES_MAX + 1);
    expect((await failureOf(user.setManifest({ manifest: tooMuch }))).code).toBe(
      "resource-exhausted",
    );
    await user.getStatus({});
  });

  it("carries as many faults as fit, and counts the others", async () => {
    const fixture = await startServer({ plain: true, services: [manyFaults] });
    const { user } = plainClient(fixture);
    const failure = await failureOf(user.setManifest({}));
    expect(failure).toMatchObject({ code: "manifest-invalid", hint: "correct them" });
    expect(failure.faults.length).toBeGreaterThan(15);
    expect(failure.faults[0]).toEqual({
      path: `$.policies["${"ab".repeat(32)}"].dnsNames[0]`,
      message: "is not a DNS name: größer als erlaubt",
    });
    expect(failure.faults.at(-1)?.message).toBe(`and ${101 - failure.faults.length} more faults`);
  });
});

describe("health and reflection", () => {
  it("say whether a service serves, and tell who watches when that changes", async () => {
    const state = new HealthState();
    state.set("", true);
    const fixture = await startServer({
      plain: true,
      services: [healthService<FixturePeer>(state)],
    });
    const { channel } = plainClient(fixture);
    const health = serviceClient(Health, channel);
    const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = HealthCheckResponse_ServingStatus;
    expect((await health.check({})).status).toBe(SERVING);
    expect((await failureOf(health.check({ service: "x" }))).code).toBe("not-found");
    const watch = health.watch({ service: "x" })[Symbol.asyncIterator]();
    expect(await watch.next()).toMatchObject({ value: { status: SERVICE_UNKNOWN } });
    state.set("x", false);
    expect(await watch.next()).toMatchObject({ value: { status: NOT_SERVING } });
    state.set("x", true);
    expect(await watch.next()).toMatchObject({ value: { status: SERVING } });
    await watch.return?.();
    expect((await health.list({})).statuses).toMatchObject({
      "": { status: SERVING },
      x: { status: SERVING },
    });
  });

  it("answer every kind of reflection request on one stream", async () => {
    const fixture = await startServer({
      plain: true,
      services: [reflectionService<FixturePeer>([UserService])],
    });
    const { channel } = plainClient(fixture);
    const asked = [
      { case: "listServices", value: "" },
      { case: "fileByFilename", value: "quorate/common/v1/evidence.proto" },
      { case: "fileContainingSymbol", value: "quorate.userapi.v1.GetStatusRequest" },
      { case: "fileContainingSymbol", value: "quorate.userapi.v1.UserService.Attest" },
      { case: "fileContainingSymbol", value: "quorate.userapi.v1.MODE_READY" },
      { case: "allExtensionNumbersOfType", value: "quorate.userapi.v1.GetStatusRequest" },
      { case: "fileByFilename", value: "no/such.proto" },
      { case: undefined },
    ] as const;
    async function* requests() {
      for (const messageRequest of asked) yield await Promise.resolve({ messageRequest });
    }
    const answers: unknown[] = [];
    for await (const response of serviceClient(ServerReflection, channel).serverReflectionInfo(
      requests(),
    )) {
      const { case: kind, value } = response.messageResponse;
      answers.push(kind === "fileDescriptorResponse" ? value.fileDescriptorProto.length : kind);
    }
    // The user API imports the evidence messages and Timestamp.
    expect(answers).toEqual([
      "listServicesResponse",
      1,
      3,
      3,
      3,
      "allExtensionNumbersResponse",
      "errorResponse",
      "errorResponse",
    ]);
  });

  it("serve a Python client that learns the protocol by reflection", async ({ skip }) => {
    const python = "/usr/bin/python3";
    const available = await run(python, ["-c", "import grpc, google.protobuf"]).catch(() => null);
    if (available === null) skip("python3 with grpcio and protobuf is not installed");
    const state = new HealthState();
    state.set("", true);
    const fixture = await startServer({
      plain: true,
      services: [
        manyFaults,
        healthService<FixturePeer>(state),
        reflectionService<FixturePeer>([UserService, Health]),
      ],
    });
    const folder = await mkdtemp(path.join(tmpdir(), "quorate-python-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const certificate = path.join(folder, "server.pem");
    await writeFile(certificate, certificatesPem(fixture.identity.certificate));
    const script = path.join(import.meta.dirname, "python", "plain_client.py");
    const { stdout } = await run(python, [script, String(fixture.port), certificate]);
    expect(JSON.parse(stdout)).toEqual({
      services: [
        "quorate.userapi.v1.UserService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
      ],
      files: [
        "google/protobuf/timestamp.proto",
        "quorate/common/v1/evidence.proto",
        "quorate/userapi/v1/user.proto",
      ],
      missing: true,
      health: "0801",
      unknownHealth: {
        status: "NOT_FOUND",
        message: 'there is no service "nobody"',
        detailBytes: expect.any(Number) as number,
      },
      status: "nobody",
      malformed: {
        status: "INVALID_ARGUMENT",
        message: "the request is not a message of the type that the method takes",
        detailBytes: expect.any(Number) as number,
      },
      faults: {
        status: "INVALID_ARGUMENT",
        message: "the manifest has faults",
        detailBytes: expect.toSatisfy((bytes: number) => bytes > 3500 && bytes <= 4096) as number,
      },
    });
  });
});

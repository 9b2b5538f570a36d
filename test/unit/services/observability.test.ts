/** What one whole coordinator shows of itself: probes, metrics, log, audit log. */
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { X509Certificate } from "node:crypto";
import { Metadata } from "@grpc/grpc-js";
import { beforeAll, describe, expect, it } from "vitest";
import { Health } from "../../../src/gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../../src/gen/grpc/reflection/v1/reflection_pb.ts";
import { MeshService } from "../../../src/gen/quorate/meshapi/v1/mesh_pb.ts";
import { PeerService } from "../../../src/gen/quorate/peerapi/v1/peer_pb.ts";
import { UserService } from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { formatAddress } from "../../../src/config/address.ts";
import { methodDefinition } from "../../../src/transport/grpc-adapter.ts";
import { ObservedChannel } from "../../../src/transport/observed-channel.ts";
import { failureOf, MeshWorld } from "../../fixtures/mesh.ts";
import {
  connectWorkload,
  newRequest,
  type Running,
  setOverApi,
  startCoordinator,
} from "../../fixtures/running.ts";
import { ScriptedStore } from "../../fixtures/scripted-store.ts";

let world: MeshWorld;
beforeAll(async () => {
  world = await MeshWorld.create();
});

async function scrape({ coordinator }: Pick<Running, "coordinator">): Promise<string> {
  const { host, port } = coordinator.adminAddress!;
  return (await fetch(`http://${host}:${port}/metrics`)).text();
}

/** The value of one series. */
function valueOf(text: string, series: string): number | undefined {
  const line = text.split("\n").find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

function parsed(lines: readonly string[], message: string): Record<string, unknown>[] {
  return lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ msg, event }) => msg === message || event === message);
}

const WEB = { workloads: ["web"] };

describe("A coordinator's metrics", () => {
  it("have every method of every port before its first call", async () => {
    const text = await scrape(await startCoordinator(world));
    const services = [UserService, MeshService, PeerService, Health, ServerReflection];
    let methods = 0;
    for (const { typeName, methods: each } of services) {
      for (const { name } of each) {
        expect(text).toContain(
          `grpc_service="${typeName}",grpc_method="${name}",grpc_code="OK"} 0`,
        );
        methods++;
      }
    }
    expect(text.match(/^grpc_server_started_total\{.*\} 0$/gm)).toHaveLength(methods);
  });

  it("count calls by their ends", async () => {
    const started = await startCoordinator(world);
    await started.user.getStatus({});
    await failureOf(started.user.attest({ nonce: new Uint8Array(3) }));
    const text = await scrape(started);
    const labels = (method: string, code: string): string =>
      `{grpc_type="unary",grpc_service="quorate.userapi.v1.UserService",grpc_method="${method}",grpc_code="${code}"}`;
    expect(valueOf(text, `grpc_server_handled_total${labels("GetStatus", "OK")}`)).toBe(1);
    expect(valueOf(text, `grpc_server_handled_total${labels("Attest", "InvalidArgument")}`)).toBe(
      1,
    );
    expect(valueOf(text, `grpc_server_handled_total${labels("Attest", "OK")}`)).toBe(0);
  });

  it("show when certificates and the evidence behind the own quote expire", async () => {
    const started = await startCoordinator(world);
    const expiry = (certificate: string): string =>
      `quorate_certificate_expiry_timestamp_seconds{certificate="${certificate}"}`;
    expect(valueOf(await scrape(started), expiry("root-ca"))).toBe(0);
    const { caCertificates } = await setOverApi(started, world.manifest(WEB));
    const text = await scrape(started);
    const seconds = (der: Uint8Array): number =>
      Math.floor(Date.parse(new X509Certificate(der).validTo) / 1000);
    expect(Math.floor(valueOf(text, expiry("root-ca"))!)).toBe(seconds(caCertificates!.root));
    expect(Math.floor(valueOf(text, expiry("mesh-ca"))!)).toBe(seconds(caCertificates!.mesh));
    // Asked for at one scrape, shown at one of the next.
    const evidence = async (): Promise<number | undefined> =>
      valueOf(await scrape(started), "quorate_evidence_expiry_timestamp_seconds");
    await expect.poll(evidence).toBeGreaterThan(world.now / 1000);
  });
});

describe("A request id", () => {
  it("leads from the log's line of a call to what it brought about", async () => {
    const started = await startCoordinator(world);
    await setOverApi(started, world.manifest(WEB));
    const { mesh } = await connectWorkload(world, started, "web");
    await mesh.newMeshCert({ certificateRequest: (await newRequest()).certificateRequest });
    const calls = parsed(started.logged, "call ended");
    const idOf = (method: string): unknown =>
      calls.find((call) => String(call["method"]).endsWith(method))?.["requestId"];
    const [set] = parsed(started.audited, "manifest-set");
    const [issued] = parsed(started.audited, "certificate-issued");
    expect(set?.["requestId"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(set?.["requestId"]).toBe(idOf("/SetManifest"));
    expect(issued?.["requestId"]).toBe(idOf("/NewMeshCert"));
    expect(issued?.["requestId"]).not.toBe(set?.["requestId"]);
  });

  it("of a stranger reaches the log if it is well-formed only", async () => {
    const started = await startCoordinator(world);
    const channel = new ObservedChannel({
      address: formatAddress(started.coordinator.userAddress),
    });
    const { path, requestSerialize, responseDeserialize } = methodDefinition(
      UserService.method.attest,
    );
    const request = { $typeName: "quorate.userapi.v1.AttestRequest", nonce: new Uint8Array(1) };
    for (const id of ["from-7", "{{evil}}"]) {
      const metadata = new Metadata();
      metadata.set("x-request-id", id);
      await new Promise<void>((resolve) => {
        channel.grpc.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          metadata,
          () => resolve(),
        );
      });
    }
    channel.close();
    const [good, bad] = parsed(started.logged, "call ended");
    expect(good).toMatchObject({
      level: "info",
      requestId: "from-7",
      code: "InvalidArgument",
      received: 1,
      sent: 0,
      error: { code: "invalid-argument" },
    });
    expect(bad?.["requestId"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(started.logged.join("")).not.toContain("evil");
  });
});

describe("The log", () => {
  it("has calls that went well at level debug, and our faults at level error", async () => {
    const started = await startCoordinator(world);
    await started.user.getStatus({});
    started.store.onReadHead = () => Promise.reject(new TypeError("a bug"));
    await failureOf(started.user.attest({ nonce: new Uint8Array(32) }));
    const [well, fault] = parsed(started.logged, "call ended");
    expect(well).toMatchObject({ level: "debug", code: "OK", sent: 1 });
    expect(fault).toMatchObject({ level: "error", code: "Internal" });
    const [internal] = parsed(started.logged, "internal error");
    expect(internal?.["requestId"]).toBe(fault?.["requestId"]);
  });
});

describe("The probes", () => {
  it("answer while the store takes its time: alive, neither started nor ready", async () => {
    const port = await freePort();
    const store = new ScriptedStore();
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    store.onReadHead = async (run) => {
      await released;
      return run();
    };
    const starting = startCoordinator(world, store, { adminAddress: { host: "127.0.0.1", port } });
    const probe = async (path: string): Promise<{ status: number; body: string }> => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      return { status: response.status, body: await response.text() };
    };
    await expect.poll(() => probe("/livez").catch(() => undefined)).toMatchObject({ status: 200 });
    expect(await probe("/startupz")).toEqual({ status: 503, body: "starting\n" });
    expect(await probe("/readyz")).toEqual({ status: 503, body: "[-] start: starting\n" });
    release();
    await starting;
    expect(await probe("/startupz")).toMatchObject({ status: 200 });
    expect(await probe("/readyz")).toMatchObject({
      status: 503,
      body: expect.stringContaining("[-] state: uninitialized") as string,
    });
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

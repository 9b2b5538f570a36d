/** The request id on the wire: from the caller's metadata into events and back in the trailing metadata. */
import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { QuorateError } from "../../../src/core/errors.ts";
import { MeshService } from "../../../src/gen/quorate/meshapi/v1/mesh_pb.ts";
import { UserService } from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { methodDefinition } from "../../../src/transport/grpc-adapter.ts";
import type { AttestedChannel } from "../../../src/transport/attested-channel.ts";
import {
  attestedClient,
  type FixturePeer,
  meshService,
  startServer,
  userService,
} from "./fixture.ts";

const MADE = /^[0-9a-f-]{36}$/;

interface Ended {
  readonly code: status;
  readonly details: string;
  readonly id: string | undefined;
}

function ended({ code, details, metadata }: StatusObject): Ended {
  const [id] = metadata.get("x-request-id");
  return { code, details, id: id?.toString() };
}

function askStatus(channel: AttestedChannel<FixturePeer>, id?: string): Promise<Ended> {
  const { path, requestSerialize, responseDeserialize } = methodDefinition(
    UserService.method.getStatus,
  );
  const metadata = new Metadata();
  if (id !== undefined) metadata.set("x-request-id", id);
  const request = { $typeName: "quorate.userapi.v1.GetStatusRequest" };
  return new Promise((resolve) => {
    channel.grpc
      .makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        () => undefined,
      )
      .on("status", (final) => resolve(ended(final)));
  });
}

function watchTrust(channel: AttestedChannel<FixturePeer>, id: string): Promise<Ended> {
  const { path, requestSerialize, responseDeserialize } = methodDefinition(
    MeshService.method.watchTrust,
  );
  const metadata = new Metadata();
  metadata.set("x-request-id", id);
  const request = { $typeName: "quorate.meshapi.v1.WatchTrustRequest" };
  return new Promise((resolve) => {
    channel.grpc
      .makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, metadata)
      .on("data", () => undefined)
      .on("error", () => undefined)
      .on("status", (final) => resolve(ended(final)));
  });
}

describe("a request id", () => {
  it("comes back to the caller who chose it, and names the call in events", async () => {
    const { address, event } = await startServer();
    const { channel } = await attestedClient(address);
    expect(await askStatus(channel, "deploy-42")).toMatchObject({
      code: status.OK,
      id: "deploy-42",
    });
    expect((await event("call-ended")).call.requestId).toBe("deploy-42");
  });

  it("is made for a caller who chose none, or a bad one, which goes nowhere", async () => {
    const { address, events, eventCount } = await startServer();
    const { channel } = await attestedClient(address);
    const none = await askStatus(channel);
    const bad = await askStatus(channel, "\u0020ha ha}{\u0020");
    expect(none.id).toMatch(MADE);
    expect(bad.id).toMatch(MADE);
    await eventCount("call-ended", 2);
    expect(JSON.stringify(events.filter(({ kind }) => kind === "call-ended"))).not.toContain("ha");
  });

  it("comes back with failures, and is the one in an internal error's text and event", async () => {
    const broken = userService({ getStatus: () => Promise.reject(new Error("a bug")) });
    const { address, event } = await startServer({ services: [broken] });
    const { channel } = await attestedClient(address);
    expect(await askStatus(channel, "deploy-43")).toEqual({
      code: status.INTERNAL,
      details: "internal error (request deploy-43)",
      id: "deploy-43",
    });
    expect((await event("internal-error")).requestId).toBe("deploy-43");
  });

  it("comes back at the end of streams, of good and of bad ones", async () => {
    const services = [
      meshService({
        async *watchTrust(_request, { requestId }) {
          yield await Promise.resolve({ recordHash: requestId });
          if (requestId === "bad") throw new QuorateError("not-ready", "not yet");
        },
      }),
    ];
    const { address } = await startServer({ services });
    const { channel } = await attestedClient(address);
    expect(await watchTrust(channel, "good")).toMatchObject({ code: status.OK, id: "good" });
    expect(await watchTrust(channel, "bad")).toMatchObject({
      code: status.FAILED_PRECONDITION,
      id: "bad",
    });
  });
});

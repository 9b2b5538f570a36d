import { describe, expect, it, onTestFinished } from "vitest";
import type { SessionPurpose } from "../../../src/attestation/report-data.ts";
import { QuorateError } from "../../../src/core/errors.ts";
import { UserService } from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { serviceClient } from "../../../src/transport/grpc-client.ts";
import { ObservedChannel } from "../../../src/transport/observed-channel.ts";
import { isWrongPort, wrongPort } from "../../../src/transport/wrong-port.ts";
import { attestedClient, failureOf, freshProver, startServer, verifier } from "./fixture.ts";

function port(purpose: SessionPurpose, ...accept: Parameters<typeof verifier>) {
  const prover = freshProver("coordinator");
  return startServer({
    plain: purpose === "user-session",
    attestation: { purpose, prover, verifier: verifier(...accept) },
  });
}

function plainClient(address: string) {
  const channel = new ObservedChannel({ address });
  onTestFinished(() => {
    channel.close();
  });
  return serviceClient(UserService, channel);
}

describe("a client at the wrong port of a coordinator", () => {
  it("is told which port it is, although its proof is of a kind that is not taken there", async () => {
    const { address, event } = await port("user-session", "none");
    const failure = await failureOf((await attestedClient(address)).user.getStatus({}));
    expect(failure).toMatchObject({
      code: "protocol",
      message: "this is the port of userapi, not of meshapi",
      hint: "use the address that the coordinator was given as --mesh-address",
    });
    expect(isWrongPort(failure)).toBe(true);
    // The server's own words of it are unchanged.
    expect((await event("refused")).error.code).toBe("unauthenticated");
  });

  it("is told which port it is, although its proof was bound to another purpose", async () => {
    const { address, event } = await port("peer-session", "fresh-quote", "instance");
    const failure = await failureOf((await attestedClient(address)).user.getStatus({}));
    expect(failure).toMatchObject({
      code: "protocol",
      message: "this is the port of the peers, not of meshapi",
    });
    expect((await event("refused")).error.code).toBe("attestation-failed");
  });

  it("is told so, if it speaks plain TLS where only attested sessions are taken", async () => {
    const { address } = await port("mesh-session", "fresh-quote");
    const failure = await failureOf(plainClient(address).getStatus({}));
    expect(failure).toMatchObject({
      code: "protocol",
      message: "the server does not take this kind of connection here",
    });
    expect(isWrongPort(failure)).toBe(true);
  });

  it("that is refused at the right port hears the reason itself", async () => {
    const { address } = await port("mesh-session", "fresh-quote");
    const { user } = await attestedClient(address, { who: "bad-web" });
    const failure = await failureOf(user.getStatus({}));
    expect(failure).toMatchObject({
      code: "attestation-failed",
      message: "bad-web is not welcome",
    });
    expect(isWrongPort(failure)).toBe(false);
  });

  it("believes no port that a coordinator does not have", () => {
    for (const served of ["__proto__", "constructor", "", "mesh-session", "session"]) {
      const refusal = new QuorateError("unauthenticated", "no", { details: { port: served } });
      expect(wrongPort(refusal, "mesh-session")).toBeUndefined();
    }
  });
});

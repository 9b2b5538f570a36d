import { describe, expect, it } from "vitest";
import { QuorateError } from "../../../src/core/errors.ts";
import { generateTlsIdentity } from "../../../src/transport/tls-identity.ts";
import { noProver } from "../../../src/transport/proof.ts";
import {
  attestedClient,
  failureOf,
  freshProver,
  meshService,
  startServer,
  userService,
  verifier,
} from "./fixture.ts";

describe("an attested session", () => {
  it("carries calls whose handlers know the proved peer, and tells the client who the server is", async () => {
    const { address } = await startServer();
    const { user, channel } = await attestedClient(address);
    expect((await user.getStatus({})).version).toBe("web");
    expect(channel.peer()).toMatchObject({
      proof: "instance",
      claims: { who: "coordinator" },
      instance: { name: "coordinator-0" },
    });
  });

  it("tells a refused client why, once, and does not try again", async () => {
    const { address, events, event } = await startServer();
    const { user } = await attestedClient(address, { who: "bad-web" });
    for (let call = 0; call < 2; call++) {
      const failure = await failureOf(user.getStatus({}));
      expect(failure).toMatchObject({
        code: "attestation-failed",
        message: "bad-web is not welcome",
        hint: "change the manifest",
      });
    }
    await event("refused");
    expect(events.map(({ kind }) => kind)).toEqual(["refused"]);
  });

  it("costs the server neither quote nor signature for a client that it refuses", async () => {
    let proofs = 0;
    const prover = freshProver("coordinator");
    const counting: typeof prover = {
      prove: (binding, signal) => {
        proofs++;
        return prover.prove(binding, signal);
      },
    };
    const attestation = {
      purpose: "mesh-session" as const,
      prover: counting,
      verifier: verifier("fresh-quote"),
    };
    const { address } = await startServer({ attestation });
    const bad = await attestedClient(address, { who: "bad-web" });
    expect((await failureOf(bad.user.getStatus({}))).code).toBe("attestation-failed");
    expect(proofs).toBe(0);
    const good = await attestedClient(address, { accept: verifier("fresh-quote") });
    await good.user.getStatus({});
    expect(proofs).toBe(1);
  });

  it("is refused by a client that does not accept the server, before any call is sent", async () => {
    let calls = 0;
    const count = userService({
      getStatus: () => {
        calls++;
        return Promise.resolve({});
      },
    });
    const { address } = await startServer({ services: [count] });
    const picky = {
      verify: () =>
        Promise.resolve({
          ok: false as const,
          error: new QuorateError("verification-failed", "unknown measurement"),
        }),
    };
    const { user } = await attestedClient(address, { accept: picky });
    expect(await failureOf(user.getStatus({}))).toMatchObject({
      code: "verification-failed",
      message: "unknown measurement",
    });
    expect(calls).toBe(0);
  });

  it("is attested again after each reconnection", async () => {
    let proofs = 0;
    const prover = freshProver("web");
    const counting: typeof prover = {
      prove: (binding, signal) => {
        proofs++;
        return prover.prove(binding, signal);
      },
    };
    const { address, server, event } = await startServer();
    const { user } = await attestedClient(address, { prover: counting });
    const first = await user.getStatus({});
    for (const session of server.sessions()) session.close();
    await event("closed");
    let second = await user.getStatus({}).catch(() => undefined);
    // The first call after the loss may still have been sent into the dead connection.
    second ??= await user.getStatus({});
    expect(second.suspended).not.toBe(first.suspended);
    expect(proofs).toBe(2);
  });

  it("closed by its owner ends the calls that run on it, and no other session's", async () => {
    const { address, server } = await startServer();
    const doomed = await attestedClient(address, { who: "doomed" });
    const other = await attestedClient(address, { who: "other" });
    const watch = doomed.mesh.watchTrust({})[Symbol.asyncIterator]();
    const otherWatch = other.mesh.watchTrust({})[Symbol.asyncIterator]();
    await watch.next();
    await otherWatch.next();
    for (const session of server.sessions()) {
      if (session.kind !== "attested" || session.peer.proof === "none") continue;
      if (session.peer.claims.who === "doomed") session.close();
    }
    expect((await failureOf(watch.next())).code).toBe("unavailable");
    expect((await other.user.getStatus({})).version).toBe("other");
    expect(server.sessions()).toHaveLength(1);
    await otherWatch.return?.();
  });

  it("refuses a peer that shows the server's own key", async () => {
    const { address, identity } = await startServer();
    const { user } = await attestedClient(address, { identity });
    // The client notices first; a client that did not care would be told the same by the server.
    expect(await failureOf(user.getStatus({}))).toMatchObject({
      code: "unauthenticated",
      message: expect.stringContaining("own key") as string,
    });
  });

  it("of another purpose is refused, whatever the proof", async () => {
    const { address, event } = await startServer();
    const { AttestedChannel } = await import("../../../src/transport/attested-channel.ts");
    const { serviceClient } = await import("../../../src/transport/grpc-client.ts");
    const { UserService } = await import("../../../src/gen/quorate/userapi/v1/user_pb.ts");
    const channel = new AttestedChannel({
      address,
      identity: await generateTlsIdentity(),
      purpose: "peer-session",
      prover: freshProver("web"),
      verifier: verifier("instance"),
    });
    const failure = await failureOf(serviceClient(UserService, channel).getStatus({}));
    expect(failure.message).toBe("this is the port of meshapi, not of the peers");
    expect((await event("refused")).error.message).toBe("wrong report data");
    channel.close();
  });

  it("asks for a proof of an accepted kind", async () => {
    const { address } = await startServer();
    const { user } = await attestedClient(address, { prover: noProver });
    expect(await failureOf(user.getStatus({}))).toMatchObject({
      code: "unauthenticated",
      hint: "prove this side by: fresh-quote or instance",
    });
  });

  it("never gives one connection's calls the peer of another, however many there are", async () => {
    const { address } = await startServer();
    const clients = await Promise.all(
      Array.from({ length: 12 }, (_, i) => attestedClient(address, { who: `web-${i}` })),
    );
    const answers = await Promise.all(
      clients.flatMap(({ user }, i) =>
        Array.from({ length: 20 }, async () => [i, (await user.getStatus({})).version] as const),
      ),
    );
    expect(answers).toHaveLength(240);
    for (const [i, who] of answers) expect(who).toBe(`web-${i}`);
  });

  it("says what an internal error's id is, and nothing of the error", async () => {
    const broken = userService({
      getStatus: () => Promise.reject(new Error("secret path /etc/passwd")),
    });
    const { address, event } = await startServer({ services: [broken] });
    const { user } = await attestedClient(address);
    const failure = await failureOf(user.getStatus({}));
    const logged = await event("internal-error");
    expect(failure.code).toBe("internal");
    expect(failure.details["requestId"]).toBe(logged.requestId);
    expect(JSON.stringify([failure.message, failure.hint, failure.details])).not.toContain(
      "secret",
    );
    expect((logged.error as Error).message).toContain("secret path");
  });

  it("cancels the handler's signal when the caller gives up", async () => {
    let aborted: () => void;
    const handlerAborted = new Promise<void>((resolve) => (aborted = resolve));
    let started: () => void;
    const handlerStarted = new Promise<void>((resolve) => (started = resolve));
    const slow = meshService({
      async *watchTrust(_request, { signal }) {
        signal.addEventListener("abort", () => aborted(), { once: true });
        started();
        yield {};
        await handlerAborted;
      },
    });
    const { address } = await startServer({ services: [slow] });
    const { mesh } = await attestedClient(address);
    const stop = new AbortController();
    const watch = mesh.watchTrust({}, { signal: stop.signal })[Symbol.asyncIterator]();
    await watch.next();
    await handlerStarted;
    stop.abort();
    expect((await failureOf(watch.next())).code).toBe("cancelled");
    await handlerAborted;
  });

  it("gives a call that takes too long its deadline", async () => {
    const stuck = userService({ getStatus: () => new Promise(() => undefined) });
    const { address } = await startServer({ services: [stuck] });
    const { user } = await attestedClient(address);
    const failure = await failureOf(user.getStatus({}, { timeoutMs: 100 }));
    expect(failure.code).toBe("deadline-exceeded");
  });
});

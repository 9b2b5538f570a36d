import { once } from "node:events";
import { describe, expect, it } from "vitest";
import {
  attestedClient,
  failureOf,
  freshProver,
  meshService,
  startServer,
  userService,
} from "./fixture.ts";
import { rawTcp, rawTls, closedByServer } from "./raw-client.ts";
import { generateTlsIdentity } from "../../../src/transport/tls-identity.ts";

/** A GetStatus that answers when told, and says when it was called. */
function heldService() {
  let call: () => void = () => undefined;
  let answer: () => void = () => undefined;
  const called = new Promise<void>((resolve) => (call = resolve));
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const held = userService({
    async getStatus(_request, { session }) {
      call();
      await answered;
      return { version: "held", suspended: String(session.id) };
    },
  });
  return { held, called, answer: () => answer() };
}

describe("a server that stops", () => {
  it("lets running calls finish, takes no new connection, and leaves nothing open", async () => {
    const { held, called, answer } = heldService();
    const fixture = await startServer({ services: [held] });
    const { user } = await attestedClient(fixture.address);
    const running = user.getStatus({});
    await called;
    const stopped = fixture.server.stop(10_000);
    expect(fixture.server.stop(0)).toBe(stopped);
    const late = await attestedClient(fixture.address);
    expect((await failureOf(late.user.getStatus({}))).code).toBe("unavailable");
    answer();
    expect((await running).version).toBe("held");
    await stopped;
    expect(fixture.server.sessions()).toHaveLength(0);
  });

  it("ends calls that outlive the grace time, and handshakes at once", async () => {
    const { held, called, answer } = heldService();
    const fixture = await startServer({ services: [held, meshService()] });
    const { user, mesh } = await attestedClient(fixture.address);
    const running = failureOf(user.getStatus({}));
    const watch = mesh.watchTrust({})[Symbol.asyncIterator]();
    await watch.next();
    await called;
    const silent = await rawTcp(fixture.port);
    const halfway = await rawTls(fixture.port, { identity: await generateTlsIdentity() });
    await fixture.server.stop(50);
    expect((await running).code).toMatch(/unavailable|cancelled/);
    expect((await failureOf(watch.next())).code).toMatch(/unavailable|cancelled/);
    await closedByServer(silent);
    await closedByServer(halfway);
    expect(fixture.server.sessions()).toHaveLength(0);
    answer();
  });

  it("frees its port", async () => {
    const first = await startServer();
    await first.server.stop(0);
    const second = await startServer({ port: first.port });
    const { user } = await attestedClient(second.address);
    await user.getStatus({});
  });

  it("says so if it can't have its port", async () => {
    const first = await startServer();
    expect(await failureOf(startServer({ port: first.port }))).toMatchObject({
      code: "unavailable",
      hint: "choose another address, or stop what uses this one",
    });
  });
});

describe("a connection that reaches its age limit", () => {
  it("finishes its calls, and the next call attests anew", async () => {
    const { held, called, answer } = heldService();
    const fixture = await startServer({ services: [held], limits: { connectionAgeMs: 100 } });
    let proofs = 0;
    const honest = freshProver("web");
    const { user } = await attestedClient(fixture.address, {
      prover: {
        prove: (binding, signal) => {
          proofs++;
          return honest.prove(binding, signal);
        },
      },
    });
    const running = user.getStatus({});
    await called;
    const [old] = fixture.server.sessions();
    // At its age limit the server asks the client to leave: calls from then on go to a new connection.
    const later: Promise<{ suspended: string }>[] = [];
    while (proofs < 2) {
      later.push(user.getStatus({}));
      await once(AbortSignal.timeout(10), "abort");
    }
    answer();
    expect((await running).suspended).toBe(String(old?.id));
    await Promise.all(later);
    expect((await user.getStatus({})).suspended).not.toBe(String(old?.id));
    await fixture.event("closed");
  });

  it("is cut after the grace time, with its calls", async () => {
    const fixture = await startServer({
      limits: { connectionAgeMs: 50, connectionAgeGraceMs: 50 },
    });
    const { mesh } = await attestedClient(fixture.address);
    const watch = mesh.watchTrust({})[Symbol.asyncIterator]();
    await watch.next();
    expect((await failureOf(watch.next())).code).toMatch(/unavailable|cancelled/);
    await fixture.event("closed");
  });
});

import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { AppraisalPolicy } from "../../../src/attestation/index.ts";
import { PEER_ANSWER_BYTES_MAX, PEER_STANDINGS_PER_SECOND_MAX } from "../../../src/core/limits.ts";
import { Mode } from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { requireListener } from "../../../src/recovery/dial.ts";
import { generateInstance } from "../../../src/transport/instance-identity.ts";
import { failureOf, MeshWorld } from "../../fixtures/mesh.ts";
import {
  eventually,
  openLink,
  policyOf,
  READY,
  RECORD,
  startPeer,
  startSilent,
  startWire,
} from "./fixture.ts";

let world: MeshWorld;
beforeAll(async () => {
  world = await MeshWorld.create();
});
afterAll(() => world.close());

describe("a link to a peer", () => {
  it("has the peer's instance, evidence and account once it is connected", async () => {
    const peer = await startPeer(world);
    const { link, logged } = await openLink(world, peer.address);
    expect(link.peer()).toBeUndefined();
    expect(link.standing).toBeUndefined();
    expect(link.problem).toBeUndefined();
    const session = await eventually("session", () => link.peer());
    expect(session.instance).toEqual(peer.instance.keys);
    expect(link.standing).toEqual({
      mode: "ready",
      lineage: READY.lineage,
      heldRecord: RECORD,
      heldGeneration: 3,
      heldEpoch: 2,
      preparedRecords: [],
      lackingDocument: undefined,
      suspended: false,
      version: "1.2.3",
      platform: undefined,
    });
    expect(link.isSelf).toBe(false);
    await session.evidence.requireCoordinator(policyOf(world), "the peer", "this test's manifest");
    const { standing } = await session.client.getStanding({});
    expect(standing?.heldRecord).toBe(RECORD);
    expect(logged.join()).toContain('"peer connected"');
  });

  it("follows what the peer says of itself, and tells changes only", async () => {
    const peer = await startPeer(world);
    const { link, changes } = await openLink(world, peer.address);
    const session = await eventually("session", () => link.peer());
    expect(changes.count).toBe(1);
    peer.say({ ...READY });
    await eventually("the same again", () => peer.told() === 2);
    peer.say({ ...READY, mode: Mode.STALE });
    await eventually("stale", () => link.standing?.mode === "stale");
    expect(changes.count).toBe(2);
    expect(link.peer()).toBe(session);
  });

  it("follows a new instance on the same port, and its calls never reach anybody but whom they were meant for", async () => {
    const first = await startPeer(world);
    const { link } = await openLink(world, first.address);
    const old = await eventually("session", () => link.peer());
    await first.server.stop(0);
    await eventually("loss", () => link.standing === undefined && link.peer() === undefined);
    const second = await startPeer(world, {
      port: first.port,
      standing: { mode: Mode.AWAITING_RECOVERY },
    });
    const session = await eventually("session", () => link.peer());
    expect(session.instance).toEqual(second.instance.keys);
    expect(session.instance).not.toEqual(old.instance);
    expect(link.standing).toMatchObject({ mode: "awaiting-recovery", heldRecord: undefined });
    expect((await failureOf(old.client.getStanding({}))).code).toMatch(/cancelled|unavailable/);
    expect(second.server.sessions()).toHaveLength(1);
  });

  it("says why nobody is there, and finds who comes later", async () => {
    const gone = await startPeer(world);
    await gone.server.stop(0);
    const { link, changes, logged } = await openLink(world, gone.address);
    const problem = await eventually("problem", () => link.problem);
    expect(problem).toMatchObject({ code: "unreachable" });
    expect(problem.message).toBe(`no connection to ${gone.address}: ECONNREFUSED`);
    await eventually("another attempt", () => link.problem !== problem);
    await startPeer(world, { port: gone.port });
    await eventually("session", () => link.peer());
    expect(link.problem).toBeUndefined();
    // Repeated failures are one change and one line.
    expect(changes.count).toBe(2);
    expect(logged.filter((line) => line.includes('"peer not connected"'))).toHaveLength(1);
  });

  it("tries at once when it is nudged", async () => {
    const gone = await startPeer(world);
    await gone.server.stop(0);
    const times = { retryMs: 3_600_000, retryMaxMs: 3_600_000 };
    const { link } = await openLink(world, gone.address, { times });
    await eventually("problem", () => link.problem);
    await startPeer(world, { port: gone.port });
    await eventually("session", () => {
      link.nudge();
      return link.peer();
    });
  });

  it("is not kept trying without a pause by a peer that nudges it at every failure", async () => {
    const strange = await startPeer(world, { standing: { ...READY, mode: Mode.UNSPECIFIED } });
    const times = { retryMs: 200, retryMaxMs: 60_000 };
    const { link } = await openLink(world, strange.address, { times });
    const until = performance.now() + 1_000;
    while (performance.now() < until) {
      link.nudge();
      await delay(2);
    }
    expect(strange.told()).toBeGreaterThan(1);
    expect(strange.told()).toBeLessThanOrEqual(7);
  });

  it("shows why the peer refuses it, and is let in once the peer's manifest admits it", async () => {
    let judgedBy: AppraisalPolicy = policyOf(world);
    const peer = await startPeer(world, { judgedBy: () => judgedBy });
    const { link } = await openLink(world, peer.address, { policy: "coordinator-next" });
    const problem = await eventually("problem", () => link.problem);
    expect(problem).toMatchObject({ code: "attestation-failed" });
    expect(problem.message).toContain(
      "the caller is not a coordinator of the newest known manifest",
    );
    expect(problem.faults.length).toBeGreaterThan(0);
    expect(link.isSelf).toBe(false);
    judgedBy = policyOf(world, { coordinatorPolicy: "coordinator-next" });
    await eventually("session", () => link.peer());
    expect(link.problem).toBeUndefined();
  });

  it("judges the peer by the manifest of each use, whatever the handshake let in", async () => {
    const peer = await startPeer(world, { policy: "coordinator-next" });
    const { link } = await openLink(world, peer.address);
    const { evidence } = await eventually("session", () => link.peer());
    const next = policyOf(world, { coordinatorPolicy: "coordinator-next" });
    await evidence.requireCoordinator(next, "the peer", "the next manifest");
    const refusal = await failureOf(
      evidence.requireCoordinator(policyOf(world), "the peer", "the manifest in force"),
    );
    expect(refusal.code).toBe("attestation-failed");
    expect(refusal.message).toContain("the peer is not a coordinator of the manifest in force");
    expect(refusal.faults.map(({ path }) => path)).toContain("policy-unknown");
    const verdict = await evidence.judge(next);
    expect(verdict.identity?.role).toBe("coordinator");
  });

  it("does not take a workload for a coordinator", async () => {
    const peer = await startPeer(world, { policy: "web", measurement: "web" });
    const { link } = await openLink(world, peer.address);
    const { evidence } = await eventually("session", () => link.peer());
    expect((await evidence.judge(policyOf(world))).accepted).toBe(true);
    const refusal = await failureOf(
      evidence.requireCoordinator(policyOf(world), "the peer", "this manifest"),
    );
    expect(refusal.message).toBe(
      "the peer is not a coordinator of this manifest: its policy has the role workload",
    );
  });

  it("recognises its own port, which is no problem, and leaves it alone", async () => {
    const instance = await generateInstance("coordinator-0");
    const own = await startPeer(world, { instance });
    const { link, changes, logged } = await openLink(world, own.address, { instance });
    await eventually("self", () => link.isSelf);
    expect(link.peer()).toBeUndefined();
    expect(link.problem).toBeUndefined();
    expect(changes.count).toBe(1);
    // It would find somebody else now, and much sooner than the last of those that come meanwhile.
    await own.server.stop(0);
    await startPeer(world, { port: own.port });
    link.nudge();
    for (let i = 0; i < 3; i++) {
      const other = await openLink(world, own.address);
      await eventually("session", () => other.link.peer());
      await other.link.close();
    }
    expect(link.isSelf).toBe(true);
    expect(logged.filter((line) => line.includes('"level":"info"'))).toHaveLength(0);
  });

  it("finds another instance at an address that was its own", async () => {
    const instance = await generateInstance("coordinator-0");
    const own = await startPeer(world, { instance });
    const times = { selfRetryMs: 20 };
    const { link } = await openLink(world, own.address, { instance, times });
    await eventually("self", () => link.isSelf);
    await own.server.stop(0);
    await startPeer(world, { port: own.port });
    await eventually("session", () => link.peer());
    expect(link.isSelf).toBe(false);
  });

  it("drops a peer whose account is malformed, says so, and takes a sound one later", async () => {
    const peer = await startPeer(world, { standing: { ...READY, heldRecord: "nonsense" } });
    const { link } = await openLink(world, peer.address);
    const problem = await eventually("problem", () => link.problem);
    expect(problem.code).toBe("protocol");
    expect(problem.message).toContain("its record is not a hash");
    expect(link.standing).toBeUndefined();
    peer.say(READY);
    await eventually("session", () => link.peer());
    peer.say(undefined);
    await eventually("loss", () => link.peer() === undefined);
    expect(link.problem?.message).toContain("it is missing");
  });

  it("drops a peer whose account is too large to be one, unread", async () => {
    const standing = { ...READY, version: "v".repeat(PEER_ANSWER_BYTES_MAX) };
    const peer = await startPeer(world, { standing });
    const { link } = await openLink(world, peer.address);
    const problem = await eventually("problem", () => link.problem);
    expect(problem.message).toMatch(/larger than max/);
  });

  it("drops a peer that never stops talking", async () => {
    let generation = 1n;
    const peer = await startPeer(world);
    const { link } = await openLink(world, peer.address);
    await eventually("session", () => link.peer());
    const flood = setInterval(() => {
      for (let i = 0; i < PEER_STANDINGS_PER_SECOND_MAX / 50; i++) {
        setImmediate(() => peer.say({ ...READY, heldGeneration: (generation += 1n) }));
      }
    }, 5);
    onTestFinished(() => clearInterval(flood));
    await eventually("loss", () => link.problem?.code === "rate-limited");
    clearInterval(flood);
    await eventually("session", () => link.peer());
  });

  it("does not take the end of the peer's account for a session", async () => {
    const peer = await startPeer(world, { endsWatches: true });
    const { link } = await openLink(world, peer.address);
    await eventually("problem", () => link.problem?.message === "the peer ended the session");
    expect(link.standing).toBeUndefined();
  });

  it("begins a new session when the server says farewell because of the old one's age", async () => {
    const limits = { connectionAgeMs: 300, connectionAgeGraceMs: 3_600_000 };
    const peer = await startPeer(world, { limits });
    const { link, logged } = await openLink(world, peer.address);
    const first = await eventually("session", () => link.peer());
    await eventually("next session", () => {
      const session = link.peer();
      return session !== undefined && session !== first;
    });
    expect(logged.join()).toContain("the connection to the peer has ended");
  });

  it("notices a peer that vanished without a word", async () => {
    const peer = await startPeer(world);
    const wire = await startWire(peer.port);
    const times = { keepaliveMs: 150, keepaliveTimeoutMs: 150 };
    const { link } = await openLink(world, wire.address, { times });
    await eventually("session", () => link.peer());
    // Longer than both times together: an answered ping keeps the session.
    const since = performance.now();
    const session = link.peer();
    await eventually("time", () => performance.now() - since > 450);
    expect(link.peer()).toBe(session);
    wire.cut();
    const cut = performance.now();
    await eventually("loss", () => link.standing === undefined);
    expect(performance.now() - cut).toBeLessThan(3_000);
  });

  it("gives up on somebody who takes the connection and says nothing", async () => {
    const { address } = await startSilent();
    const { link } = await openLink(world, address, { times: { connectMs: 100 } });
    const problem = await eventually("problem", () => link.problem);
    expect(problem).toMatchObject({ code: "unreachable" });
    expect(problem.message).toBe("the peer did not answer in time");
  });

  it("leaves nothing open when it is closed, in whatever state it is", async () => {
    const peer = await startPeer(world);
    const connected = await openLink(world, peer.address);
    await eventually("session", () => connected.link.peer());
    const connecting = await openLink(world, peer.address);
    const waiting = await openLink(world, "127.0.0.1:1", {
      times: { retryMs: 3_600_000, retryMaxMs: 3_600_000 },
    });
    await eventually("problem", () => waiting.link.problem);
    for (const { link } of [connected, connecting, waiting]) {
      await link.close();
      await link.close();
      expect(link.peer()).toBeUndefined();
      expect(link.problem).toBeUndefined();
    }
    await eventually("no session", () => peer.server.sessions().length === 0);
  });

  it("keeps no socket of an attempt that it gave up", async () => {
    const silent = await startSilent();
    const { link } = await openLink(world, silent.address);
    // The first only asks whether anybody listens.
    await eventually("its connection", () => silent.taken() === 2 && silent.open() === 1);
    await link.close();
    await eventually("its end", () => silent.open() === 0);
  });
});

describe("looking for a listener", () => {
  it("can be given up at once, also where packets disappear", async () => {
    // RFC 5737: documentation addresses lead nowhere.
    const given = new Error("given up");
    const abort = new AbortController();
    const looking = requireListener("192.0.2.1:7778", abort.signal).catch(
      (error: unknown) => error,
    );
    abort.abort(given);
    const outcome = await looking;
    expect(outcome).toBe(given);
    expect(await requireListener("192.0.2.1:7778", abort.signal).catch((e: unknown) => e)).toBe(
      given,
    );
  });
});

/**
 * The second phase of a run: faults end, a majority is connected again, and what the group owes must happen in bounded
 * time: a leader, the same state everywhere, an answer to everything; then no further election.
 */
import type { Prng } from "../../src/core/prng.ts";
import { isMember, isVoter } from "../../src/core/raft/index.ts";
import { isQuorum } from "./checks/observed-node.ts";
import { Violation } from "./checks/violation.ts";
import type { Clients } from "./clients.ts";
import type { Faults } from "./faults.ts";
import type { Host } from "./host.ts";
import type { Operator } from "./operator.ts";
import type { Direction } from "./virtual/network.ts";
import type { World } from "./world.ts";

/** Election timeouts in which everything must come to rest. */
const REST_TIMEOUTS = 60;
/** Election timeouts without an election afterwards. */
const STABLE_TIMEOUTS = 10;

/** What the phase works on. */
export interface Stage {
  readonly world: World;
  readonly clients: Clients;
  readonly operator: Operator;
  readonly faults: Faults;
}

/** Runs the phase; throws a {@link Violation} if something does not happen in time. */
export function demandLiveness({ world, clients, operator, faults }: Stage): void {
  const prng = world.prng.fork();
  clients.stop();
  operator.calm();
  faults.calm();
  world.note("calm");
  isolateMinority(world, prng);
  rest(world, clients, "after the faults");
  for (const kind of ["write", "read"] as const) answerEverywhere(world, clients, kind);
  rest(world, clients, "after requests to everybody");
  staysStable(world, prng);
  rest(world, clients, "after a lost link");
  if (handOver(world, prng)) {
    // Nothing is proposed from here on: a new leader must get on by itself.
    rest(world, clients, "after a hand-over");
    answerEverywhere(world, clients, "read");
  }
}

/** Some stay cut off: everybody whom the group can do without, or nobody. */
function isolateMinority(world: World, prng: Prng): void {
  const running = world.running();
  for (const host of prng.chance(0.3) ? running : []) {
    const neighbours = running.filter(({ place }) => place === host.place);
    if (prng.chance(0.5) || !world.survivesWithout([...isolated(world), ...neighbours])) continue;
    for (const one of world.network.directions()) {
      if (one.from === host.place || one.to === host.place) world.network.cut(one);
    }
    isolated(world).push(...neighbours);
    world.note(`${host.id} stays cut off`);
  }
}

const ISOLATED = new WeakMap<World, Host[]>();

function isolated(world: World): Host[] {
  let hosts = ISOLATED.get(world);
  if (hosts === undefined) ISOLATED.set(world, (hosts = []));
  return hosts;
}

/** The members that are up and connected. */
function connected(world: World): Host[] {
  const { configuration } = world.checks.membership.newest;
  const cutOff = isolated(world);
  return world
    .running()
    .filter((host) => isMember(configuration, host.id) && host.isAlive && !cutOff.includes(host));
}

/** Lets time pass until nothing is left to do, but not for ever. */
function rest(world: World, clients: Clients, when: string): void {
  const timeout = world.ticks(world.options.electionTimeoutTicks);
  let missing = "";
  for (let timeouts = 0; timeouts < REST_TIMEOUTS; timeouts++) {
    missing = unrest(world, clients);
    if (missing === "") return;
    world.runFor(timeout);
  }
  throw new Violation("the group comes to rest", `${when}: ${missing}`);
}

/** What is still missing; empty if nothing is. */
function unrest(world: World, clients: Clients): string {
  const hosts = connected(world);
  const leader = leaderOf(world);
  if (leader === undefined) return "nobody leads";
  const { last, configuration } = leader.raft.status();
  if (configuration.votersOutgoing.length > 0) return "the configuration is joint";
  for (const host of hosts) {
    const status = host.raft.status();
    if (status.leader !== leader.id) return `${host.id} does not follow ${leader.id}`;
    if (status.applied !== last.index) {
      return `${host.id} applied ${status.applied} of ${last.index}`;
    }
    const owed = world.requests.owedBy(host);
    if (owed.length > 0) return `${host.id} owes the result of proposal ${owed.join()}`;
  }
  return clients.outstanding === 0 ? "" : `${clients.outstanding} operations have no end`;
}

function leaderOf(world: World): Host | undefined {
  const leading = connected(world).filter(({ raft }) => raft.role === "leader");
  leading.sort((a, b) => b.raft.term - a.raft.term);
  return leading[0];
}

/** Everybody must answer a request; it may be repeated, for one that forwards can't know that it was refused. */
function answerEverywhere(world: World, clients: Clients, kind: "write" | "read"): void {
  const timeout = world.ticks(world.options.electionTimeoutTicks);
  for (const host of connected(world)) {
    let answered = false;
    for (let tries = 0; tries < REST_TIMEOUTS && !answered; tries++) {
      clients.begin(0, host, kind, (outcome) => (answered = outcome === "answered"));
      world.runFor(tries === 0 ? world.ticks(2) : timeout);
    }
    if (!answered) throw new Violation("everybody gets an answer", `no ${kind} at ${host.id}`);
  }
}

/** No election any more, even if one follower loses its link to the leader: the others hold on to it. */
function staysStable(world: World, prng: Prng): void {
  const leader = leaderOf(world)!;
  const { term } = leader.raft;
  const cuts = dispensableLink(world, leader, prng);
  for (const one of cuts) world.network.cut(one);
  if (cuts.length > 0) world.note(`cut between ${leader.id} and a follower`);
  world.runFor(world.ticks(STABLE_TIMEOUTS * world.options.electionTimeoutTicks));
  for (const one of cuts) world.network.mend(one);
  const changed = connected(world).find(({ raft }) => raft.term !== term);
  if (changed !== undefined || leader.raft.role !== "leader") {
    throw new Violation(
      "a healthy leader stays",
      `${leader.id} led term ${term}, ${changed?.id ?? leader.id} is in ${changed?.raft.term ?? term}`,
    );
  }
}

/** The link to a follower that the leader's quorum can do without; nothing if there is none. */
function dispensableLink(world: World, leader: Host, prng: Prng): Direction[] {
  const hosts = connected(world);
  const { configuration } = leader.raft.status();
  const candidates = hosts.filter(
    (host) =>
      host.place !== leader.place &&
      isVoter(configuration, host.id) &&
      isQuorum(configuration, (id) =>
        hosts.some((one) => one.id === id && one.place !== host.place),
      ),
  );
  if (candidates.length === 0 || prng.chance(0.3)) return [];
  const { place } = prng.pick(candidates);
  return [
    { from: leader.place, to: place },
    { from: place, to: leader.place },
  ];
}

/** Makes another voter lead, by a transfer or by the leader's end; false if there is none. */
function handOver(world: World, prng: Prng): boolean {
  const leader = leaderOf(world)!;
  const { configuration } = leader.raft.status();
  const others = connected(world).filter(
    (host) => host !== leader && isVoter(configuration, host.id),
  );
  if (others.length === 0) return false;
  const ends = world.survivesWithout([...isolated(world), leader]);
  if (ends && prng.chance(0.5)) {
    if (prng.chance(0.5)) leader.leave();
    else leader.stop();
  } else {
    leader.raft.transferLeadership(prng.pick(others).id);
    leader.work();
  }
  world.note(`${leader.id} is to lead no longer`);
  world.runFor(world.ticks(2 * world.options.electionTimeoutTicks));
  return true;
}

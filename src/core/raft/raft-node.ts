/** A node of the group: the folder's face. */
import { assert } from "../assert.ts";
import { boundLog } from "./bounded-log.ts";
import { campaign, countVote } from "./election.ts";
import { NO_DATA, type ConfigChange, type Entry, type EntryPayload } from "./entry.ts";
import type { StepResult } from "./following.ts";
import { resign, transferTo } from "./hand-over.ts";
import { applyChanges, leaveJointIfDue } from "./membership.ts";
import type { Message } from "./messages.ts";
import type { RaftOptions } from "./options.ts";
import type { SelfAnswer } from "./outbox.ts";
import { releaseUncommitted } from "./own-entries.ts";
import { replacementRefusal, requestProposal } from "./proposing.ts";
import { beginRound, isRoundDue, requestRead } from "./reads.ts";
import type { HardState, Ready, RequestOutcome, RoleName, SoftState } from "./ready.ts";
import { onAccepted } from "./replication.ts";
import { becomeFollower, forgetLeader } from "./roles.ts";
import { initialState, type RaftState } from "./state.ts";
import { describeState } from "./state-status.ts";
import type { RaftStatus } from "./status.ts";
import { noteActivity, step } from "./stepping.ts";
import { tick } from "./ticking.ts";
import type { LogIndex, NodeId, Term } from "./types.ts";

/** A Ready that was taken, with what its `advance` does beyond it. */
interface Taken {
  readonly ready: Ready;
  readonly selfAnswers: readonly SelfAnswer[];
}

/**
 * One node's consensus state machine.
 *
 * The host calls `tick` at a steady pace, `step` for each message, and the requests as clients ask; after any of
 * them, while `hasReady()`: `ready()`, carry its fields out in their order, `advance(ready)`. It calls from one
 * place at a time, never from within `snapshotData`, and nothing but `status` between `ready` and `advance`.
 *
 * An instance is used once: nothing is read back after a restart, the process comes back under another id.
 */
export class RaftNode {
  readonly #state: RaftState;
  #taken: Taken | undefined;
  #shownSoft: SoftState;
  #shownHard: HardState;

  /** @throws AssertionError if the ticks make no sense: T of at least 2, a heartbeat in less than T. */
  constructor(options: RaftOptions) {
    const { electionTimeoutTicks, heartbeatTicks } = options;
    assert(options.id !== "", "a node has an id");
    assert(Number.isSafeInteger(electionTimeoutTicks), "the election timeout is whole ticks");
    assert(Number.isSafeInteger(heartbeatTicks), "the heartbeat interval is whole ticks");
    assert(
      heartbeatTicks >= 1 && electionTimeoutTicks > heartbeatTicks,
      "heartbeats come more often than elections",
    );
    this.#state = initialState(options);
    this.#shownSoft = softStateOf(this.#state);
    this.#shownHard = hardStateOf(this.#state);
  }

  get id(): NodeId {
    return this.#state.id;
  }
  get term(): Term {
    return this.#state.term;
  }
  get role(): RoleName {
    return this.#state.role.kind;
  }
  /** Who leads the present term, as far as is known; itself on a leader. */
  get leader(): NodeId | undefined {
    return this.#state.leader;
  }
  get commit(): LogIndex {
    return this.#state.log.commit;
  }
  get applied(): LogIndex {
    return this.#state.log.applied;
  }

  /** The state as plain data; costs a copy. */
  status(): RaftStatus {
    return describeState(this.#state);
  }

  /** The entries in memory; costs a copy. */
  logEntries(): readonly Entry[] {
    return this.#state.log.entriesFrom(this.#state.log.firstIndex, Number.MAX_SAFE_INTEGER);
  }

  /** Counts one tick. A halted node ignores it. */
  tick(): void {
    this.#assertIdle();
    if (!this.#state.halted) tick(this.#state);
  }

  /**
   * Takes one message. A halted node ignores it. One from another group is answered with the known head.
   *
   * @returns an error (`protocol`) for a message that no correct node sends; the host logs it and goes on.
   */
  step(message: Message): StepResult {
    this.#assertIdle();
    return step(this.#state, message);
  }

  /**
   * Proposes `data` under `id`, a whole number above those of all earlier proposals of this node. Forwarded if
   * another node leads; it is appended at most once all the same.
   *
   * @returns pending, its result follows in a Ready; or why nothing was proposed, and who leads if known.
   */
  propose(id: number, data: Uint8Array): RequestOutcome {
    return this.#request(id, { kind: "normal", data });
  }

  /** Proposes a membership change; else as {@link propose}. One at a time, see {@link ConfigChange}. */
  proposeConfigChange(id: number, change: ConfigChange): RequestOutcome {
    return this.#request(id, { kind: "config-change", change });
  }

  /**
   * On a leader: puts `successor`, a learner that has caught up, in the place of the voter `predecessor` by one joint
   * change. Refused unless the predecessor has been silent for several election timeouts, so that a second
   * process under a healthy voter's name changes nothing.
   */
  proposeReplacement(
    id: number,
    nodes: { readonly predecessor: NodeId; readonly successor: NodeId },
    context: Uint8Array = NO_DATA,
  ): RequestOutcome {
    const { role, leader } = this.#state;
    if (role.kind !== "leader") return { kind: "refused", reason: "no-leader", leader };
    const reason = replacementRefusal(this.#state, role, nodes);
    if (reason !== undefined) return { kind: "refused", reason, leader };
    return this.proposeConfigChange(id, {
      transition: "implicit",
      steps: [
        { kind: "add-voter", node: nodes.successor },
        { kind: "remove", node: nodes.predecessor },
      ],
      context,
    });
  }

  /**
   * Asks for the index from which a linearizable read may be answered. `context` is a number that no earlier read of
   * this node had. Forwarded if another node leads; then the answer may be lost: ask again after a deadline.
   */
  readIndex(context: number): RequestOutcome {
    this.#assertIdle();
    return requestRead(this.#state, context);
  }

  /** Asks the leader to hand over to the voter `target`. Nothing tells whether it will: watch who leads. */
  transferLeadership(target: NodeId): void {
    this.#assertIdle();
    const { role, leader, halted, id, groupId, outbox } = this.#state;
    if (halted) return;
    if (role.kind === "leader") transferTo(this.#state, role, target);
    else if (leader !== undefined) {
      outbox.send({ type: "transfer-leadership", groupId, from: id, to: leader, term: 0, target });
    }
  }

  /** Campaigns now, as if the election timeout had passed. */
  campaign(): void {
    this.#assertIdle();
    if (!this.#state.halted) campaign(this.#state, "timeout");
  }

  /** Forgets the leader without changing term, vote or timer: votes are no longer refused for its sake. */
  forgetLeader(): void {
    this.#assertIdle();
    forgetLeader(this.#state);
  }

  /**
   * Leaves in peace: never campaigns or proposes again, and if it leads hands over to the best voter and announces
   * its step-down, within an election timeout. The host goes on ticking and carrying out until `role` is no
   * longer `leader`; then it may stop.
   */
  shutdown(): void {
    this.#assertIdle();
    const state = this.#state;
    if (state.retiring || state.halted) return;
    state.retiring = true;
    if (state.role.kind !== "leader") {
      if (state.role.kind !== "follower") becomeFollower(state, state.term, undefined);
      return;
    }
    resign(state, state.role);
  }

  /**
   * Stops for good and irrevocably, as one who votes in a heal must: from here on it answers no message, and drops
   * those not carried out yet. Pending requests end as unknown in one last Ready.
   *
   * **Security:** a node that still acknowledged or voted after its vote in a heal could let the old group commit
   * beside the new one.
   */
  halt(): void {
    this.#assertIdle();
    if (this.#state.halted) return;
    becomeFollower(this.#state, this.#state.term, undefined);
    this.#state.halted = true;
    this.#state.outbox.silence();
  }

  /** The transport lost its connection to `peer`: stop streaming, probe. */
  reportUnreachable(peer: NodeId): void {
    this.#assertIdle();
    const { role } = this.#state;
    const progress = role.kind === "leader" ? role.progress.get(peer) : undefined;
    if (progress?.state === "replicate") progress.becomeProbe();
  }

  /** The transport has delivered a snapshot to `peer`, or failed to. Waits for its answer, or for a heartbeat's. */
  reportSnapshot(peer: NodeId, outcome: "delivered" | "failed"): void {
    this.#assertIdle();
    const { role } = this.#state;
    const progress = role.kind === "leader" ? role.progress.get(peer) : undefined;
    if (progress?.state !== "snapshot") return;
    if (outcome === "failed") progress.pendingSnapshot = 0;
    progress.becomeProbe();
    progress.paused = true;
  }

  /** Bytes of a long transfer to `peer` move: it is busy, not dead. */
  reportProgress(peer: NodeId): void {
    this.#assertIdle();
    const { role, ticks } = this.#state;
    if (role.kind !== "leader") return;
    noteActivity(this.#state, role, peer);
    const progress = role.progress.get(peer);
    if (progress !== undefined) progress.transferredAtTick = ticks;
  }

  /** Drops entries up to `index`, at most what is applied; who needs them gets a snapshot. */
  compact(index: LogIndex): void {
    this.#assertIdle();
    this.#state.log.compact(index);
  }

  /** What nodes of other groups are told: the store's head in the host's encoding. */
  setKnownHead(head: Uint8Array): void {
    this.#state.knownHead = head;
  }

  /** Replaces the drawn election timeout until the next role change: to set a situation up. */
  setRandomizedElectionTimeout(ticks: number): void {
    this.#state.randomizedElectionTimeout = ticks;
  }

  /** True if there is anything to carry out. */
  hasReady(): boolean {
    if (this.#taken !== undefined) return false;
    const state = this.#state;
    if (state.halted) return state.outbox.hasResults;
    const { log } = state;
    return (
      !state.outbox.empty ||
      log.hasUnapplied ||
      log.stable < log.lastIndex ||
      log.pendingSnapshot !== undefined ||
      isRoundDue(state) ||
      this.#hardStateChanged() ||
      this.#softStateChanged()
    );
  }

  /** Takes the effects collected so far. The next call on this node is `advance` with the same object. */
  ready(): Ready {
    this.#assertIdle();
    const state = this.#state;
    const { log, role, settings, halted } = state;
    if (role.kind === "leader" && isRoundDue(state)) beginRound(state, role);
    const committedEntries = halted
      ? []
      : log.unappliedEntries(settings.limits.applyBytesMax, settings.limits.applyEntriesMax);
    this.#decideProposals(committedEntries);
    const { selfAnswers, ...effects } = state.outbox.take();
    const hard = hardStateOf(state);
    const soft = softStateOf(state);
    const entries = halted ? [] : log.unstableEntries();
    const ready: Ready = {
      softState: !halted && this.#softStateChanged() ? soft : undefined,
      hardState: !halted && this.#hardStateChanged() ? hard : undefined,
      mustSync:
        entries.length > 0 ||
        hard.term !== this.#shownHard.term ||
        hard.vote !== this.#shownHard.vote,
      entries,
      snapshot: halted ? undefined : log.pendingSnapshot,
      committedEntries,
      ...effects,
    };
    this.#shownHard = hard;
    this.#shownSoft = soft;
    this.#taken = { ready, selfAnswers };
    return ready;
  }

  /** Everything in `ready` is carried out: what it promised counts from now on, and its changes are in force. */
  advance(ready: Ready): void {
    const taken = this.#taken;
    assert(taken?.ready === ready, "advance follows the Ready that was taken last");
    this.#taken = undefined;
    const state = this.#state;
    if (ready.snapshot !== undefined) state.log.markSnapshotLoaded();
    const lastEntry = ready.entries.at(-1);
    if (lastEntry !== undefined) state.log.markStable(lastEntry.index);
    this.#markApplied(ready.committedEntries);
    applyChanges(state, ready.committedEntries);
    for (const answer of taken.selfAnswers) this.#stepSelf(answer);
    if (state.role.kind === "leader" && ready.committedEntries.length > 0) {
      leaveJointIfDue(state, state.role);
    }
    if (state.campaignWhenApplied) campaign(state, "hand-over");
    boundLog(state);
  }

  #request(id: number, payload: EntryPayload): RequestOutcome {
    this.#assertIdle();
    assert(Number.isSafeInteger(id) && id >= 0, "a proposal's number is a whole number");
    assert(this.#state.proposals.isNew(id), "a proposal's number is above all earlier ones");
    return requestProposal(this.#state, id, payload);
  }

  /** The proposals that these entries decide are told with them: the host applies first. */
  #decideProposals(entries: readonly Entry[]): void {
    for (const { index, term } of entries) {
      const result = this.#state.proposals.applied(index, term);
      if (result !== undefined) this.#state.outbox.proposalDecided(result);
    }
  }

  #markApplied(entries: readonly Entry[]): void {
    const { log, role } = this.#state;
    const last = entries.at(-1);
    if (last === undefined) return;
    log.markApplied(last.index);
    if (role.kind !== "leader") return;
    for (const entry of entries) releaseUncommitted(role, entry);
  }

  /** A promise to oneself is kept now; one of an earlier term is void. */
  #stepSelf(answer: SelfAnswer): void {
    const state = this.#state;
    if (answer.term !== state.term) return;
    switch (answer.kind) {
      case "appended":
        if (state.role.kind === "leader") onAccepted(state, state.role, state.id, answer.index);
        break;
      case "voted":
        if (state.role.kind === "candidate") countVote(state, state.id, true);
        break;
      case "pre-voted":
        if (state.role.kind === "pre-candidate") countVote(state, state.id, true);
        break;
    }
  }

  #hardStateChanged(): boolean {
    const { term, vote, log } = this.#state;
    const shown = this.#shownHard;
    return term !== shown.term || vote !== shown.vote || log.commit !== shown.commit;
  }

  #softStateChanged(): boolean {
    const { leader, role } = this.#state;
    return leader !== this.#shownSoft.leader || role.kind !== this.#shownSoft.role;
  }

  #assertIdle(): void {
    assert(this.#taken === undefined, "a Ready that was taken is advanced first");
  }
}

function softStateOf({ leader, role }: RaftState): SoftState {
  return { leader, role: role.kind };
}

function hardStateOf({ term, vote, log }: RaftState): HardState {
  return { term, vote, commit: log.commit };
}

/** Everything that a node knows. Changed only by the functions of this folder, one concept a file. */
import type { Prng } from "../prng.ts";
import {
  RAFT_ANSWERS_KEPT_MAX,
  RAFT_APPEND_BYTES_MAX,
  RAFT_APPLY_BYTES_MAX,
  RAFT_APPLY_ENTRIES_MAX,
  RAFT_INFLIGHT_BYTES_MAX,
  RAFT_INFLIGHT_MESSAGES_MAX,
  RAFT_LOG_BYTES_MAX,
  RAFT_LOG_ENTRIES_MAX,
  RAFT_PROPOSAL_BYTES_MAX,
  RAFT_UNCOMMITTED_BYTES_MAX,
  RAFT_WAITING_MAX,
} from "../limits.ts";
import { AnsweredProposals } from "./answered-proposals.ts";
import { NO_CONFIGURATION, type Configuration } from "./configuration.ts";
import { RaftLog } from "./log.ts";
import type { RaftLimits, RaftOptions } from "./options.ts";
import { Outbox } from "./outbox.ts";
import type { Progress } from "./progress.ts";
import { PendingProposals } from "./pending-proposals.ts";
import type { ReadRounds } from "./read-rounds.ts";
import type { RaftCounters } from "./status.ts";
import type { GroupId, LogIndex, NodeId, Term } from "./types.ts";

/** A node's part in its term, with what only that part needs. */
type Role = Follower | PreCandidate | Candidate | Leader;

/** Follows the term's leader, if it knows one. */
interface Follower {
  readonly kind: "follower";
}
/** Asks whether an election would succeed. */
interface PreCandidate {
  readonly kind: "pre-candidate";
  readonly votes: Map<NodeId, boolean>;
}
/** Asks for votes. */
interface Candidate {
  readonly kind: "candidate";
  readonly votes: Map<NodeId, boolean>;
}
/** Leads its term. */
export interface Leader {
  readonly kind: "leader";
  /** Of every member, the leader included, in id order. */
  progress: Map<NodeId, Progress>;
  /** Of removed members that are still told so. */
  readonly departing: Map<NodeId, Progress>;
  /** A configuration change may be pending up to here: no other is accepted before it is applied. */
  pendingChangeIndex: LogIndex;
  /** Payload appended and not yet applied. */
  uncommittedBytes: number;
  transferee: NodeId | undefined;
  /** When an unfinished hand-over is given up. */
  transferEndsAtTick: number;
  readonly reads: ReadRounds;
}

/** A member that was removed, and for how long it is still told. */
interface Departure {
  /** Index of the change that removed it. */
  readonly index: LogIndex;
  ticksLeft: number;
  /** The round of a heartbeat that carried the removal as committed: its answer ends the departure. */
  noticeRound: number | undefined;
}

/** Options with every default filled in. */
interface Settings {
  readonly electionTimeoutTicks: number;
  readonly heartbeatTicks: number;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  readonly limits: RaftLimits;
  readonly snapshotData: () => Uint8Array;
}

/** The mutable state of one node. */
export interface RaftState {
  readonly id: NodeId;
  readonly groupId: GroupId;
  readonly settings: Settings;
  readonly prng: Prng;
  readonly log: RaftLog;
  readonly outbox: Outbox;
  readonly proposals: PendingProposals;
  /** Of the newest term that this node leads or led. */
  answered: AnsweredProposals;
  readonly counters: RaftCounters;

  term: Term;
  vote: NodeId | undefined;
  leader: NodeId | undefined;
  role: Role;

  configuration: Configuration;
  configurationIndex: LogIndex;
  /** True once `configuration` left this node out after it had been a member. */
  removed: boolean;
  readonly departures: Map<NodeId, Departure>;

  /** Ticks since the start. */
  ticks: number;
  electionElapsed: number;
  heartbeatElapsed: number;
  randomizedElectionTimeout: number;

  /** The largest smallest-match seen since a member was added. */
  minimumMatch: LogIndex;
  halted: boolean;
  retiring: boolean;
  /** A hand-over arrived while a configuration change was committed and not applied: campaign afterwards. */
  campaignWhenApplied: boolean;
  /** The store's head, as the host told it, for nodes of other groups. */
  knownHead: Uint8Array | undefined;
}

const DEFAULT_LIMITS: RaftLimits = {
  appendBytesMax: RAFT_APPEND_BYTES_MAX,
  inflightMessagesMax: RAFT_INFLIGHT_MESSAGES_MAX,
  inflightBytesMax: RAFT_INFLIGHT_BYTES_MAX,
  uncommittedBytesMax: RAFT_UNCOMMITTED_BYTES_MAX,
  proposalBytesMax: RAFT_PROPOSAL_BYTES_MAX,
  applyBytesMax: RAFT_APPLY_BYTES_MAX,
  applyEntriesMax: RAFT_APPLY_ENTRIES_MAX,
  logEntriesMax: RAFT_LOG_ENTRIES_MAX,
  logBytesMax: RAFT_LOG_BYTES_MAX,
  waitingMax: RAFT_WAITING_MAX,
  answersKeptMax: RAFT_ANSWERS_KEPT_MAX,
};

/** The state of a node that has just started: a follower of nobody in term 0. */
export function initialState(options: RaftOptions): RaftState {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  return {
    id: options.id,
    groupId: options.groupId,
    settings: {
      electionTimeoutTicks: options.electionTimeoutTicks,
      heartbeatTicks: options.heartbeatTicks,
      preVote: options.preVote ?? true,
      checkQuorum: options.checkQuorum ?? true,
      limits,
      snapshotData: options.snapshotData,
    },
    prng: options.prng,
    log: new RaftLog(options.initial),
    outbox: new Outbox(),
    proposals: new PendingProposals(limits.waitingMax),
    answered: new AnsweredProposals(0, limits.answersKeptMax),
    counters: noCounters(),
    term: 0,
    vote: undefined,
    leader: undefined,
    role: { kind: "follower" },
    configuration: options.initial?.configuration ?? NO_CONFIGURATION,
    configurationIndex: options.initial?.index ?? 0,
    removed: false,
    departures: new Map(),
    ticks: 0,
    electionElapsed: 0,
    heartbeatElapsed: 0,
    randomizedElectionTimeout: drawElectionTimeout(options.prng, options.electionTimeoutTicks),
    minimumMatch: 0,
    halted: false,
    retiring: false,
    campaignWhenApplied: false,
    knownHead: undefined,
  };
}

/** A timeout from [T, 2T − 1], so that two nodes rarely campaign at once (thesis section 3.4). */
export function drawElectionTimeout(prng: Prng, timeoutTicks: number): number {
  return prng.int(timeoutTicks, 2 * timeoutTicks - 1);
}

function noCounters(): RaftCounters {
  return {
    campaigns: 0,
    preCampaigns: 0,
    electionsWon: 0,
    electionsLost: 0,
    stickyRefusals: 0,
    checkQuorumStepDowns: 0,
    announcedStepDowns: 0,
    handOvers: 0,
    conflictsTruncated: 0,
    snapshotsSent: 0,
    snapshotsInstalled: 0,
    jointConfigurationsEntered: 0,
    readRounds: 0,
    staleAnswersDropped: 0,
    proposalsRepeated: 0,
    proposalsIgnored: 0,
  };
}

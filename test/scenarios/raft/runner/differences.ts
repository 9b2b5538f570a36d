/** Where our traces differ from those of etcd-io/raft because `specs/raft.md` demands it: all of them. */
import type { Case } from "./case-file.ts";

/** One case whose output is another one by design. */
export interface Difference {
  /** File name of the script. */
  readonly script: string;
  /** Line of the case's command in that file. */
  readonly line: number;
  /** The command line itself, so that an entry never fits another version of the file by chance. */
  readonly command: string;
  /** The sentence of the specification that demands it. */
  readonly reason: string;
  readonly output: string;
}

const ANNOUNCED =
  'Elections, "Announced step-down": a leader that steps down says so; its followers forget it, so they may vote.';
const HANDS_OVER =
  'Membership: "A leader that removes itself hands over, then steps down." Its successor leads on from there, and ' +
  "still sends it the log, so that it learns that it is out.";

const DIFFERENCES: readonly Difference[] = [
  {
    script: "checkquorum.txt",
    line: 59,
    command: "stabilize",
    reason: ANNOUNCED,
    output: `> 1 handling Ready
  Ready MustSync=false:
  Lead:0 State:StateFollower
  Messages:
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->3 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->3 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->3 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->3 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->3 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->2 MsgStepDown Term:1 Log:0/0
  1->3 MsgStepDown Term:1 Log:0/0
> 2 receiving messages
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->2 MsgStepDown Term:1 Log:0/0
> 3 receiving messages
  1->3 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->3 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->3 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->3 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->3 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->3 MsgStepDown Term:1 Log:0/0
> 2 handling Ready
  Ready MustSync=false:
  Messages:
  2->1 MsgAppResp Term:2 Log:0/0
  2->1 MsgAppResp Term:2 Log:0/0
  2->1 MsgAppResp Term:2 Log:0/0
  2->1 MsgAppResp Term:2 Log:0/0
  2->1 MsgAppResp Term:2 Log:0/0
> 3 handling Ready
  Ready MustSync=false:
  Lead:0 State:StateFollower
  Messages:
  3->1 MsgHeartbeatResp Term:1 Log:0/0
  3->1 MsgHeartbeatResp Term:1 Log:0/0
  3->1 MsgHeartbeatResp Term:1 Log:0/0
  3->1 MsgHeartbeatResp Term:1 Log:0/0
  3->1 MsgHeartbeatResp Term:1 Log:0/0
> 1 receiving messages
  2->1 MsgAppResp Term:2 Log:0/0
  2->1 MsgAppResp Term:2 Log:0/0
  2->1 MsgAppResp Term:2 Log:0/0
  2->1 MsgAppResp Term:2 Log:0/0
  2->1 MsgAppResp Term:2 Log:0/0
  3->1 MsgHeartbeatResp Term:1 Log:0/0
  3->1 MsgHeartbeatResp Term:1 Log:0/0
  3->1 MsgHeartbeatResp Term:1 Log:0/0
  3->1 MsgHeartbeatResp Term:1 Log:0/0
  3->1 MsgHeartbeatResp Term:1 Log:0/0
> 1 handling Ready
  Ready MustSync=true:
  HardState Term:2 Commit:11`,
  },
  {
    script: "checkquorum.txt",
    line: 140,
    command: "stabilize",
    reason: ANNOUNCED,
    output: `> 1 handling Ready
  Ready MustSync=true:
  HardState Term:3 Vote:2 Commit:11
  Messages:
  1->2 MsgVoteResp Term:3 Log:0/0
> 3 handling Ready
  Ready MustSync=true:
  HardState Term:3 Vote:2 Commit:11
  Messages:
  3->2 MsgVoteResp Term:3 Log:0/0
> 2 receiving messages
  1->2 MsgVoteResp Term:3 Log:0/0
  3->2 MsgVoteResp Term:3 Log:0/0
> 2 handling Ready
  Ready MustSync=true:
  Lead:2 State:StateLeader
  Entries:
  3/12 EntryNormal ""
  Messages:
  2->1 MsgApp Term:3 Log:1/11 Commit:11 Entries:[3/12 EntryNormal ""]
  2->3 MsgApp Term:3 Log:1/11 Commit:11 Entries:[3/12 EntryNormal ""]
> 1 receiving messages
  2->1 MsgApp Term:3 Log:1/11 Commit:11 Entries:[3/12 EntryNormal ""]
> 3 receiving messages
  2->3 MsgApp Term:3 Log:1/11 Commit:11 Entries:[3/12 EntryNormal ""]
> 1 handling Ready
  Ready MustSync=true:
  Lead:2 State:StateFollower
  Entries:
  3/12 EntryNormal ""
  Messages:
  1->2 MsgAppResp Term:3 Log:0/12
> 3 handling Ready
  Ready MustSync=true:
  Lead:2 State:StateFollower
  Entries:
  3/12 EntryNormal ""
  Messages:
  3->2 MsgAppResp Term:3 Log:0/12
> 2 receiving messages
  1->2 MsgAppResp Term:3 Log:0/12
  3->2 MsgAppResp Term:3 Log:0/12
> 2 handling Ready
  Ready MustSync=false:
  HardState Term:3 Vote:2 Commit:12
  CommittedEntries:
  3/12 EntryNormal ""
  Messages:
  2->1 MsgApp Term:3 Log:3/12 Commit:12
  2->3 MsgApp Term:3 Log:3/12 Commit:12
> 1 receiving messages
  2->1 MsgApp Term:3 Log:3/12 Commit:12
> 3 receiving messages
  2->3 MsgApp Term:3 Log:3/12 Commit:12
> 1 handling Ready
  Ready MustSync=false:
  HardState Term:3 Vote:2 Commit:12
  CommittedEntries:
  3/12 EntryNormal ""
  Messages:
  1->2 MsgAppResp Term:3 Log:0/12
> 3 handling Ready
  Ready MustSync=false:
  HardState Term:3 Vote:2 Commit:12
  CommittedEntries:
  3/12 EntryNormal ""
  Messages:
  3->2 MsgAppResp Term:3 Log:0/12
> 2 receiving messages
  1->2 MsgAppResp Term:3 Log:0/12
  3->2 MsgAppResp Term:3 Log:0/12`,
  },
  {
    script: "confchange_v1_remove_leader.txt",
    line: 85,
    command: "stabilize 1",
    reason: HANDS_OVER,
    output: `> 1 handling Ready
  Ready MustSync=true:
  Entries:
  1/6 EntryNormal "bar"
  Messages:
  1->2 MsgApp Term:1 Log:1/5 Commit:3 Entries:[1/6 EntryNormal "bar"]
  1->3 MsgApp Term:1 Log:1/5 Commit:3 Entries:[1/6 EntryNormal "bar"]
> 1 receiving messages
  2->1 MsgAppResp Term:1 Log:0/4
  2->1 MsgAppResp Term:1 Log:0/5
> 1 handling Ready
  Ready MustSync=false:
  HardState Term:1 Vote:1 Commit:5
  CommittedEntries:
  1/4 EntryConfChange r1
  1/5 EntryNormal "foo"
  Messages:
  1->2 MsgApp Term:1 Log:1/6 Commit:4
  1->3 MsgApp Term:1 Log:1/6 Commit:4
  1->2 MsgApp Term:1 Log:1/6 Commit:5
  1->3 MsgApp Term:1 Log:1/6 Commit:5
> 1 handling Ready
  Ready MustSync=false:
  Messages:
  1->2 MsgApp Term:1 Log:1/6 Commit:5`,
  },
  {
    script: "confchange_v1_remove_leader.txt",
    line: 116,
    command: "stabilize 2",
    reason: HANDS_OVER,
    output: `> 2 receiving messages
  1->2 MsgApp Term:1 Log:1/5 Commit:3 Entries:[1/6 EntryNormal "bar"]
  1->2 MsgApp Term:1 Log:1/6 Commit:4
  1->2 MsgApp Term:1 Log:1/6 Commit:5
  1->2 MsgApp Term:1 Log:1/6 Commit:5
> 2 handling Ready
  Ready MustSync=true:
  HardState Term:1 Vote:1 Commit:5
  Entries:
  1/6 EntryNormal "bar"
  CommittedEntries:
  1/4 EntryConfChange r1
  1/5 EntryNormal "foo"
  Messages:
  2->1 MsgAppResp Term:1 Log:0/6
  2->1 MsgAppResp Term:1 Log:0/6
  2->1 MsgAppResp Term:1 Log:0/6
  2->1 MsgAppResp Term:1 Log:0/6`,
  },
  {
    script: "confchange_v1_remove_leader.txt",
    line: 136,
    command: "stabilize 1",
    reason: HANDS_OVER,
    output: `> 1 receiving messages
  2->1 MsgAppResp Term:1 Log:0/6
  2->1 MsgAppResp Term:1 Log:0/6
  2->1 MsgAppResp Term:1 Log:0/6
  2->1 MsgAppResp Term:1 Log:0/6
> 1 handling Ready
  Ready MustSync=false:
  Lead:0 State:StateFollower
  Messages:
  1->2 MsgTimeoutNow Term:1 Log:0/0
  1->2 MsgStepDown Term:1 Log:0/0
  1->3 MsgStepDown Term:1 Log:0/0`,
  },
  {
    script: "confchange_v1_remove_leader.txt",
    line: 144,
    command: "stabilize",
    reason: HANDS_OVER,
    output: `> 2 receiving messages
  1->2 MsgTimeoutNow Term:1 Log:0/0
  1->2 MsgStepDown Term:1 Log:0/0
> 3 receiving messages
  1->3 MsgApp Term:1 Log:1/3 Commit:3 Entries:[1/4 EntryConfChange r1]
  1->3 MsgApp Term:1 Log:1/4 Commit:3 Entries:[1/5 EntryNormal "foo"]
  1->3 MsgApp Term:1 Log:1/5 Commit:3 Entries:[1/6 EntryNormal "bar"]
  1->3 MsgApp Term:1 Log:1/6 Commit:4
  1->3 MsgApp Term:1 Log:1/6 Commit:5
  1->3 MsgStepDown Term:1 Log:0/0
> 2 handling Ready
  Ready MustSync=true:
  Lead:0 State:StateCandidate
  HardState Term:2 Vote:2 Commit:5
  Messages:
  2->3 MsgVote Term:2 Log:1/6
> 3 handling Ready
  Ready MustSync=true:
  Lead:0 State:StateFollower
  HardState Term:1 Vote:1 Commit:5
  Entries:
  1/4 EntryConfChange r1
  1/5 EntryNormal "foo"
  1/6 EntryNormal "bar"
  CommittedEntries:
  1/4 EntryConfChange r1
  1/5 EntryNormal "foo"
  Messages:
  3->1 MsgAppResp Term:1 Log:0/4
  3->1 MsgAppResp Term:1 Log:0/5
  3->1 MsgAppResp Term:1 Log:0/6
  3->1 MsgAppResp Term:1 Log:0/6
  3->1 MsgAppResp Term:1 Log:0/6
> 1 receiving messages
  3->1 MsgAppResp Term:1 Log:0/4
  3->1 MsgAppResp Term:1 Log:0/5
  3->1 MsgAppResp Term:1 Log:0/6
  3->1 MsgAppResp Term:1 Log:0/6
  3->1 MsgAppResp Term:1 Log:0/6
> 3 receiving messages
  2->3 MsgVote Term:2 Log:1/6
> 3 handling Ready
  Ready MustSync=true:
  HardState Term:2 Vote:2 Commit:5
  Messages:
  3->2 MsgVoteResp Term:2 Log:0/0
> 2 receiving messages
  3->2 MsgVoteResp Term:2 Log:0/0
> 2 handling Ready
  Ready MustSync=true:
  Lead:2 State:StateLeader
  Entries:
  2/7 EntryNormal ""
  Messages:
  2->3 MsgApp Term:2 Log:1/6 Commit:5 Entries:[2/7 EntryNormal ""]
  2->1 MsgApp Term:2 Log:1/6 Commit:5
> 1 receiving messages
  2->1 MsgApp Term:2 Log:1/6 Commit:5
> 3 receiving messages
  2->3 MsgApp Term:2 Log:1/6 Commit:5 Entries:[2/7 EntryNormal ""]
> 1 handling Ready
  Ready MustSync=true:
  Lead:2 State:StateFollower
  HardState Term:2 Commit:5
  Messages:
  1->2 MsgAppResp Term:2 Log:0/6
> 3 handling Ready
  Ready MustSync=true:
  Lead:2 State:StateFollower
  Entries:
  2/7 EntryNormal ""
  Messages:
  3->2 MsgAppResp Term:2 Log:0/7
> 2 receiving messages
  1->2 MsgAppResp Term:2 Log:0/6
  3->2 MsgAppResp Term:2 Log:0/7
> 2 handling Ready
  Ready MustSync=false:
  HardState Term:2 Vote:2 Commit:7
  CommittedEntries:
  1/6 EntryNormal "bar"
  2/7 EntryNormal ""
  Messages:
  2->3 MsgApp Term:2 Log:2/7 Commit:7
  2->1 MsgApp Term:2 Log:1/6 Commit:7
> 1 receiving messages
  2->1 MsgApp Term:2 Log:1/6 Commit:7
> 3 receiving messages
  2->3 MsgApp Term:2 Log:2/7 Commit:7
> 1 handling Ready
  Ready MustSync=false:
  HardState Term:2 Commit:6
  CommittedEntries:
  1/6 EntryNormal "bar"
  Messages:
  1->2 MsgAppResp Term:2 Log:0/6
> 3 handling Ready
  Ready MustSync=false:
  HardState Term:2 Vote:2 Commit:7
  CommittedEntries:
  1/6 EntryNormal "bar"
  2/7 EntryNormal ""
  Messages:
  3->2 MsgAppResp Term:2 Log:0/7
> 2 receiving messages
  1->2 MsgAppResp Term:2 Log:0/6
  3->2 MsgAppResp Term:2 Log:0/7`,
  },
  {
    script: "confchange_v1_remove_leader.txt",
    line: 218,
    command: "stabilize",
    reason: HANDS_OVER,
    output: `ok`,
  },
  {
    script: "confchange_v1_remove_leader.txt",
    line: 243,
    command: "raft-state",
    reason: HANDS_OVER,
    output: `1: StateFollower (Non-Voter) Term:2 Lead:2
2: StateLeader (Voter) Term:2 Lead:2
3: StateFollower (Voter) Term:2 Lead:2`,
  },
];

/** The listed difference of a case, if there is one. */
export function listedDifference(script: string, one: Case): Difference | undefined {
  return DIFFERENCES.find(
    (entry) => entry.script === script && entry.line === one.line && entry.command === one.text,
  );
}

/** All entries, for the test that demands that each is needed. */
export function allDifferences(): readonly Difference[] {
  return DIFFERENCES;
}

/** The assignments that are explored, by number of coordinators. */
import type { Assignment } from "./assignment.ts";
import { assignment, configuration, newcomer, survivor } from "./assignment.ts";

/** One coordinator: everything, to the third attempt. */
const ONE: readonly Assignment[] = [
  assignment("a survivor", [survivor("a1")], { update: true, failingReads: true, attempts: 3 }),
  assignment("a newcomer", [newcomer("a2")], { update: true, failingReads: true, attempts: 3 }),
  assignment("a survivor that the manifest excludes", [survivor("a1", { ineligibleFrom: 2 })], {
    attempts: 3,
  }),
  assignment("a survivor that an update excludes", [survivor("a1", { ineligibleFrom: 3 })], {
    update: true,
  }),
  assignment("two processes under one name", [survivor("a1"), survivor("a2", { held: "g1" })]),
];

const PAIR = configuration("a1 b1");
const NEXT_PAIR = configuration("a2 b2");

/** Two coordinators: both are a majority, so the failover timer decides nothing. */
const TWO: readonly Assignment[] = [
  assignment("equal survivors", [survivor("a1"), survivor("b1")], { attempts: 3 }),
  assignment("an unreliable store and an update", [survivor("a1"), survivor("b1")], {
    update: true,
    failingReads: true,
  }),
  assignment("one is new", [survivor("a1"), newcomer("b2")], { update: true, attempts: 3 }),
  assignment("both are new", [newcomer("a2"), newcomer("b2")]),
  assignment("one older and one excluded", [
    survivor("a1", { held: "g1" }),
    survivor("b1", { ineligibleFrom: 2 }),
  ]),
  assignment("one is live", [survivor("a1", { live: true }), newcomer("b2")]),
  assignment("the store is behind", [survivor("a1"), survivor("b1", { held: "g1" })], { head: 1 }),
  assignment("two processes under one name", [
    survivor("a1"),
    newcomer("a2"),
    survivor("b1", { held: "g1" }),
  ]),
  assignment(
    "failover is off and a name restarts",
    [survivor("a1", { index: 10 }), newcomer("a2"), survivor("b1")],
    { failover: false },
  ),
  assignment("an unexpected name", [survivor("a1"), survivor("d1")], { names: ["a", "b"] }),
  assignment(
    "both instances were replaced in the old group",
    [
      survivor("a1", { configurations: [PAIR] }),
      survivor("b1", { index: 8, configurations: [PAIR, NEXT_PAIR] }),
    ],
    { configurations: [PAIR, NEXT_PAIR] },
  ),
  assignment("the manifest says off", [survivor("a1"), survivor("b1")], { policy: "off" }),
  assignment("seals are permitted", [newcomer("a2", { secrets: "sealed" }), newcomer("b2")], {
    policy: "sealed",
  }),
];

const REPLACED = configuration("a1 b1 c1");
const REPLACING = configuration("a1 b1 c2", "a1 b1 c1");
const REPLACEMENT = configuration("a1 b1 c2");

/** Three coordinators: one may be missing. */
const THREE: readonly Assignment[] = [
  assignment("two are live", [
    newcomer("a2"),
    survivor("b1", { live: true }),
    survivor("c1", { live: true }),
  ]),
  assignment("nobody survives", [newcomer("a2"), newcomer("b2"), newcomer("c2")]),
  assignment("an unexpected name", [survivor("a1"), newcomer("b2"), survivor("d1")], {
    names: ["a", "b", "c"],
  }),
  assignment("failover is off", [survivor("a1"), survivor("b1"), newcomer("c2")], {
    failover: false,
  }),
  assignment(
    "two processes under one name",
    [survivor("a1", { index: 8 }), newcomer("a2"), survivor("b1")],
    { names: ["a", "b", "c"] },
  ),
  assignment("one is live", [newcomer("a2"), survivor("b1"), survivor("c1", { live: true })]),
  assignment("one survives", [newcomer("a2"), survivor("b1"), newcomer("c2")]),
  assignment("equal survivors", [survivor("a1"), survivor("b1"), survivor("c1")]),
  assignment("older, newer and new", [
    survivor("a1"),
    survivor("b1", { held: "g1", term: 9 }),
    newcomer("c2"),
  ]),
  assignment("the greatest is excluded", [
    survivor("a1", { index: 7 }),
    survivor("b1", { index: 8 }),
    survivor("c1", { ineligibleFrom: 2 }),
  ]),
  assignment("a cut-off old quorum says that it is live", [
    survivor("a1"),
    survivor("b1", { held: "g1", live: true }),
    newcomer("c2"),
  ]),
  assignment(
    "the store is behind",
    [survivor("a1"), survivor("b1", { held: "g1" }), newcomer("c2")],
    { head: 1 },
  ),
  assignment(
    "an instance is replaced in the old group",
    [
      survivor("a1", { index: 8, configurations: [REPLACED, REPLACEMENT] }),
      survivor("b1", { ineligibleFrom: 2, configurations: [REPLACED, REPLACEMENT] }),
      survivor("c1", { configurations: [REPLACED] }),
    ],
    { configurations: [REPLACED, REPLACEMENT] },
  ),
  assignment(
    "an instance is being replaced in the old group",
    [
      survivor("a1", { configurations: [REPLACED, REPLACING] }),
      newcomer("b2"),
      survivor("c1", { index: 8, configurations: [REPLACED] }),
    ],
    { configurations: [REPLACED, REPLACING] },
  ),
  assignment("the old group updates meanwhile", [survivor("a1"), survivor("b1"), newcomer("c2")], {
    update: true,
  }),
  assignment(
    "the update excludes a claimant",
    [survivor("a1"), survivor("b1", { ineligibleFrom: 3 }), newcomer("c2")],
    { update: true },
  ),
];

/** Four coordinators: as far as the bound on states allows. */
const FOUR: readonly Assignment[] = [
  assignment("equal survivors", [survivor("a1"), survivor("b1"), survivor("c1"), survivor("d1")]),
  assignment("two survive", [survivor("a1"), survivor("b1"), newcomer("c2"), newcomer("d2")], {
    update: true,
  }),
];

const ASSIGNMENTS: Readonly<Record<number, readonly Assignment[]>> = {
  1: ONE,
  2: TWO,
  3: THREE,
  4: FOUR,
};

/** The assignments for this many names; none for other numbers than one to four. */
export function assignmentsFor(coordinators: number): readonly Assignment[] {
  return ASSIGNMENTS[coordinators] ?? [];
}

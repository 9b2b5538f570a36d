/** Faults planted in the core's source, each of which the exploration must find. */

/** One piece of a file in `src/core/healing`, and what stands there instead. */
export interface Replacement {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

interface Mutation {
  readonly title: string;
  readonly replacements: readonly Replacement[];
}

export const MUTATIONS: readonly Mutation[] = [
  one("own claim not counted first", "phases.ts", "heard: named ? [own] : [],", "heard: [],"),
  {
    title: "votes of unexpected names counted",
    replacements: [
      {
        file: "gathering.ts",
        find: "const isNamed = record.names.includes(from.name);",
        replace: "const isNamed = true;",
      },
      {
        file: "plan.ts",
        find: "votes.filter(({ name }) => base.record.names.includes(name))",
        replace: "votes",
      },
    ],
  },
  one(
    "vote changed after sending",
    "gathering.ts",
    'if (phase.kind === "voted") return;',
    `if (phase.kind === "voted") {
      const candidate = hear(turn, header, claim);
      const changed = updatePhase(turn, phase, { candidate });
      sendToCandidate(turn, changed, voteMessage(turn, changed));
      return;
    }`,
  ),
  one(
    "opening without the compare-and-swap",
    "opening.ts",
    "becomeOpening(turn, plan, 0);",
    'becomeOpener(turn, { ...base.record, epoch: plan.epoch, hash: "unwritten", group: "unwritten" });',
  ),
  one("epoch not raised", "plan.ts", "(base.record.epoch + 1) as Epoch", "base.record.epoch"),
  {
    title: "voter still answers its old group",
    replacements: [
      { file: "phases.ts", find: 'turn.effects.push({ kind: "halt" });', replace: "" },
      {
        file: "gathering.ts",
        find: "becomeHalting(turn, phase, candidate, path);",
        replace: `becomeHalting(turn, phase, candidate, path);
        onHalted(turn, turn.state.phase, { group: undefined, configurations: [] });`,
      },
    ],
  },
  one("mesh CA key reused", "opening.ts", "turn.state.meshCaKeys + 1", "1"),
  one(
    "fenced computed from the opener's own configuration alone",
    "opening.ts",
    "planOn(base, votes, path, nextMeshCaKey(turn))",
    `planOn(base, votes.map((vote) => vote.name === own.claim.name ? vote : { ...vote, configurations: [] }),
      path, nextMeshCaKey(turn))`,
  ),
  one(
    "retry of an attempt off with the failover timer",
    "phases.ts",
    'disarm(turn, "failover");\n  arm(',
    'disarm(turn, "failover");\n  if (turn.options.failoverTicks > 0) arm(',
  ),
  one(
    "a vote without a head read",
    "reading.ts",
    "const base = chooseBase(known, observation);",
    `const base = chooseBase(known, observation) ??
      (known && { record: known, token: known.hash, reasserted: false });`,
  ),
  one("quorum rounded down", "fencing.ts", "Math.floor(count / 2) + 1", "Math.floor(count / 2)"),
  one("live-group check dropped", "claim.ts", "claim.live &&\n", "!claim.live && claim.live &&\n"),
  one(
    "claim below own accepted",
    "claim.ts",
    "compareClaims(next.claim, best.claim) > 0",
    "compareClaims(next.claim, best.claim) < 0",
  ),
  one("claims of excluded builds accepted", "claim.ts", "usable && claim.eligible &&", "usable &&"),
  one(
    "secrets not asked for",
    "claim.ts",
    'claim.secrets === "memory" ||',
    'claim.secrets !== "sealed" ||',
  ),
  one(
    "eligibility not checked again on a rebase",
    "opening.ts",
    "if (!isSelectable(ownClaim(turn, record), record)) return false;",
    "",
  ),
  one(
    "a group that no voter belonged to taken for fenced",
    "fencing.ts",
    "voter.group === group && voter.configurations.length > 0",
    "voter.group !== group || true",
  ),
];

function one(title: string, file: string, find: string, replace: string): Mutation {
  return { title, replacements: [{ file, find, replace }] };
}

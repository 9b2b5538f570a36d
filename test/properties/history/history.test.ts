import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/core/bytes.ts";
import type { Epoch, Generation, Sha256 } from "../../../src/core/brand.ts";
import {
  type AppliedRecord,
  classifyHead,
  type HeadClass,
  type ObservedHead,
  parseApprovals,
  parseRecord,
  parseShares,
  type RecordDocument,
  type RecordPlace,
  verifyNext,
} from "../../../src/core/history/index.ts";
import type { Manifest } from "../../../src/core/manifest/index.ts";
import { parsed, sampleManifest } from "../../unit/core/manifest/sample-manifest.ts";
import {
  genesis,
  heal,
  recovery,
  seal,
  sha256,
  update,
} from "../../unit/core/history/sample-records.ts";

/** A record in a tree of all records that anybody ever made: several lineages, each with branches. */
interface Node {
  readonly name: Sha256;
  readonly parent: Node | undefined;
  readonly takesOver: boolean;
}

/** How a store shows a node: as it is, with lost documents, with a broken signature. */
type Shown = "well" | "unverifiable" | "badly-signed";

/** Builds a tree from choices: each later node names its parent among the earlier ones (none: a new lineage). */
const trees = fc
  .array(
    fc.record({
      parent: fc.nat(),
      isRoot: fc.integer({ min: 0, max: 9 }),
      takesOver: fc.boolean(),
    }),
    {
      minLength: 0,
      maxLength: 12,
    },
  )
  .map((choices) => {
    const nodes: Node[] = [{ name: sha256("node 0"), parent: undefined, takesOver: true }];
    for (const [index, choice] of choices.entries()) {
      const parent = choice.isRoot === 0 ? undefined : nodes[choice.parent % nodes.length];
      const takesOver = parent === undefined || choice.takesOver;
      nodes.push({ name: sha256(`node ${index + 1}`), parent, takesOver });
    }
    return nodes;
  });

/** From the node to its genesis. */
function lineOf(node: Node): readonly Node[] {
  return node.parent === undefined ? [node] : [node, ...lineOf(node.parent)];
}

function placeOf(node: Node): RecordPlace {
  const line = lineOf(node);
  const takeovers = line.filter((each) => each.takesOver);
  return {
    hash: node.name,
    epoch: takeovers.length as Epoch,
    generation: (1 + line.length - takeovers.length) as Generation,
    group: takeovers[0]!.name,
  };
}

const lineageOf = (node: Node): Sha256 => lineOf(node).at(-1)!.name;

function appliedFor(node: Node): AppliedRecord {
  const ancestors = new Set(
    lineOf(node)
      .slice(1)
      .map((each) => each.name),
  );
  return {
    ...placeOf(node),
    lineage: lineageOf(node),
    isAncestor: (hash) => ancestors.has(hash),
  };
}

function observe(applied: Node, head: Node, shown: Shown): ObservedHead {
  const lineage = lineageOf(head);
  if (shown === "badly-signed") return { kind: "badly-signed", lineage };
  if (shown === "unverifiable") return { kind: "unverified", lineage, hash: head.name };
  const descendsFromApplied = lineOf(head).slice(1).includes(applied);
  return { kind: "verified", lineage, place: placeOf(head), descendsFromApplied };
}

/** The table once more, told in terms of the tree alone. */
function oracle(ours: Node, head: Node, shown: Shown): HeadClass["kind"] {
  const sameTree = lineOf(ours).at(-1) === lineOf(head).at(-1);
  if (shown === "badly-signed") return sameTree ? "corruption" : "fork";
  if (!sameTree) return "fork";
  if (head === ours) return "same";
  if (lineOf(ours).includes(head)) return "rollback";
  if (shown === "unverifiable") return "fork";
  const newer = lineOf(head).slice(0, lineOf(head).indexOf(ours));
  if (lineOf(head).includes(ours)) {
    return newer.some((node) => node.takesOver) ? "taken-over" : "follow";
  }
  const openerOf = (node: Node): Node => lineOf(node).find((each) => each.takesOver)!;
  return openerOf(ours) === openerOf(head) ? "branch" : "fork";
}

describe("classifyHead on random trees of records", () => {
  it("says what an oracle says that sees the whole tree", () => {
    const counts = new Map<string, number>();
    const shownAs = fc.constantFrom<Shown>("well", "well", "well", "unverifiable", "badly-signed");
    fc.assert(
      fc.property(trees, fc.nat(), fc.nat(), shownAs, (nodes, ours, theirs, shown) => {
        const mine = nodes[ours % nodes.length]!;
        const head = nodes[theirs % nodes.length]!;
        const { kind } = classifyHead(appliedFor(mine), observe(mine, head, shown));
        expect(kind).toBe(oracle(mine, head, shown));
        counts.set(kind, (counts.get(kind) ?? 0) + 1);
      }),
      { numRuns: 10_000 },
    );
    for (const kind of [
      "same",
      "rollback",
      "corruption",
      "follow",
      "taken-over",
      "branch",
      "fork",
    ]) {
      expect(counts.get(kind) ?? 0, kind).toBeGreaterThan(50);
    }
  });
});

const manifest: Manifest = parsed(sampleManifest());
const KINDS = { update, recovery, heal } as const;
type Kind = keyof typeof KINDS;
const kinds = fc.array(fc.constantFrom<Kind>("update", "recovery", "heal"), { maxLength: 12 });

function chainOf(steps: readonly Kind[]): readonly RecordDocument[] {
  const chain = [genesis()];
  for (const [index, kind] of steps.entries()) chain.push(KINDS[kind](chain[index]!, `${index}`));
  return chain;
}

/** The number of records that verify, from the first on. */
function verifiedCount(chain: readonly RecordDocument[]): number {
  let progress: Parameters<typeof verifyNext>[0];
  for (const [index, document] of chain.entries()) {
    const { record } = document;
    const approvals = manifest.owners.keys.map(({ keyId }) => ({ keyId, valid: true }));
    const result = verifyNext(progress, {
      document,
      signatureValid: true,
      manifest: { kind: "found", hash: record.manifest, value: manifest },
      approvals: { kind: "found", hash: record.approvals ?? sha256("none"), value: approvals },
    });
    if (!result.ok) return index;
    progress = result.value;
  }
  return chain.length;
}

describe("verifyNext on random histories", () => {
  it("accepts every history that the constructors make, and counts as they do", () => {
    fc.assert(
      fc.property(kinds, (steps) => {
        const chain = chainOf(steps);
        expect(verifiedCount(chain)).toBe(chain.length);
        const { record } = chain.at(-1)!;
        const count = (kind: Kind): number => steps.filter((step) => step === kind).length;
        expect(record.generation).toBe(1 + count("update"));
        expect(record.epoch).toBe(1 + count("recovery") + count("heal"));
        expect(record.recoveryCount).toBe(count("recovery"));
      }),
      { numRuns: 200 },
    );
  });

  it("stops at the first record that is left out, repeated, exchanged or altered", () => {
    const fields = ["generation", "epoch", "recoveryCount"] as const;
    const damage = fc.constantFrom("drop", "repeat", "swap", "foreign", ...fields);
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(kinds, fc.nat(), damage, (steps, where, how) => {
        const chain = [...chainOf(steps)];
        fc.pre(chain.length > 2);
        const at = 1 + (where % (chain.length - 2));
        const document = chain[at]!;
        switch (how) {
          case "drop":
            chain.splice(at, 1);
            break;
          case "repeat":
            chain.splice(at, 0, document);
            break;
          case "swap":
            chain.splice(at, 2, chain[at + 1]!, document);
            break;
          case "foreign":
            chain[at] = update(genesis("x", "other key"), "x");
            break;
          case "generation":
          case "epoch":
          case "recoveryCount":
            chain[at] = seal({ ...document.record, [how]: document.record[how] + 1 });
        }
        // A repeated record is right the first time.
        expect(verifiedCount(chain)).toBe(how === "repeat" ? at + 1 : at);
        seen.set(how, (seen.get(how) ?? 0) + 1);
      }),
      { numRuns: 500 },
    );
    expect(seen.size).toBe(7);
  });
});

describe("parsers of stored documents", () => {
  const document = update(genesis(), "second");

  it("parse a record back from its bytes alone, and nothing from any other bytes", () => {
    fc.assert(
      fc.property(fc.nat(document.bytes.length - 1), fc.nat(255), (at, byte) => {
        const changed = document.bytes.slice();
        const same = changed[at] === byte;
        changed[at] = byte;
        const result = parseRecord(changed, sha256);
        // Another digit is another valid record, under another name: the signature tells.
        if (result.ok) expect(result.value.hash === document.hash).toBe(same);
        else expect(result.error.code).toBe("store-corrupt");
      }),
      { numRuns: 2_000 },
    );
  });

  it("never throw on arbitrary bytes or JSON", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.jsonValue().map((value) => utf8(JSON.stringify(value))),
    );
    fc.assert(
      fc.property(bytes, (source) => {
        expect(parseRecord(source, sha256).ok).toBe(false);
        expect(parseApprovals(source).ok).toBe(false);
        expect(parseShares(source).ok).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });
});

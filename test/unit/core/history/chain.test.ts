import { describe, expect, it } from "vitest";
import type { Sha256 } from "../../../../src/core/brand.ts";
import {
  approvalDuty,
  chainLength,
  type ChainProgress,
  type Finding,
  type HistoryRecord,
  type LinkFacts,
  type RecordDocument,
  verifyNext,
} from "../../../../src/core/history/index.ts";
import {
  genesisApprovalBytes,
  type Manifest,
  updateApprovalBytes,
} from "../../../../src/core/manifest/index.ts";
import { parsed, sampleManifest } from "../manifest/sample-manifest.ts";
import { genesis, heal, made, recovery, seal, sha256, update } from "./sample-records.ts";

/** A manifest owned by two people who must both approve. */
function manifestOf(...owners: string[]): Manifest {
  const sample = sampleManifest();
  const keys = owners.map((name) => ({ name, publicKey: `ed25519:${name}` }));
  return parsed({ ...sample, owners: { threshold: owners.length, keys } });
}

const keyOf = (owner: string): Sha256 => sha256(`ed25519:${owner}`);

/** Facts as a careful shell finds them, with approvals by `owners`. */
function facts(
  document: RecordDocument,
  manifest: Manifest,
  owners: readonly string[],
  change: Partial<LinkFacts> = {},
): LinkFacts {
  const { record } = document;
  return {
    document,
    signatureValid: true,
    manifest: { kind: "found", hash: record.manifest, value: manifest },
    approvals: {
      kind: "found",
      hash: record.approvals ?? sha256("none"),
      value: owners.map((owner) => ({ keyId: keyOf(owner), valid: true })),
    },
    ...change,
  };
}

function verified(progress: ChainProgress | undefined, link: LinkFacts): ChainProgress {
  const result = verifyNext(progress, link);
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

function codeOf(progress: ChainProgress | undefined, link: LinkFacts): string {
  const result = verifyNext(progress, link);
  return result.ok ? "accepted" : result.error.code;
}

function altered(document: RecordDocument, change: Partial<HistoryRecord>): RecordDocument {
  return seal({ ...document.record, ...change });
}

const old = manifestOf("alice", "bob");
const young = manifestOf("carol", "dave");
const first = genesis();
const afterFirst = verified(undefined, facts(first, old, ["alice", "bob"]));
const second = update(first, "second");
const afterSecond = verified(afterFirst, facts(second, young, ["alice", "bob"]));
const healed = heal(second, "healed");
const afterHeal = verified(afterSecond, facts(healed, young, []));
const recovered = recovery(healed, "recovered");
const afterRecovery = verified(afterHeal, facts(recovered, young, []));
const last = update(recovered, "last");

describe("verifyNext", () => {
  it("follows a history of all kinds and knows group, manifest and last approved record", () => {
    expect(afterFirst).toEqual({
      head: first,
      manifest: old,
      lastApproved: first.hash,
      group: first.hash,
    });
    expect(afterSecond).toMatchObject({ manifest: young, lastApproved: second.hash });
    expect(afterSecond.group).toBe(first.hash);
    expect(afterHeal).toMatchObject({ lastApproved: second.hash, group: healed.hash });
    expect(afterRecovery).toMatchObject({ lastApproved: second.hash, group: recovered.hash });
    const end = verified(afterRecovery, facts(last, old, ["carol", "dave"]));
    expect(end).toMatchObject({ manifest: old, lastApproved: last.hash, group: recovered.hash });
    expect(end.head.record).toMatchObject({ generation: 3, epoch: 3, recoveryCount: 1 });
    expect(chainLength(end.head.record)).toBe(5);
  });

  it("needs no documents for a takeover, which has no manifest of its own", () => {
    const missing = { kind: "missing" } as const;
    const link = facts(healed, young, [], { manifest: missing, approvals: missing });
    expect(codeOf(afterSecond, link)).toBe("accepted");
  });

  it("does not look at times", () => {
    const earlier = altered(second, { createdAt: "1999-01-01T00:00:00.000Z" });
    expect(codeOf(afterFirst, facts(earlier, young, ["alice", "bob"]))).toBe("accepted");
  });

  it("lets the predecessor's owners approve an update, and not the new manifest's", () => {
    expect(codeOf(afterFirst, facts(second, young, ["carol", "dave"]))).toBe(
      "approvals-insufficient",
    );
    expect(codeOf(afterFirst, facts(second, young, ["alice"]))).toBe("approvals-insufficient");
  });

  it.each<[string, Partial<HistoryRecord>, string]>([
    ["another predecessor", { previous: sha256("x") }, "previous-mismatch"],
    ["another lineage", { lineage: sha256("x") }, "lineage-mismatch"],
    ["a skipped generation", { generation: 3 } as Partial<HistoryRecord>, "generation-mismatch"],
    ["the same generation", { generation: 1 } as Partial<HistoryRecord>, "generation-mismatch"],
    ["a raised epoch", { epoch: 2 } as Partial<HistoryRecord>, "epoch-mismatch"],
    ["a counted recovery", { recoveryCount: 1 }, "recovery-count-mismatch"],
    ["another root CA key", { rootCaKey: sha256("x") }, "root-key-mismatch"],
    ["its predecessor's mesh CA key", { meshCaKey: first.record.meshCaKey }, "mesh-key-repeated"],
    ["no shares although its manifest has share owners", { shares: null }, "shares-mismatch"],
    ["a manifest that is not the one found", { manifest: sha256("x") }, "manifest-mismatch"],
    ["approvals that are not those found", { approvals: sha256("x") }, "approvals-mismatch"],
  ])("refuses an update with %s", (_, change, code) => {
    const changed = altered(second, change);
    const link = facts(second, young, ["alice", "bob"]);
    expect(codeOf(afterFirst, { ...link, document: changed })).toBe(code);
  });

  it.each<[string, Partial<HistoryRecord>, string]>([
    ["another manifest", { manifest: sha256("x") }, "manifest-not-repeated"],
    ["other shares", { shares: sha256("x") }, "shares-not-repeated"],
    ["the old epoch", { epoch: 1 } as Partial<HistoryRecord>, "epoch-mismatch"],
    ["a skipped epoch", { epoch: 3 } as Partial<HistoryRecord>, "epoch-mismatch"],
    ["a raised generation", { generation: 3 } as Partial<HistoryRecord>, "generation-mismatch"],
    ["a counted recovery", { recoveryCount: 1 }, "recovery-count-mismatch"],
  ])("refuses a heal with %s", (_, change, code) => {
    expect(codeOf(afterSecond, facts(altered(healed, change), young, []))).toBe(code);
  });

  it("refuses a recovery that does not count itself", () => {
    const changed = altered(recovered, { recoveryCount: 0 });
    expect(codeOf(afterHeal, facts(changed, young, []))).toBe("recovery-count-mismatch");
  });

  it("refuses a second genesis, and a first record that is none", () => {
    expect(codeOf(afterFirst, facts(first, old, ["alice", "bob"]))).toBe("genesis-repeated");
    expect(codeOf(undefined, facts(second, young, ["alice", "bob"]))).toBe("not-genesis");
    expect(codeOf(undefined, facts(healed, young, []))).toBe("not-genesis");
  });

  it.each<[string, Partial<LinkFacts>, string]>([
    ["whose signature is wrong", { signatureValid: false }, "signature-invalid"],
    ["whose manifest is lost", { manifest: { kind: "missing" } }, "manifest-missing"],
    [
      "whose manifest is unreadable",
      { manifest: { kind: "invalid", message: "x" } },
      "manifest-invalid",
    ],
    ["whose approvals are lost", { approvals: { kind: "missing" } }, "approvals-missing"],
    [
      "whose approvals are unreadable",
      { approvals: { kind: "invalid", message: "x" } },
      "approvals-invalid",
    ],
  ])("refuses a genesis or update %s", (_, change, code) => {
    expect(codeOf(undefined, facts(first, old, ["alice", "bob"], change))).toBe(code);
    expect(codeOf(afterFirst, facts(second, young, ["alice", "bob"], change))).toBe(code);
  });

  it("refuses a genesis without enough approvals of its own owners", () => {
    expect(codeOf(undefined, facts(first, old, ["bob"]))).toBe("approvals-insufficient");
  });

  it("says where the history breaks", () => {
    const result = verifyNext(afterSecond, facts(healed, young, [], { signatureValid: false }));
    expect(result).toMatchObject({
      ok: false,
      error: { code: "signature-invalid", record: healed.hash, generation: 2, epoch: 2 },
    });
  });

  it("leaves the progress that it was given as it was", () => {
    const before = { ...afterFirst };
    verifyNext(afterFirst, facts(second, young, ["alice", "bob"]));
    expect(afterFirst).toEqual(before);
  });
});

describe("approvalDuty", () => {
  const found = (value: Manifest): Finding<Manifest> => ({
    kind: "found",
    hash: sha256("any"),
    value,
  });

  it("asks a genesis's own owners for its manifest", () => {
    expect(approvalDuty(undefined, first, found(old))).toEqual({
      owners: old.owners,
      signed: genesisApprovalBytes(first.record.manifest),
    });
    expect(approvalDuty(undefined, first, { kind: "missing" })).toBeUndefined();
  });

  it("asks the owners in charge for lineage, last approved record and manifest, across takeovers", () => {
    expect(approvalDuty(afterRecovery, last, found(old))).toEqual({
      owners: young.owners,
      signed: updateApprovalBytes({
        lineage: first.record.lineage,
        predecessor: second.hash,
        manifest: made("last").manifest,
      }),
    });
  });

  it("asks nobody for a takeover, or without a predecessor", () => {
    expect(approvalDuty(afterSecond, healed, { kind: "missing" })).toBeUndefined();
    expect(approvalDuty(undefined, second, found(young))).toBeUndefined();
  });
});

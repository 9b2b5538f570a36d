import { describe, expect, it } from "vitest";
import type { Sha256 } from "../../../../src/core/brand.ts";
import { utf8 } from "../../../../src/core/bytes.ts";
import { ok } from "../../../../src/core/result.ts";
import type { KeyParser } from "../../../../src/core/manifest/key-set.ts";
import type { OwnerAlgorithm } from "../../../../src/core/manifest/manifest.ts";
import { parsePolicyDocument } from "../../../../src/core/policy-document/policy-document.ts";

const parseKey: KeyParser<OwnerAlgorithm> = (text) =>
  ok({ algorithm: "ed25519", keyId: text.padStart(64, "0") as Sha256, spki: utf8(text) });

const valid = {
  format: "quorate/policy/v1",
  description: "web server",
  coordinator: {
    policies: ["a".repeat(64)],
    referenceValues: {
      milan: {
        platform: "snp",
        measurement: "00".repeat(48),
        minimumTcb: { Milan: { bootloader: 1, tee: 0, snp: 2, microcode: 3 } },
      },
    },
    owners: { threshold: 1, keys: [{ name: "alice", publicKey: "1" }] },
  },
};

const parse = (value: unknown) => parsePolicyDocument(utf8(JSON.stringify(value)), parseKey);

describe("parsePolicyDocument", () => {
  it("reads what a workload accepts as coordinator", () => {
    const parsed = parse(valid);
    expect(parsed).toMatchObject({
      ok: true,
      value: {
        description: "web server",
        coordinator: { policies: ["a".repeat(64)], lineage: undefined },
      },
    });
  });

  it("accepts a document without pins: the coordinator's own", () => {
    expect(parse({ format: "quorate/policy/v1" })).toMatchObject({
      ok: true,
      value: { coordinator: undefined },
    });
  });

  it("refuses pins that would accept anybody's lineage", () => {
    const { policies, referenceValues } = valid.coordinator;
    expect(parse({ ...valid, coordinator: { policies, referenceValues } })).toEqual({
      ok: false,
      error: [
        { path: "$.coordinator", message: "must name the owners or the lineage that it trusts" },
      ],
    });
  });

  it("reports every fault at once", () => {
    const result = parse({
      format: "x",
      extra: 1,
      coordinator: { policies: ["z"], referenceValues: {}, lineage: 3 },
    });
    expect(result.ok ? [] : result.error.map((fault) => fault.path)).toEqual([
      "$.format",
      "$.coordinator.policies[0]",
      "$.coordinator.referenceValues",
      "$.coordinator.lineage",
      "$.extra",
    ]);
  });

  it("refuses what is no JSON object, in bounded size", () => {
    expect(parsePolicyDocument(utf8("nonsense"), parseKey).ok).toBe(false);
    expect(parsePolicyDocument(new Uint8Array(70_000), parseKey).ok).toBe(false);
  });
});

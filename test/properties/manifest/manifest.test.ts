import { isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Sha256 } from "../../../src/core/brand.ts";
import { utf8 } from "../../../src/core/bytes.ts";
import {
  authorize,
  diffManifests,
  type OwnerSet,
  parseIpAddress,
  parseManifest,
} from "../../../src/core/manifest/index.ts";
import {
  fakeKeys,
  parsed,
  sampleManifest,
  sha256,
} from "../../unit/core/manifest/sample-manifest.ts";

describe("parseIpAddress against node:net", () => {
  it("accepts exactly what isIP accepts, zones apart", () => {
    const part = fc.constantFrom(
      ...["0", "1", "9", "255", "256", "01", "a", "ffff", "fffff", "g", "1.2.3.4", "", "::", "%1"],
    );
    const separator = fc.constantFrom(":", ".", "::");
    const counts = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 9 }),
        fc.array(separator, { minLength: 9, maxLength: 9 }),
        fc.constantFrom(":", ".", undefined),
        (parts, separators, only) => {
          const source = parts
            .map((each, i) => (i ? (only ?? separators[i])! : "") + each)
            .join("");
          const expected = isIP(source) !== 0 && !source.includes("%");
          expect(parseIpAddress(source) !== undefined, source).toBe(expected);
          counts[expected ? "accepted" : "refused"] += 1;
        },
      ),
      { numRuns: 20_000 },
    );
    expect(counts.accepted).toBeGreaterThan(100);
    expect(counts.refused).toBeGreaterThan(1_000);
  });

  it("gives the bytes that generated addresses stand for", () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        // The URL parser is a second implementation: it writes the canonical form.
        const canonical = (source: string): string => new URL(`http://[${source}]/`).hostname;
        const bytes = parseIpAddress(address)!;
        const groups = Array.from({ length: 8 }, (_, i) =>
          ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16),
        );
        expect(canonical(groups.join(":"))).toBe(canonical(address));
      }),
    );
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        expect(parseIpAddress(address)!.join(".")).toBe(address);
      }),
    );
  });
});

describe("authorize against counting by hand", () => {
  it("agrees for every set of owners and approvals", () => {
    const ids = Array.from({ length: 6 }, (_, i) => sha256(`${i}`));
    const approval = fc.record({ keyId: fc.constantFrom(...ids), valid: fc.boolean() });
    const decisions = { yes: 0, no: 0 };
    fc.assert(
      fc.property(
        fc.subarray(ids, { minLength: 1 }),
        fc.nat(),
        fc.array(approval, { maxLength: 10 }),
        (members: Sha256[], seed, approvals) => {
          const keys = members.map((keyId) => ({
            name: `owner-${keyId.slice(0, 4)}`,
            algorithm: "ed25519" as const,
            keyId,
            spki: new Uint8Array(),
          }));
          const owners: OwnerSet = { threshold: 1 + (seed % keys.length), keys };
          let count = 0;
          for (const id of members) if (approvals.some((a) => a.keyId === id && a.valid)) count++;
          const decision = authorize(owners, approvals);
          expect(decision.authorised).toBe(count >= owners.threshold);
          expect(decision.approvedBy.length + decision.missing.length).toBe(keys.length);
          decisions[decision.authorised ? "yes" : "no"] += 1;
        },
      ),
      { numRuns: 2_000 },
    );
    expect(decisions.yes).toBeGreaterThan(100);
    expect(decisions.no).toBeGreaterThan(100);
  });
});

describe("parseManifest", () => {
  const source = JSON.stringify(sampleManifest());

  it("never throws and never accepts a manifest with a duplicated or foreign member", () => {
    const places = [...source.matchAll(/\{/g)].map((match) => match.index + 1);
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.string(), fc.jsonValue(), (at, key, value) => {
        const member = `${JSON.stringify(key)}:${JSON.stringify(value)},`;
        const text = source.slice(0, at) + member + source.slice(at);
        expect(parseManifest(utf8(text), fakeKeys).ok).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it("answers any change of one byte with a manifest or with faults", () => {
    const bytes = utf8(source);
    const seen = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
        const changed = bytes.slice();
        changed[at] = byte;
        const result = parseManifest(changed, fakeKeys);
        if (!result.ok) expect(result.error.faults.length).toBeGreaterThan(0);
        seen[result.ok ? "accepted" : "refused"] += 1;
      }),
      { numRuns: 2_000 },
    );
    expect(seen.accepted).toBeGreaterThan(5);
    expect(seen.refused).toBeGreaterThan(500);
  });
});

describe("diffManifests", () => {
  it("is silent exactly if nothing that a manifest says has changed", () => {
    const heal = fc.constantFrom("off", "survivors");
    const variant = fc.record({
      coordinators: fc.subarray(["a", "b", "c"], { minLength: 1 }),
      threshold: fc.integer({ min: 1, max: 3 }),
      heal,
      lifetime: fc.constantFrom(300, 3600),
      dnsNames: fc.subarray(["x", "y", "z"]),
      secretId: fc.constantFrom("s", undefined),
      vmpl: fc.integer({ min: 0, max: 1 }),
    });
    const build = (v: typeof variant extends fc.Arbitrary<infer T> ? T : never) => {
      const sample = sampleManifest();
      sample.coordinators = v.coordinators;
      sample.owners.threshold = v.threshold;
      sample.recovery.heal = v.heal;
      sample.certificates.leafLifetimeSeconds = v.lifetime;
      Object.assign(sample.policies["aa".repeat(32)]!, {
        dnsNames: v.dnsNames,
        secretId: v.secretId,
      });
      Object.assign(sample.referenceValues["milan"]!, { vmpl: v.vmpl });
      return parsed(sample);
    };
    let silent = 0;
    fc.assert(
      fc.property(variant, fc.option(variant), (before, other) => {
        const after = other ?? before;
        const sentences = diffManifests(build(before), build(after));
        expect(sentences.length === 0).toBe(JSON.stringify(before) === JSON.stringify(after));
        expect(new Set(sentences).size).toBe(sentences.length);
        if (sentences.length === 0) silent += 1;
      }),
      { numRuns: 300 },
    );
    expect(silent).toBeGreaterThan(10);
  });
});

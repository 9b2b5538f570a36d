import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../../src/core/bytes.ts";
import {
  diffManifests,
  HEAL_POLICIES,
  manifestWarnings,
  parseManifest,
  SEAL_PROVIDERS,
} from "../../../../src/core/manifest/index.ts";
import { unwrap } from "../../../../src/core/result.ts";
import { parseOwnerKey } from "../../../../src/crypto/owner-key.ts";
import { parseShareOwnerKey } from "../../../../src/crypto/share-owner-key.ts";

const document = readFileSync(new URL("../../../../docs/manifest.md", import.meta.url), "utf8");
const example = /```json\n([\s\S]*?)```/.exec(document)?.[1] ?? "";

describe("docs/manifest.md", () => {
  const manifest = unwrap(parseManifest(utf8(example), { parseOwnerKey, parseShareOwnerKey }));

  it("has an example that is valid with real keys, and careful", () => {
    expect(manifestWarnings(manifest)).toEqual([]);
    expect(manifest.owners.keys.map((key) => key.algorithm)).toEqual([
      "ed25519",
      "ecdsa-sha256",
      "ecdsa-sha256",
    ]);
    expect(manifest.shareOwners?.keys).toHaveLength(3);
    expect(diffManifests(manifest, manifest)).toEqual([]);
  });

  it("mentions every field of a manifest, and every word that a field can have", () => {
    const policy = [...manifest.policies.values()][0]!;
    const sets = [...manifest.referenceValues.values()];
    const guestPolicies = sets.flatMap((set) => (set.platform === "snp" ? [set.guestPolicy] : []));
    const { recovery, certificates, owners } = manifest;
    const parts = [manifest, policy, recovery, certificates, owners, ...sets, ...guestPolicies];
    const fields = new Set(parts.flatMap((part) => Object.keys(part)));
    expect(fields.size).toBeGreaterThan(50);
    const words = [...fields, ...HEAL_POLICIES, ...SEAL_PROVIDERS, "name", "publicKey", "format"];
    expect(words.filter((word) => !document.includes(`\`${word}\``))).toEqual([]);
  });
});

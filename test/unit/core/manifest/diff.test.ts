import { describe, expect, it } from "vitest";
import type { Sha256 } from "../../../../src/core/brand.ts";
import { diffManifests } from "../../../../src/core/manifest/index.ts";
import {
  COORDINATOR_POLICY,
  parsed,
  sampleManifest,
  sha256,
  snpSet,
  WEB_POLICY,
} from "./sample-manifest.ts";

type Sample = ReturnType<typeof sampleManifest>;
const NEW_POLICY = "bb".repeat(32) as Sha256;

function diff(change: (manifest: Sample) => void): readonly string[] {
  const after = sampleManifest();
  change(after);
  return diffManifests(parsed(sampleManifest()), parsed(after));
}

describe("diffManifests", () => {
  it("finds nothing between equal manifests, whatever their order and defaults", () => {
    const source = sampleManifest();
    const { policies } = source;
    const reordered = {
      ...source,
      policies: Object.fromEntries(Object.entries(policies).reverse()),
      recovery: undefined,
      owners: { ...source.owners, keys: source.owners.keys.toReversed() },
    };
    expect(diffManifests(parsed(source), parsed(reordered))).toEqual([]);
  });

  it("tells the scalar fields with both values", () => {
    expect(
      diff((m) => {
        m.trustDomain = "other.example";
        m.recovery.heal = "off";
        m.certificates.leafLifetimeSeconds = 600;
      }),
    ).toEqual([
      "The trust domain changes from mesh.example to other.example.",
      "Healing changes from survivors to off.",
      "The lifetime of leaf certificates changes from 3600 s to 600 s.",
    ]);
  });

  it("tells coordinators that come and go", () => {
    expect(diff((m) => (m.coordinators = ["coordinator-1"]))).toEqual([
      "Coordinator coordinator-0 is removed.",
      "Coordinator coordinator-1 is added.",
    ]);
  });

  it("tells policies that come, go and change, and who gains the seed", () => {
    expect(
      diff((m) => {
        const { [COORDINATOR_POLICY]: kept } = m.policies;
        const added = { role: "coordinator", spiffePath: "/c" };
        m.policies = { [COORDINATOR_POLICY]: kept!, [NEW_POLICY]: added };
      }),
    ).toEqual([
      `Policy ${WEB_POLICY} (workload /ns/default/web) is removed.`,
      `Policy ${NEW_POLICY} is added: coordinator /c; any reference values; it can get the seed.`,
    ]);
    expect(
      diff((m) => {
        m.policies[WEB_POLICY] = { role: "coordinator", spiffePath: "/web" };
        m.policies[COORDINATOR_POLICY]!["referenceValues"] = undefined;
      }),
    ).toEqual([
      `Policy ${COORDINATOR_POLICY} (/quorate/coordinator): the acceptance changes from reference values milan to any reference values.`,
      `Policy ${WEB_POLICY} (/web): the role changes from workload to coordinator.`,
      `Policy ${WEB_POLICY} (/web): it can get the seed.`,
      `Policy ${WEB_POLICY} (/web): the SPIFFE path changes from /ns/default/web to /web.`,
      `Policy ${WEB_POLICY} (/web): the DNS names change from web, *.web.default.svc to none.`,
      `Policy ${WEB_POLICY} (/web): the IP addresses change from 10.0.0.1, 2001:db8::1 to none.`,
      `Policy ${WEB_POLICY} (/web): the secret changes from web to none.`,
      `Policy ${WEB_POLICY} (/web): the acceptance changes from reference values milan to any reference values.`,
    ]);
  });

  it("tells every changed field of a reference-value set with its whole value", () => {
    const before = "ab".repeat(48);
    const after = "cd".repeat(48);
    expect(
      diff((m) => {
        m.referenceValues["milan"] = snpSet({
          measurement: after,
          minimumTcb: { Milan: { bootloader: 4, tee: 0, snp: 8, microcode: 115 } },
          vmpl: 2,
          guestPolicy: { allowDebug: true },
          cspIds: ["a, b", "none"],
        });
      }),
    ).toEqual([
      `Reference values milan: measurement changes from ${before} to ${after}.`,
      "Reference values milan: minimumTcb changes from {Milan {fmc 0, bootloader 3, tee 0, snp 8, microcode 115}} to {Milan {fmc 0, bootloader 4, tee 0, snp 8, microcode 115}}.",
      "Reference values milan: vmpl changes from 0 to 2.",
      expect.stringMatching(
        /^Reference values milan: guestPolicy changes from \{allowDebug false, .*\} to \{allowDebug true, .*\}\.$/,
      ),
      'Reference values milan: cspIds changes from unset to "a, b", none.',
    ]);
  });

  it("tells sets that come, go, and change their platform", () => {
    const tdx = { platform: "tdx", mrtd: "ef".repeat(48) };
    const added = diff((m) => (m.referenceValues["tdx"] = tdx));
    expect(added).toHaveLength(1);
    expect(added[0]).toMatch(/^Reference values tdx are added: platform tdx; mrtd (ef){48}; /);
    const source = sampleManifest();
    source.referenceValues["tdx"] = tdx;
    expect(diffManifests(parsed(source), parsed(sampleManifest()))).toEqual([
      "Reference values tdx (tdx) are removed.",
    ]);
    const replaced = diff((m) => (m.referenceValues["milan"] = tdx));
    expect(replaced).toContain("Reference values milan: platform changes from snp to tdx.");
    expect(replaced).toContain(
      `Reference values milan: measurement changes from ${"ab".repeat(48)} to unset.`,
    );
  });

  it("tells owners that come, go and get another name, by key, and the threshold", () => {
    expect(
      diff((m) => {
        m.owners.threshold = 1;
        m.owners.keys[0]!.name = "alicia";
        m.owners.keys[2]!.publicKey = "ed25519:new";
        m.shareOwners!.keys.pop();
      }),
    ).toEqual([
      `Owner carol (key ${sha256("ed25519:carol")}) is removed.`,
      `Owner carol (key ${sha256("ed25519:new")}) is added.`,
      `Owner alice is now called alicia (key ${sha256("ed25519:alice")}).`,
      "The number of owners who must approve a manifest changes from 2 of 3 to 1 of 3.",
      `Share owner frank (key ${sha256("x25519-hpke:frank")}) is removed.`,
      "The number of share owners who must rebuild the seed changes from 2 of 3 to 2 of 2.",
    ]);
  });

  it("tells that disaster recovery ends or begins", () => {
    expect(diff((m) => (m.shareOwners = undefined))).toEqual([
      "Disaster recovery by share owners ends.",
    ]);
    const without = { ...sampleManifest(), shareOwners: undefined };
    const [sentence] = diffManifests(parsed(without), parsed(sampleManifest()));
    expect(sentence).toBe(
      `Disaster recovery begins: 2 of 3 share owners rebuild the seed: ${["dora", "eve", "frank"]
        .map((name) => `${name} (key ${sha256(`x25519-hpke:${name}`)})`)
        .join(", ")}.`,
    );
  });
});

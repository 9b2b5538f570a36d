import { describe, expect, it } from "vitest";
import { manifestWarnings } from "../../../../src/core/manifest/index.ts";
import {
  COORDINATOR_POLICY,
  parsed,
  sampleManifest,
  snpSet,
  WEB_POLICY,
} from "./sample-manifest.ts";

type Sample = ReturnType<typeof sampleManifest>;

function warnings(change: (manifest: Sample) => void): readonly string[] {
  const manifest = sampleManifest();
  change(manifest);
  return manifestWarnings(parsed(manifest)).map(({ path, message }) => `${path} ${message}`);
}

describe("manifestWarnings", () => {
  it("has nothing to say about a careful manifest", () => {
    expect(warnings(() => undefined)).toEqual([]);
  });

  it.each<[string, (manifest: Sample) => void, string]>([
    [
      "development sets",
      (m) => (m.referenceValues["milan"] = snpSet({ developmentRoot: "00".repeat(32) })),
      "$.referenceValues INSECURE",
    ],
    [
      "debug guests",
      (m) => (m.referenceValues["milan"] = snpSet({ guestPolicy: { allowDebug: true } })),
      "$.referenceValues.milan.guestPolicy.allowDebug a guest in debug mode",
    ],
    [
      "a set that no policy accepts",
      (m) => (m.referenceValues["spare"] = snpSet()),
      "$.referenceValues.spare no policy accepts",
    ],
    [
      "one owner",
      (m) => (m.owners = { threshold: 1, keys: [m.owners.keys[0]!] }),
      "$.owners.keys one owner",
    ],
    [
      "a threshold of one",
      (m) => (m.owners.threshold = 1),
      "$.owners.threshold each of the 3 owners",
    ],
    ["a threshold of all", (m) => (m.owners.threshold = 3), "$.owners.threshold all 3 owners must"],
    ["no share owners", (m) => (m.shareOwners = undefined), "$.shareOwners without share owners"],
    [
      "share owners who act alone",
      (m) => (m.shareOwners!.threshold = 1),
      "$.shareOwners.threshold each of the 3 share owners",
    ],
    [
      "share owners who are all needed",
      (m) => (m.shareOwners!.threshold = 3),
      "$.shareOwners.threshold all 3 share owners are needed",
    ],
    [
      "a workload with a coordinator's path",
      (m) => (m.policies[WEB_POLICY]!["spiffePath"] = "/quorate/coordinator"),
      `$.policies["${WEB_POLICY}"].spiffePath a workload`,
    ],
    [
      "a wildcard over a top-level domain",
      (m) => (m.policies[WEB_POLICY]!["dnsNames"] = ["a", "*.com"]),
      `$.policies["${WEB_POLICY}"].dnsNames[1] the wildcard *.com`,
    ],
    [
      "an even number of coordinators",
      (m) => m.coordinators.push("coordinator-1"),
      "$.coordinators 2 coordinators survive no more losses than 1 would",
    ],
    [
      "several coordinators that may not heal",
      (m) => {
        m.coordinators.push("coordinator-1", "coordinator-2");
        m.recovery.heal = "off";
      },
      "$.recovery.heal after the loss",
    ],
  ])("warns about %s, and about nothing else", (_, change, warning) => {
    const found = warnings(change);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(warning);
  });

  it("warns about a coordinator policy that accepts every one of several sets", () => {
    const path = `$.policies["${COORDINATOR_POLICY}"]`;
    const found = warnings((m) => {
      m.referenceValues["genoa"] = snpSet();
      m.policies[COORDINATOR_POLICY]!["referenceValues"] = undefined;
    });
    expect(found).toEqual([
      `${path} a coordinator policy that restricts nothing: every set can get the seed`,
    ]);
  });
});

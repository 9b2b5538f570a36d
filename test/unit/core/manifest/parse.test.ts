import { describe, expect, it } from "vitest";
import { utf8 } from "../../../../src/core/bytes.ts";
import { FAULTS_MAX, MANIFEST_BYTES_MAX, OWNERS_MAX } from "../../../../src/core/limits.ts";
import { isDevelopmentManifest, parseManifest } from "../../../../src/core/manifest/index.ts";
import {
  COORDINATOR_POLICY,
  fakeKeys,
  faultsOf,
  parse,
  parsed,
  sampleManifest,
  sha256,
  snpSet,
  WEB_POLICY,
} from "./sample-manifest.ts";

type Sample = ReturnType<typeof sampleManifest>;

/** `JSON.stringify` leaves these out. */
const ABSENT = { shareOwners: undefined, recovery: undefined, certificates: undefined };

/** The sample with one change. */
function changed(change: (manifest: Sample) => void): Sample {
  const manifest = sampleManifest();
  change(manifest);
  return manifest;
}

function web(manifest: Sample): Record<string, unknown> {
  return manifest.policies[WEB_POLICY]!;
}

describe("parseManifest", () => {
  it("reads every field of a valid manifest", () => {
    const manifest = parsed(sampleManifest());
    expect(manifest.trustDomain).toBe("mesh.example");
    expect(manifest.coordinators).toEqual(["coordinator-0"]);
    expect(manifest.policies.get(WEB_POLICY)).toEqual({
      role: "workload",
      spiffePath: "/ns/default/web",
      dnsNames: ["web", "*.web.default.svc"],
      ipAddresses: ["10.0.0.1", "2001:db8::1"],
      secretId: "web",
      referenceValues: ["milan"],
    });
    expect(manifest.policies.get(COORDINATOR_POLICY)).toEqual({
      role: "coordinator",
      spiffePath: "/quorate/coordinator",
      dnsNames: [],
      ipAddresses: [],
      secretId: undefined,
      referenceValues: ["milan"],
    });
    expect([...manifest.referenceValues.keys()]).toEqual(["milan"]);
    expect(manifest.owners.threshold).toBe(2);
    expect(manifest.owners.keys[0]).toEqual({
      name: "alice",
      algorithm: "ed25519",
      keyId: sha256("ed25519:alice"),
      spki: utf8("ed25519:alice"),
    });
    expect(manifest.shareOwners?.keys.map((key) => key.name)).toEqual(["dora", "eve", "frank"]);
    expect(manifest.recovery).toEqual({ heal: "survivors", sealProviders: [] });
    expect(manifest.certificates).toEqual({ leafLifetimeSeconds: 3600 });
    expect(isDevelopmentManifest(manifest)).toBe(false);
  });

  it("fills in the defaults of what may be left out", () => {
    const source = { ...sampleManifest(), ...ABSENT };
    const manifest = parsed(source);
    expect(manifest.shareOwners).toBeUndefined();
    expect(manifest.recovery).toEqual({ heal: "survivors", sealProviders: [] });
    expect(manifest.certificates).toEqual({ leafLifetimeSeconds: 86_400 });
  });

  it.each<[string, (manifest: Sample) => void, string]>([
    [
      "another format",
      (m) => (m.format = "quorate/manifest/v2"),
      '$.format must be "quorate/manifest/v1", not "quorate/manifest/v2"',
    ],
    [
      "an upper-case trust domain",
      (m) => (m.trustDomain = "Mesh"),
      "$.trustDomain must be a SPIFFE trust domain",
    ],
    ["no coordinators", (m) => (m.coordinators = []), "$.coordinators must have 1 to 9 items"],
    [
      "ten coordinators",
      (m) => (m.coordinators = Array.from({ length: 10 }, (_, i) => `c${i}`)),
      "$.coordinators must have 1 to 9 items, and has 10",
    ],
    [
      "a repeated coordinator",
      (m) => (m.coordinators = ["a", "b", "a"]),
      "$.coordinators[2] repeats $.coordinators[0]",
    ],
    [
      "a coordinator's name that is no DNS label",
      (m) => (m.coordinators = ["a_b"]),
      '$.coordinators[0] must be a lower-case DNS label, not "a_b"',
    ],
    [
      "a policy key that is no digest",
      (m) => (m.policies["web"] = { spiffePath: "/x" }),
      "$.policies.web must be a SHA-256 digest",
    ],
    [
      "a policy key in upper case",
      (m) => (m.policies["AA".repeat(32)] = { spiffePath: "/x" }),
      `$.policies["${"AA".repeat(32)}"] must be a SHA-256 digest`,
    ],
    [
      "no coordinator policy",
      (m) => (m.policies = { [WEB_POLICY]: web(m) }),
      '$.policies must have a policy with "role": "coordinator"',
    ],
    [
      "an unknown role",
      (m) => (web(m)["role"] = "admin"),
      'role must be "workload" or "coordinator", not "admin"',
    ],
    [
      "a dot segment in a SPIFFE path",
      (m) => (web(m)["spiffePath"] = "/a/../b"),
      "spiffePath must be a SPIFFE path",
    ],
    [
      "a wildcard inside a DNS name",
      (m) => (web(m)["dnsNames"] = ["a.*.b"]),
      'dnsNames[0] must be a lower-case DNS name, not "a.*.b"',
    ],
    [
      "a repeated DNS name",
      (m) => (web(m)["dnsNames"] = ["a", "a"]),
      `dnsNames[1] repeats $.policies["${WEB_POLICY}"].dnsNames[0]`,
    ],
    [
      "one IP address in two spellings",
      (m) => (web(m)["ipAddresses"] = ["::1", "0:0::1"]),
      "ipAddresses[1] repeats",
    ],
    [
      "an IP address with a prefix length",
      (m) => (web(m)["ipAddresses"] = ["10.0.0.0/8"]),
      "ipAddresses[0] must be an IPv4 or IPv6 address",
    ],
    [
      "a secret for a coordinator",
      (m) => (m.policies[COORDINATOR_POLICY]!["secretId"] = "x"),
      "secretId is for workloads only",
    ],
    [
      "a set that does not exist",
      (m) => (web(m)["referenceValues"] = ["turin"]),
      'referenceValues[0] must be the name of a set under $.referenceValues, not "turin"',
    ],
    [
      "an empty list of accepted sets",
      (m) => (web(m)["referenceValues"] = []),
      "referenceValues must have 1 to 64 items",
    ],
    [
      "development sets beside real ones",
      (m) => (m.referenceValues["dev"] = snpSet({ developmentRoot: "00".repeat(32) })),
      "$.referenceValues must not mix development sets",
    ],
    [
      "a threshold of zero",
      (m) => (m.owners.threshold = 0),
      "$.owners.threshold must be an integer from 1 to 64, not 0",
    ],
    [
      "a threshold above the number of keys",
      (m) => (m.owners.threshold = 4),
      "$.owners.threshold must be at most the number of keys, 3, not 4",
    ],
    [
      "one key under two names",
      (m) => (m.owners.keys[2]!.publicKey = " ed25519:alice\n"),
      "$.owners.keys[2].publicKey repeats $.owners.keys[0].publicKey",
    ],
    [
      "one name for two keys",
      (m) => (m.owners.keys[1]!.name = "alice"),
      "$.owners.keys[1].name repeats $.owners.keys[0].name",
    ],
    [
      "a share owner's key that can only sign",
      (m) => (m.shareOwners!.keys[0]!.publicKey = "ed25519:dora"),
      "$.shareOwners.keys[0].publicKey is not usable: not a key of this kind",
    ],
    [
      "too many owners",
      (m) => {
        m.owners.keys = Array.from({ length: OWNERS_MAX + 1 }, (_, i) => ({
          name: `n${i}`,
          publicKey: `ed25519:${i}`,
        }));
      },
      "$.owners.keys must have 1 to 64 items, and has 65",
    ],
    [
      "sealed healing without a provider",
      (m) => (m.recovery.heal = "sealed"),
      "$.recovery.sealProviders must name a provider",
    ],
    [
      "providers without sealed healing",
      (m) => (m.recovery.sealProviders = ["tpm2"]),
      '$.recovery.sealProviders is only for "heal": "sealed"',
    ],
    [
      "a software seal beside real reference values",
      (m) => (m.recovery = { heal: "sealed", sealProviders: ["software"] }),
      '$.recovery.sealProviders must not have "software"',
    ],
    [
      "a lifetime below five minutes",
      (m) => (m.certificates.leafLifetimeSeconds = 299),
      "$.certificates.leafLifetimeSeconds must be an integer from 300 to 604800, not 299",
    ],
    [
      "an unknown field",
      (m) => ((m as unknown as Record<string, unknown>)["polices"] = {}),
      "$.polices is not a known field",
    ],
  ])("refuses %s, with that fault alone", (_, change, fault) => {
    const faults = faultsOf(changed(change));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(fault);
  });

  it("accepts a software seal in a development manifest", () => {
    const manifest = changed((m) => {
      m.referenceValues["milan"] = snpSet({ developmentRoot: "00".repeat(32) });
      m.recovery = { heal: "sealed", sealProviders: ["software"] };
    });
    expect(isDevelopmentManifest(parsed(manifest))).toBe(true);
  });

  it("answers with all faults of all parts at once", () => {
    const source = JSON.stringify(
      changed((m) => {
        m.trustDomain = "";
        m.owners.threshold = 9;
        m.owners.keys[1]!.publicKey = "rsa";
        web(m)["dnsNames"] = ["UPPER", "ok", "ok"];
        web(m)["referenceValues"] = ["missing"];
        m.certificates.leafLifetimeSeconds = 1;
      }),
    ).replace('"coordinators":', '"coordinators":["a"],"\\u0063oordinators":');
    const at = `$.policies["${WEB_POLICY}"]`;
    expect(faultsOf(source).map((fault) => fault.slice(0, fault.indexOf(" ")))).toEqual([
      "$.coordinators",
      "$.trustDomain",
      `${at}.dnsNames[0]`,
      `${at}.dnsNames[2]`,
      `${at}.referenceValues[0]`,
      "$.owners.keys[1].publicKey",
      "$.certificates.leafLifetimeSeconds",
    ]);
  });

  it("names every missing field of an empty object", () => {
    expect(faultsOf({})).toEqual(
      ["format", "trustDomain", "coordinators", "policies", "referenceValues", "owners"].map(
        (field) => `$.${field} is missing`,
      ),
    );
  });

  it("puts the only fault into the message, and counts several", () => {
    const one = parse(changed((m) => (m.trustDomain = "")));
    expect(one).toMatchObject({ ok: false, error: { code: "manifest-invalid" } });
    if (!one.ok) expect(one.error.message).toContain("$.trustDomain must be");
    const several = parse({});
    if (!several.ok) expect(several.error.message).toBe("the manifest is not valid: 6 faults");
  });

  it.each([["null"], ["[]"], ['"manifest"'], ["{"], [""]])("refuses the text %j", (source) => {
    expect(faultsOf(source)).toHaveLength(1);
  });

  it("answers the largest hostile manifests within a second, with a bounded list of faults", () => {
    const manyPolicies: Record<string, unknown> = {};
    for (let i = 0; i < 4_000; i++) manyPolicies[sha256(`${i}`)] = {};
    const sets: Record<string, unknown> = {};
    for (let i = 0; i < 25_000; i++) sets[`s${i}`] = 0;
    const names = Array.from({ length: 64 }, (_, i) => `t${i}`);
    const referring: Record<string, unknown> = {};
    for (let i = 0; i < 400; i++) {
      referring[sha256(`${i}`)] = { spiffePath: "/x", referenceValues: names };
    }
    for (const manifest of [
      { ...sampleManifest(), policies: manyPolicies },
      { ...sampleManifest(), policies: referring, referenceValues: sets },
      {
        ...sampleManifest(),
        owners: { threshold: 1, keys: Array.from({ length: 100_000 }, () => 0) },
      },
      Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [`k${i}`, 0])),
    ]) {
      const bytes = utf8(JSON.stringify(manifest));
      expect(bytes.length).toBeLessThan(MANIFEST_BYTES_MAX);
      const started = performance.now();
      const result = parseManifest(bytes, fakeKeys);
      expect(performance.now() - started).toBeLessThan(1_000);
      expect(result.ok).toBe(false);
      if (!result.ok) expect(result.error.faults.length).toBeLessThanOrEqual(FAULTS_MAX + 1);
    }
  });

  it("refuses a manifest of more than the allowed bytes", () => {
    const source = JSON.stringify(sampleManifest()) + " ".repeat(MANIFEST_BYTES_MAX);
    expect(faultsOf(source)[0]).toMatch(/^\$ must be at most 524288 bytes long/);
  });
});

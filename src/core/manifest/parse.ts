/** From a manifest's bytes to a {@link Manifest}, or every fault at once. */
import { type Fault, QuorateError } from "../errors.ts";
import { toHex } from "../bytes.ts";
import {
  distinctList,
  FaultSink,
  integer,
  type JsonValue,
  mapOf,
  object,
  oneOf,
  parseJson,
  type Reader,
  sha256,
  text,
} from "../json/index.ts";
import {
  COORDINATORS_MAX,
  MANIFEST_BYTES_MAX,
  NAMES_PER_POLICY_MAX,
  POLICIES_MAX,
  REFERENCE_SETS_MAX,
} from "../limits.ts";
import { err, ok, type Result } from "../result.ts";
import { parseIpAddress } from "./ip-address.ts";
import { type KeyParsers, keySet } from "./key-set.ts";
import {
  DEFAULT_CERTIFICATES,
  DEFAULT_RECOVERY,
  HEAL_POLICIES,
  isDevelopmentManifest,
  LEAF_LIFETIME_SECONDS,
  type Manifest,
  MANIFEST_FORMAT,
  type Policy,
  ROLES,
  SEAL_PROVIDERS,
} from "./manifest.ts";
import { isDnsLabel, isDnsName, isSecretId, isSpiffePath, isTrustDomain } from "./names.ts";
import { referenceSets } from "./reference-values.ts";

/**
 * Parses a manifest. Fails with `manifest-invalid` and a JSON path for every fault. The time is linear in the size,
 * but for the keys, of which there are at most twice OWNERS_MAX.
 *
 * **Security:** the bytes that are hashed and approved are exactly these; nothing in them is ignored or defaulted
 * differently by another reader, because unknown and duplicate fields are faults.
 */
export function parseManifest(bytes: Uint8Array, keys: KeyParsers): Result<Manifest, QuorateError> {
  const faults = new FaultSink();
  const value = parseJson(bytes, MANIFEST_BYTES_MAX, faults);
  const manifest = value === undefined ? undefined : manifestReader(keys)(value, "$", faults);
  if (manifest === undefined || faults.count > 0) return err(manifestInvalid(faults));
  return ok(manifest);
}

function manifestInvalid(faults: FaultSink): QuorateError {
  const listed: readonly Fault[] = faults.list();
  const message =
    faults.count === 1 && listed[0] !== undefined
      ? `the manifest is not valid: ${listed[0].path} ${listed[0].message}`
      : `the manifest is not valid: ${faults.count} faults`;
  return new QuorateError("manifest-invalid", message, {
    hint: "Mend the faults; quorate manifest validate lists them without a coordinator",
    faults: listed,
  });
}

function manifestReader(keys: KeyParsers): Reader<Manifest> {
  const owners = keySet(keys.parseOwnerKey);
  const shareOwners = keySet(keys.parseShareOwnerKey);
  return (value, path, faults) => {
    // Policies refer to sets; a set with faults of its own is there all the same.
    const sets = value.kind === "object" ? value.members.get("referenceValues") : undefined;
    const setNames = sets?.kind === "object" ? new Set(sets.members.keys()) : undefined;
    return object((fields) => {
      fields.required("format", oneOf([MANIFEST_FORMAT]));
      const manifest = {
        trustDomain: fields.required("trustDomain", trustDomain),
        coordinators: fields.required("coordinators", coordinators),
        policies: fields.required("policies", policies(setNames)),
        referenceValues: fields.required("referenceValues", referenceSets),
        owners: fields.required("owners", owners),
        shareOwners: fields.optional("shareOwners", shareOwners),
        recovery: fields.optional("recovery", recovery) ?? DEFAULT_RECOVERY,
        certificates: fields.optional("certificates", certificates) ?? DEFAULT_CERTIFICATES,
      };
      if (!isComplete(manifest)) return undefined;
      const { sealProviders } = manifest.recovery;
      if (sealProviders.includes("software") && !isDevelopmentManifest(manifest)) {
        const message =
          'must not have "software", a development seal, beside real reference values';
        fields.faults.add("$.recovery.sealProviders", message);
      }
      return manifest;
    })(value, path, faults);
  };
}

/** A manifest in which `undefined` may stand for a faulty field. */
type Incomplete = { readonly [Field in keyof Manifest]: Manifest[Field] | undefined };

function isComplete(manifest: Incomplete): manifest is Manifest {
  const mayBeLeftOut: keyof Manifest = "shareOwners";
  return Object.entries(manifest).every(
    ([field, value]) => value !== undefined || field === mayBeLeftOut,
  );
}

const coordinatorName = text("a lower-case DNS label", isDnsLabel);
const trustDomain = text(
  "a SPIFFE trust domain of lower-case letters, digits, '.', '-' and '_'",
  isTrustDomain,
);
const coordinators = distinctList(coordinatorName, { min: 1, max: COORDINATORS_MAX }, [
  { of: (name) => name },
]);

const names = { min: 0, max: NAMES_PER_POLICY_MAX };
const dnsNames = distinctList(text("a lower-case DNS name", isDnsName), names, [
  { of: (name) => name },
]);
const ipAddresses = distinctList(
  text("an IPv4 or IPv6 address", (address) => parseIpAddress(address) !== undefined),
  names,
  // One address has several spellings.
  [{ of: (address) => toHex(parseIpAddress(address) ?? new Uint8Array()) }],
);
const policyRole = oneOf(ROLES);
const spiffePath = text('a SPIFFE path like "/ns/default/web"', isSpiffePath);
const secretId = text("an id of up to 63 lower-case letters, digits, '.', '_' and '-'", isSecretId);

/** Fields that mean nothing for coordinators, which use the mesh's secrets themselves. */
const WORKLOAD_FIELDS = ["dnsNames", "ipAddresses", "secretId"] as const;

/** @param setNames the sets that the manifest has; `undefined` if that is not known. */
function policies(setNames: ReadonlySet<string> | undefined): Reader<Manifest["policies"]> {
  const byHash = mapOf(sha256, policy(setNames), { min: 1, max: POLICIES_MAX });
  return (value, path, faults) => {
    const read = byHash(value, path, faults);
    if (value.kind === "object" && ![...value.members.values()].some(claimsCoordinator)) {
      faults.add(path, 'must have a policy with "role": "coordinator"');
    }
    return read;
  };
}

/** Looks at the text's role alone, so that another fault of the policy does not cause this one. */
function claimsCoordinator(policyValue: JsonValue): boolean {
  const role = policyValue.kind === "object" ? policyValue.members.get("role") : undefined;
  return role?.kind === "string" && role.value === "coordinator";
}

function policy(setNames: ReadonlySet<string> | undefined): Reader<Policy> {
  const accepted = distinctList(
    text("the name of a set under $.referenceValues", (name) => setNames?.has(name) ?? true),
    { min: 1, max: REFERENCE_SETS_MAX },
    [{ of: (name) => name }],
  );
  return object((fields) => {
    const role = fields.optional("role", policyRole) ?? "workload";
    const path = fields.required("spiffePath", spiffePath);
    const read = {
      dnsNames: fields.optional("dnsNames", dnsNames),
      ipAddresses: fields.optional("ipAddresses", ipAddresses),
      secretId: fields.optional("secretId", secretId),
    };
    const referenceValues = fields.optional("referenceValues", accepted);
    if (role === "coordinator") {
      for (const field of WORKLOAD_FIELDS) {
        if (read[field] === undefined) continue;
        fields.faults.add(fields.pathOf(field), "is for workloads only");
      }
    }
    if (path === undefined) return undefined;
    return {
      role,
      spiffePath: path,
      dnsNames: read.dnsNames ?? [],
      ipAddresses: read.ipAddresses ?? [],
      secretId: read.secretId,
      referenceValues,
    };
  });
}

const recovery: Reader<Manifest["recovery"]> = object((fields) => {
  const heal = fields.optional("heal", oneOf(HEAL_POLICIES)) ?? DEFAULT_RECOVERY.heal;
  const sealProviders = fields.optional("sealProviders", sealProviderList) ?? [];
  if (heal === "sealed" && sealProviders.length === 0) {
    fields.faults.add(fields.pathOf("sealProviders"), 'must name a provider for "heal": "sealed"');
  }
  if (heal !== "sealed" && sealProviders.length > 0) {
    fields.faults.add(fields.pathOf("sealProviders"), 'is only for "heal": "sealed"');
  }
  return { heal, sealProviders };
});
const sealProviderList = distinctList(
  oneOf(SEAL_PROVIDERS),
  { min: 0, max: SEAL_PROVIDERS.length },
  [{ of: (provider) => provider }],
);

const certificates: Reader<Manifest["certificates"]> = object((fields) => ({
  leafLifetimeSeconds:
    fields.optional("leafLifetimeSeconds", integer(LEAF_LIFETIME_SECONDS)) ??
    DEFAULT_CERTIFICATES.leafLifetimeSeconds,
}));

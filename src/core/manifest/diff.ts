/** What a new manifest changes, in words: what an owner reads before approving. */
import type { KeySet, Manifest, Policy } from "./manifest.ts";
import type { ReferenceValues } from "./reference-values.ts";

/**
 * The differences as sentences, in a fixed order of groups; empty if both manifests mean the same (their bytes may
 * still differ in white space, the order of fields, coordinators and keys, and how a key is written).
 *
 * **Security:** owners approve on the strength of this list. Every field of a manifest has its sentence, and values
 * are shown whole.
 */
export function diffManifests(before: Manifest, after: Manifest): readonly string[] {
  return [
    ...scalar("The trust domain", before.trustDomain, after.trustDomain),
    ...coordinators(before, after),
    ...policies(before, after),
    ...referenceValues(before, after),
    ...keySet("owner", "approve a manifest", before.owners, after.owners),
    ...shareOwners(before, after),
    ...scalar("Healing", before.recovery.heal, after.recovery.heal),
    ...scalar(
      "The list of seal providers",
      names(before.recovery.sealProviders),
      names(after.recovery.sealProviders),
    ),
    ...scalar(
      "The lifetime of leaf certificates",
      `${before.certificates.leafLifetimeSeconds} s`,
      `${after.certificates.leafLifetimeSeconds} s`,
    ),
  ];
}

function scalar(subject: string, before: string, after: string): readonly string[] {
  return before === after ? [] : [`${subject} changes from ${before} to ${after}.`];
}

function names(list: readonly string[]): string {
  return list.length === 0 ? "none" : list.join(", ");
}

/** Items by key: which are gone, which are new, which are in both, each in its own manifest's order. */
interface Comparison<T> {
  readonly removed: readonly (readonly [string, T])[];
  readonly added: readonly (readonly [string, T])[];
  readonly kept: readonly (readonly [string, T, T])[];
}

function compare<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): Comparison<T> {
  const kept: (readonly [string, T, T])[] = [];
  for (const [key, old] of before) {
    const current = after.get(key);
    if (current !== undefined) kept.push([key, old, current]);
  }
  return {
    removed: [...before].filter(([key]) => !after.has(key)),
    added: [...after].filter(([key]) => !before.has(key)),
    kept,
  };
}

function coordinators(before: Manifest, after: Manifest): readonly string[] {
  const gone = before.coordinators.filter((name) => !after.coordinators.includes(name));
  const fresh = after.coordinators.filter((name) => !before.coordinators.includes(name));
  return [
    ...gone.map((name) => `Coordinator ${name} is removed.`),
    ...fresh.map((name) => `Coordinator ${name} is added.`),
  ];
}

function policies(before: Manifest, after: Manifest): readonly string[] {
  const { removed, added, kept } = compare(before.policies, after.policies);
  return [
    ...removed.map(([hash, old]) => `Policy ${hash} (${old.role} ${old.spiffePath}) is removed.`),
    ...added.map(([hash, policy]) => `Policy ${hash} is added: ${describePolicy(policy)}.`),
    ...kept.flatMap(([hash, old, current]) => changedPolicy(hash, old, current)),
  ];
}

function describePolicy(policy: Policy): string {
  const parts = [`${policy.role} ${policy.spiffePath}`];
  if (policy.dnsNames.length > 0) parts.push(`DNS names ${names(policy.dnsNames)}`);
  if (policy.ipAddresses.length > 0) parts.push(`IP addresses ${names(policy.ipAddresses)}`);
  if (policy.secretId !== undefined) parts.push(`secret ${policy.secretId}`);
  parts.push(acceptedSets(policy));
  if (policy.role === "coordinator") parts.push("it can get the seed");
  return parts.join("; ");
}

function acceptedSets(policy: Policy): string {
  return policy.referenceValues === undefined
    ? "any reference values"
    : `reference values ${names(policy.referenceValues)}`;
}

function changedPolicy(hash: string, before: Policy, after: Policy): readonly string[] {
  const subject = `Policy ${hash} (${after.spiffePath}):`;
  const gainsSeed = before.role !== after.role && after.role === "coordinator";
  return [
    ...scalar(`${subject} the role`, before.role, after.role),
    ...(gainsSeed ? [`${subject} it can get the seed.`] : []),
    ...scalar(`${subject} the SPIFFE path`, before.spiffePath, after.spiffePath),
    ...listed(`${subject} the DNS names`, before.dnsNames, after.dnsNames),
    ...listed(`${subject} the IP addresses`, before.ipAddresses, after.ipAddresses),
    ...scalar(`${subject} the secret`, before.secretId ?? "none", after.secretId ?? "none"),
    ...scalar(`${subject} the acceptance`, acceptedSets(before), acceptedSets(after)),
  ];
}

/** The order of names in a certificate matters little, but it is part of what is approved. */
function listed(
  subject: string,
  before: readonly string[],
  after: readonly string[],
): readonly string[] {
  return names(before) === names(after)
    ? []
    : [`${subject} change from ${names(before)} to ${names(after)}.`];
}

function referenceValues(before: Manifest, after: Manifest): readonly string[] {
  const { removed, added, kept } = compare(before.referenceValues, after.referenceValues);
  return [
    ...removed.map(([name, set]) => `Reference values ${name} (${set.platform}) are removed.`),
    ...added.map(([name, set]) => `Reference values ${name} are added: ${describeSet(set)}.`),
    ...kept.flatMap(([name, old, current]) => changedSet(name, fieldsOf(old), fieldsOf(current))),
  ];
}

/** A set that changes its platform has other fields before and after. */
function changedSet(
  name: string,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly string[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((field) =>
    scalar(
      `Reference values ${name}: ${field}`,
      before.get(field) ?? "unset",
      after.get(field) ?? "unset",
    ),
  );
}

function describeSet(set: ReferenceValues): string {
  return [...fieldsOf(set)]
    .filter(([, value]) => value !== "unset")
    .map(([field, value]) => `${field} ${value}`)
    .join("; ");
}

/** Every field of a set with its value as text, whatever the platform: new fields get their sentence by themselves. */
function fieldsOf(set: ReferenceValues): ReadonlyMap<string, string> {
  return new Map(Object.entries(set).map(([field, value]) => [field, describeValue(value)]));
}

function describeValue(value: unknown): string {
  if (value === undefined) return "unset";
  // What is no plain word is quoted, so that no value looks like two or like a missing one.
  if (typeof value === "string") return /^[\w.-]+$/.test(value) ? value : JSON.stringify(value);
  if (value instanceof Map) {
    return describeEntries([...value].map(([key, item]) => [String(key), item as unknown]));
  }
  if (Array.isArray(value))
    return value.length === 0 ? "none" : value.map(describeValue).join(", ");
  if (typeof value === "object" && value !== null) return describeEntries(Object.entries(value));
  return JSON.stringify(value);
}

function describeEntries(entries: readonly (readonly [string, unknown])[]): string {
  if (entries.length === 0) return "none";
  return `{${entries.map(([key, item]) => `${key} ${describeValue(item)}`).join(", ")}}`;
}

function shareOwners(before: Manifest, after: Manifest): readonly string[] {
  const purpose = "rebuild the seed";
  if (before.shareOwners !== undefined && after.shareOwners !== undefined) {
    return keySet("share owner", purpose, before.shareOwners, after.shareOwners);
  }
  if (before.shareOwners !== undefined) return ["Disaster recovery by share owners ends."];
  if (after.shareOwners === undefined) return [];
  const { threshold, keys } = after.shareOwners;
  const who = keys.map((key) => `${key.name} (key ${key.keyId})`).join(", ");
  return [
    `Disaster recovery begins: ${threshold} of ${keys.length} share owners ${purpose}: ${who}.`,
  ];
}

function keySet(
  word: string,
  purpose: string,
  before: KeySet<string>,
  after: KeySet<string>,
): readonly string[] {
  const byKey = (set: KeySet<string>): ReadonlyMap<string, string> =>
    new Map(set.keys.map((key) => [key.keyId, key.name]));
  const { removed, added, kept } = compare(byKey(before), byKey(after));
  const title = word.charAt(0).toUpperCase() + word.slice(1);
  const needed = (set: KeySet<string>): string => `${set.threshold} of ${set.keys.length}`;
  return [
    ...removed.map(([keyId, name]) => `${title} ${name} (key ${keyId}) is removed.`),
    ...added.map(([keyId, name]) => `${title} ${name} (key ${keyId}) is added.`),
    ...kept
      .filter(([, old, current]) => old !== current)
      .map(([keyId, old, current]) => `${title} ${old} is now called ${current} (key ${keyId}).`),
    ...scalar(`The number of ${word}s who must ${purpose}`, needed(before), needed(after)),
  ];
}

/** What a valid manifest allows that its authors may not have meant. */
import { memberPath } from "../json/index.ts";
import { isDevelopmentManifest, type KeySet, type Manifest } from "./manifest.ts";

/** Advice about one place of a valid manifest. */
export interface ManifestWarning {
  readonly path: string;
  /** Whole sentences without the final full stop. */
  readonly message: string;
}

/** Everything worth a second look, most serious first. A warning never keeps a manifest from being set. */
export function manifestWarnings(manifest: Manifest): readonly ManifestWarning[] {
  return [
    ...evidenceWarnings(manifest),
    ...ownerWarnings(manifest),
    ...shareOwnerWarnings(manifest),
    ...policyWarnings(manifest),
    ...groupWarnings(manifest),
  ];
}

function evidenceWarnings(manifest: Manifest): readonly ManifestWarning[] {
  const warnings: ManifestWarning[] = [];
  if (isDevelopmentManifest(manifest)) {
    warnings.push({
      path: "$.referenceValues",
      message: "INSECURE: development sets prove nothing about hardware; for trials only",
    });
  }
  for (const [name, set] of manifest.referenceValues) {
    if (set.platform !== "snp" || !set.guestPolicy.allowDebug) continue;
    warnings.push({
      path: `${memberPath("$.referenceValues", name)}.guestPolicy.allowDebug`,
      message: "a guest in debug mode hides nothing from its host",
    });
  }
  const restrictions = [...manifest.policies.values()].map((policy) => policy.referenceValues);
  for (const name of manifest.referenceValues.keys()) {
    if (restrictions.some((accepted) => accepted === undefined || accepted.includes(name)))
      continue;
    warnings.push({
      path: memberPath("$.referenceValues", name),
      message: "no policy accepts this set",
    });
  }
  return warnings;
}

function ownerWarnings({ owners }: Manifest): readonly ManifestWarning[] {
  const path = "$.owners.threshold";
  const count = owners.keys.length;
  if (count === 1) {
    const message = "one owner decides alone, and losing that key ends all updates";
    return [{ path: "$.owners.keys", message }];
  }
  if (owners.threshold === 1) {
    return [{ path, message: `each of the ${count} owners can change the manifest alone` }];
  }
  return needsAll(owners)
    ? [{ path, message: `all ${count} owners must approve; losing one key ends all updates` }]
    : [];
}

function shareOwnerWarnings({ shareOwners }: Manifest): readonly ManifestWarning[] {
  const path = "$.shareOwners";
  if (shareOwners === undefined) {
    const message = "without share owners nothing survives the loss of all coordinators";
    return [{ path, message }];
  }
  const count = shareOwners.keys.length;
  if (shareOwners.threshold === 1) {
    const who = count === 1 ? "the only share owner" : `each of the ${count} share owners`;
    return [{ path: `${path}.threshold`, message: `${who} can rebuild the seed alone` }];
  }
  if (!needsAll(shareOwners)) return [];
  const message = `all ${count} share owners are needed; losing one key ends disaster recovery`;
  return [{ path: `${path}.threshold`, message }];
}

function needsAll(set: KeySet<string>): boolean {
  return set.threshold === set.keys.length;
}

function policyWarnings(manifest: Manifest): readonly ManifestWarning[] {
  const warnings: ManifestWarning[] = [];
  const paths = { coordinator: new Set<string>(), workload: new Set<string>() };
  for (const policy of manifest.policies.values()) paths[policy.role].add(policy.spiffePath);
  for (const [hash, policy] of manifest.policies) {
    const path = memberPath("$.policies", hash);
    if (policy.role === "coordinator") {
      if (policy.referenceValues !== undefined || manifest.referenceValues.size === 1) continue;
      const message = "a coordinator policy that restricts nothing: every set can get the seed";
      warnings.push({ path, message });
      continue;
    }
    if (paths.coordinator.has(policy.spiffePath)) {
      const message = "a workload with a coordinator's SPIFFE path can pass for one";
      warnings.push({ path: `${path}.spiffePath`, message });
    }
    for (const [index, name] of policy.dnsNames.entries()) {
      if (!/^\*\.[^.]+$/.test(name)) continue;
      const message = `the wildcard ${name} covers every name of a top-level domain`;
      warnings.push({ path: `${path}.dnsNames[${index}]`, message });
    }
  }
  return warnings;
}

function groupWarnings({ coordinators, recovery }: Manifest): readonly ManifestWarning[] {
  const warnings: ManifestWarning[] = [];
  const count = coordinators.length;
  if (count % 2 === 0) {
    const message = `${count} coordinators survive no more losses than ${count - 1} would`;
    warnings.push({ path: "$.coordinators", message });
  }
  if (recovery.heal === "off" && count > 1) {
    const message = "after the loss of a majority, share owners must recover by hand";
    warnings.push({ path: "$.recovery.heal", message });
  }
  return warnings;
}

/** The manifest: what the owners of a mesh agreed on. `docs/manifest.md` is its reference for authors. */
import type { Sha256 } from "../brand.ts";
import type { ReferenceSets } from "./reference-values.ts";

/** The only format so far. */
export const MANIFEST_FORMAT = "quorate/manifest/v1";

/** What evidence under a policy may do: use the mesh, or hold its secrets. */
export const ROLES = ["workload", "coordinator"] as const;
/** One of {@link ROLES}. */
export type Role = (typeof ROLES)[number];

/** What coordinators may do on their own once the majority is gone. */
export const HEAL_POLICIES = ["off", "survivors", "sealed"] as const;
/** One of {@link HEAL_POLICIES}. */
export type HealPolicy = (typeof HEAL_POLICIES)[number];

/** Where a seal may come from. `software` counts as development attestation. */
export const SEAL_PROVIDERS = ["software", "tpm2"] as const;
/** One of {@link SEAL_PROVIDERS}. */
export type SealProviderId = (typeof SEAL_PROVIDERS)[number];

/** Bounds of a leaf certificate's lifetime in seconds: several renewals' time, and one week. */
export const LEAF_LIFETIME_SECONDS = { min: 300, max: 7 * 86_400 } as const;
const DEFAULT_LEAF_LIFETIME_SECONDS = 86_400;

/** Who a workload with this policy is, once its evidence was accepted. */
export interface Policy {
  readonly role: Role;
  /** Begins with a slash; the SPIFFE id is `spiffe://` + trust domain + this. */
  readonly spiffePath: string;
  /** DNS names of its certificates; `*.x` allowed. Empty for coordinators. */
  readonly dnsNames: readonly string[];
  /** IP addresses of its certificates, as written in the manifest. Empty for coordinators. */
  readonly ipAddresses: readonly string[];
  /** Which workload secret it gets, if any. Never for coordinators. */
  readonly secretId: string | undefined;
  /** The only reference-value sets that it accepts; `undefined` for any of the manifest's. */
  readonly referenceValues: readonly string[] | undefined;
}

/** A named public key. */
export interface NamedKey<Algorithm extends string> {
  readonly name: string;
  readonly algorithm: Algorithm;
  /** SHA-256 of the SPKI. */
  readonly keyId: Sha256;
  /** DER in its one accepted form. */
  readonly spki: Uint8Array;
}

/** Keys of which `threshold` must act together; key ids and names are unique. */
export interface KeySet<Algorithm extends string> {
  /** From 1 to the number of keys. */
  readonly threshold: number;
  readonly keys: readonly NamedKey<Algorithm>[];
}

/** How a manifest owner signs approvals. */
export type OwnerAlgorithm = "ecdsa-sha256" | "ecdsa-sha384" | "ed25519";
/** How a share is encrypted to its owner. */
export type ShareAlgorithm = "rsa-oaep-sha256" | "x25519-hpke";

/** Those who approve manifests. */
export type OwnerSet = KeySet<OwnerAlgorithm>;
/** Those who can rebuild the seed together. */
export type ShareOwnerSet = KeySet<ShareAlgorithm>;

/** A valid manifest. Its hash is that of the bytes that it was parsed from. */
export interface Manifest {
  readonly trustDomain: string;
  /** Stable names of the coordinators, in the manifest's order. */
  readonly coordinators: readonly string[];
  /** By the SHA-256 of the workload's policy document. At least one has the coordinator role. */
  readonly policies: ReadonlyMap<Sha256, Policy>;
  readonly referenceValues: ReferenceSets;
  readonly owners: OwnerSet;
  /** `undefined`: no disaster recovery. */
  readonly shareOwners: ShareOwnerSet | undefined;
  readonly recovery: {
    /** @default "survivors" */
    readonly heal: HealPolicy;
    /** Not empty exactly with `heal: "sealed"`. */
    readonly sealProviders: readonly SealProviderId[];
  };
  readonly certificates: {
    /** @default 86400 */
    readonly leafLifetimeSeconds: number;
  };
}

/** What stands for `recovery` where a manifest leaves it out. */
export const DEFAULT_RECOVERY: Manifest["recovery"] = { heal: "survivors", sealProviders: [] };
/** What stands for `certificates` where a manifest leaves it out. */
export const DEFAULT_CERTIFICATES: Manifest["certificates"] = {
  leafLifetimeSeconds: DEFAULT_LEAF_LIFETIME_SECONDS,
};

/**
 * True if the manifest's reference values are development sets, whose evidence anybody can make who holds the
 * simulated root's key.
 */
export function isDevelopmentManifest(manifest: Manifest): boolean {
  // A manifest never mixes them with real ones, and has at least one.
  return [...manifest.referenceValues.values()].some((set) => set.developmentRoot !== undefined);
}

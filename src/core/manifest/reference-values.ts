/**
 * The manifest's reference values: named sets of what genuine evidence must say, several per platform.
 *
 * Parsing is strict and finds all faults. Matching evidence against a set is `attestation/policy/`.
 */
import { REFERENCE_SETS_MAX } from "../limits.ts";
import { type Reader, mapOf, memberPath, object, oneOf, sha256, text } from "../json/index.ts";
import { type SnpReferenceValues, readSnpReferenceValues } from "./snp-reference-values.ts";
import { type TdxReferenceValues, readTdxReferenceValues } from "./tdx-reference-values.ts";

/** The platforms whose evidence is understood. */
export const PLATFORMS = ["snp", "tdx"] as const;
/** One of {@link PLATFORMS}. */
export type Platform = (typeof PLATFORMS)[number];

/** One set of reference values. */
export type ReferenceValues = SnpReferenceValues | TdxReferenceValues;

/** Sets by name, in the manifest's order. */
export type ReferenceSets = ReadonlyMap<string, ReferenceValues>;

/** A set's name: lower-case letters, digits, `.`, `_` and `-`, starting with a letter or digit. */
function isReferenceSetName(name: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{0,62}$/.test(name);
}

/** Reads one set. Without a known platform its other fields cannot be judged, and are no faults of their own. */
export const referenceValues: Reader<ReferenceValues> = (value, path, faults) => {
  const platform = value.kind === "object" ? value.members.get("platform") : undefined;
  if (platform?.kind === "string" && isPlatform(platform.value)) {
    return setOfKnownPlatform(value, path, faults);
  }
  if (platform !== undefined) anyPlatform(platform, memberPath(path, "platform"), faults);
  else if (value.kind === "object") faults.add(memberPath(path, "platform"), "is missing");
  else setOfKnownPlatform(value, path, faults);
  return undefined;
};

/**
 * Reads all sets.
 *
 * **Security:** development sets, which anybody who holds a simulated root's key can satisfy, never stand beside
 * real ones.
 */
export const referenceSets: Reader<ReferenceSets> = (value, path, faults) => {
  const sets = mapOf(setName, referenceValues, { min: 1, max: REFERENCE_SETS_MAX })(
    value,
    path,
    faults,
  );
  if (sets === undefined) return undefined;
  const development = [...sets.values()].filter((set) => set.developmentRoot !== undefined).length;
  if (development !== 0 && development !== sets.size) {
    faults.add(path, "must not mix development sets (with developmentRoot) and real ones");
    return undefined;
  }
  return sets;
};

const setName = text(
  "a set name of up to 63 lower-case letters, digits, '.', '_' and '-'",
  isReferenceSetName,
);

const anyPlatform = oneOf(PLATFORMS);

function isPlatform(name: string): name is Platform {
  return (PLATFORMS as readonly string[]).includes(name);
}

const setOfKnownPlatform = object<ReferenceValues>((fields) => {
  const platform = fields.required("platform", anyPlatform);
  const developmentRoot = fields.optional("developmentRoot", sha256);
  return platform === "snp"
    ? readSnpReferenceValues(fields, developmentRoot)
    : readTdxReferenceValues(fields, developmentRoot);
});

/** Manifests: parse, judge, compare, authorize. */
export * from "./authorize.ts";
export { diffManifests } from "./diff.ts";
export { parseIpAddress } from "./ip-address.ts";
export { type KeyParser, type KeyParsers, keySet, type ParsedKey } from "./key-set.ts";
export * from "./manifest.ts";
export * from "./names.ts";
export { parseManifest } from "./parse.ts";
export * from "./reference-values.ts";
export { type ManifestWarning, manifestWarnings } from "./warnings.ts";

/** Reads lists of named public keys with a threshold: manifest owners, share owners, pinned owners of a policy. */
import type { Sha256 } from "../brand.ts";
import { type Reader, distinctList, integer, memberPath, object, text } from "../json/index.ts";
import { OWNERS_MAX } from "../limits.ts";
import type { Result } from "../result.ts";
import type { KeySet, NamedKey, OwnerAlgorithm, ShareAlgorithm } from "./manifest.ts";
import { isOwnerName } from "./names.ts";

/** What a key parser knows of a public key. */
export interface ParsedKey<Algorithm extends string> {
  readonly algorithm: Algorithm;
  readonly keyId: Sha256;
  readonly spki: Uint8Array;
}

/**
 * Parses a public key from PEM or base64 SPKI text; its error's message becomes the fault. Injected, because keys
 * are the shell's: `parseOwnerKey` and `parseShareOwnerKey` of `src/crypto`.
 *
 * **Security:** one key must have one id, in whatever form it is written.
 */
export type KeyParser<Algorithm extends string> = (
  text: string,
) => Result<ParsedKey<Algorithm>, { readonly message: string }>;

/** The parsers that a manifest needs. */
export interface KeyParsers {
  readonly parseOwnerKey: KeyParser<OwnerAlgorithm>;
  readonly parseShareOwnerKey: KeyParser<ShareAlgorithm>;
}

/** A reader of `{"threshold": k, "keys": [{"name": …, "publicKey": …}]}`. */
export function keySet<Algorithm extends string>(
  parseKey: KeyParser<Algorithm>,
): Reader<KeySet<Algorithm>> {
  const keys = distinctList(namedKey(parseKey), { min: 1, max: OWNERS_MAX }, [
    { of: (key) => key.name, field: "name" },
    { of: (key) => key.keyId, field: "publicKey" },
  ]);
  return (value, path, faults) => {
    const set = object<KeySet<Algorithm>>((fields) => {
      const readKeys = fields.required("keys", keys);
      const threshold = fields.required("threshold", integer({ min: 1, max: OWNERS_MAX }));
      if (readKeys === undefined || threshold === undefined) return undefined;
      return { threshold, keys: readKeys };
    })(value, path, faults);
    if (set === undefined || set.threshold <= set.keys.length) return set;
    faults.add(
      memberPath(path, "threshold"),
      `must be at most the number of keys, ${set.keys.length}, not ${set.threshold}`,
    );
    return undefined;
  };
}

function namedKey<Algorithm extends string>(
  parseKey: KeyParser<Algorithm>,
): Reader<NamedKey<Algorithm>> {
  const publicKey: Reader<ParsedKey<Algorithm>> = (value, path, faults) => {
    const source = anyText(value, path, faults);
    if (source === undefined) return undefined;
    const parsed = parseKey(source);
    if (parsed.ok) return parsed.value;
    faults.add(path, `is not usable: ${parsed.error.message}`);
    return undefined;
  };
  return object((fields) => {
    const name = fields.required("name", ownerName);
    const key = fields.required("publicKey", publicKey);
    if (name === undefined || key === undefined) return undefined;
    const { algorithm, keyId, spki } = key;
    return { name, algorithm, keyId, spki };
  });
}

const ownerName = text(
  "a name of up to 64 letters, digits, '.', '_', '@', '+' and '-'",
  isOwnerName,
);
const anyText = text("a public key in PEM or base64 SPKI", () => true);

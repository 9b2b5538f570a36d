/**
 * What TDX verifications have in common, by hash: decoded chains, parsed extensions and documents, imported
 * attestation keys, and which signatures were found good.
 *
 * **Security:** as in `certificate-cache.ts`: only facts that no time changes, and no bad signatures. That something
 * could be parsed or imported says nothing about trust in it.
 */
import type { KeyObject } from "node:crypto";
import { VERIFICATION_CACHE_ENTRIES_MAX } from "../../core/limits.ts";
import { err, type Result } from "../../core/result.ts";
import { sha256 } from "../../crypto/hash.ts";
import { BoundedMap } from "../bounded-map.ts";
import { type PckExtension, parsePckExtension } from "./pck-extension.ts";
import { decodePemChain } from "./pem.ts";
import { parseQeIdentity, type QeIdentity } from "./qe-identity.ts";
import type { SignedJson } from "./signed-json.ts";
import { parseTcbInfo, type TcbInfo } from "./tcb-info.ts";

/** Documents kept: one per processor family and update, some 100 KiB each when parsed. */
const DOCUMENTS_MAX = 64;

/** See the file's comment. Bounded; one per process suffices. */
export class TdxCache {
  readonly #chains = new BoundedMap<string, readonly Uint8Array[]>(VERIFICATION_CACHE_ENTRIES_MAX);
  readonly #pckExtensions = new BoundedMap<string, PckExtension>(VERIFICATION_CACHE_ENTRIES_MAX);
  readonly #tcbInfos = new BoundedMap<string, SignedJson<TcbInfo>>(DOCUMENTS_MAX);
  readonly #qeIdentities = new BoundedMap<string, SignedJson<QeIdentity>>(DOCUMENTS_MAX);
  readonly #attestationKeys = new BoundedMap<string, KeyObject>(VERIFICATION_CACHE_ENTRIES_MAX);
  readonly #signed = new BoundedMap<string, true>(VERIFICATION_CACHE_ENTRIES_MAX);

  /** {@link decodePemChain}. */
  chain(pem: Uint8Array): Result<readonly Uint8Array[], string> {
    return remembered(this.#chains, pem, decodePemChain);
  }

  /** {@link parsePckExtension}. */
  pckExtension(value: Uint8Array): Result<PckExtension, string> {
    return remembered(this.#pckExtensions, value, (bytes) => {
      // The fields must not keep the certificate alive, nor change with it.
      const parsed = parsePckExtension(bytes.slice());
      return parsed.ok ? parsed : err(parsed.error.message);
    });
  }

  /** {@link parseTcbInfo}. */
  tcbInfo(document: Uint8Array): Result<SignedJson<TcbInfo>, string> {
    return remembered(this.#tcbInfos, document, parseTcbInfo);
  }

  /** {@link parseQeIdentity}. */
  qeIdentity(document: Uint8Array): Result<SignedJson<QeIdentity>, string> {
    return remembered(this.#qeIdentities, document, parseQeIdentity);
  }

  /** The key made for `name` before, or the one that `make` makes now; `undefined` is not remembered. */
  attestationKey(name: string, make: () => KeyObject | undefined): KeyObject | undefined {
    const known = this.#attestationKeys.get(name);
    if (known !== undefined) return known;
    const made = make();
    if (made !== undefined) this.#attestationKeys.set(name, made);
    return made;
  }

  /**
   * True if `step` was found good before, or `verify` finds so now.
   *
   * @param step names signed bytes, signature and key by hash.
   */
  async isGood(step: string, verify: () => Promise<boolean>): Promise<boolean> {
    if (this.#signed.get(step) !== undefined) return true;
    const good = await verify();
    if (good) this.#signed.set(step, true);
    return good;
  }
}

function remembered<T>(
  known: BoundedMap<string, T>,
  bytes: Uint8Array,
  parse: (bytes: Uint8Array) => Result<T, string>,
): Result<T, string> {
  const name = sha256(bytes);
  const value = known.get(name);
  if (value !== undefined) return { ok: true, value };
  const parsed = parse(bytes);
  if (parsed.ok) known.set(name, parsed.value);
  return parsed;
}

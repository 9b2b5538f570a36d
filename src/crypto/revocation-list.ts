/** Certificate revocation lists (RFC 5280, section 5), complete and direct ones only, read strictly. */
import { equalBytes, toHex } from "../core/bytes.ts";
import { REVOKED_CERTIFICATES_MAX } from "../core/limits.ts";
import type { Result } from "../core/result.ts";
import { DER_TAG, type DerError, type DerReader, contextTag, parseDer } from "./der.ts";
import { type SignatureAlgorithm, readSignatureAlgorithm } from "./signature.ts";
import { type DistinguishedName, readExtensions, readName } from "./x509-view.ts";

/** What a revocation list says. */
export interface RevocationListView {
  readonly encoded: Uint8Array;
  /** The bytes that are signed. */
  readonly tbs: Uint8Array;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  readonly issuer: DistinguishedName;
  /** Milliseconds since the Unix epoch. */
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  /** Serial numbers in the form of `CertificateView.serial`. */
  readonly revokedSerials: ReadonlySet<string>;
}

/**
 * Reads a revocation list. One without a next update is refused (it would be valid for ever), and so is one with a
 * critical extension: delta and indirect lists are marked so, and mean something other than the list itself.
 */
export function parseRevocationList(der: Uint8Array): Result<RevocationListView, DerError> {
  return parseDer(der, readRevocationList);
}

function readRevocationList(der: DerReader): RevocationListView {
  const encoded = der.peekEncoded();
  return der.inside((list) => {
    const tbs = list.peekEncoded();
    const { innerAlgorithm, ...fields } = list.inside(readTbs);
    const outer = list.peekEncoded();
    const signatureAlgorithm = readSignatureAlgorithm(list);
    if (!equalBytes(outer, innerAlgorithm)) list.fail("the two signature algorithms differ");
    return { encoded, tbs, signatureAlgorithm, signature: list.bitString(), ...fields };
  });
}

function readTbs(der: DerReader) {
  if (der.smallInteger() !== 1) der.fail("not a version 2 revocation list");
  const innerAlgorithm = der.any().encoded;
  const issuer = readName(der);
  const thisUpdate = der.time();
  const tag = der.peekTag();
  if (tag !== DER_TAG.utcTime && tag !== DER_TAG.generalizedTime) der.fail("no next update");
  const nextUpdate = der.time();
  const serials =
    der.optionalInside(DER_TAG.sequence, (list) =>
      list.list((item) => item.inside(readEntry), REVOKED_CERTIFICATES_MAX),
    ) ?? [];
  der.optionalInside(contextTag(0), refuseCritical);
  return { innerAlgorithm, issuer, thisUpdate, nextUpdate, revokedSerials: new Set(serials) };
}

function readEntry(der: DerReader): string {
  const serial = toHex(der.integerBytes());
  der.time();
  if (!der.atEnd()) refuseCritical(der);
  return serial;
}

function refuseCritical(der: DerReader): void {
  for (const { oid, critical } of readExtensions(der).values()) {
    if (critical) der.fail(`critical extension ${oid}`);
  }
}

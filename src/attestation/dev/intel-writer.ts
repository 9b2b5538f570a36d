/** Writes what Intel issues around TDX: PCK extensions, revocation lists, signed JSON documents, PEM chains. */
import type { KeyObject } from "node:crypto";
import { toBase64 } from "../../core/base64.ts";
import { concat, toHex, utf8 } from "../../core/bytes.ts";
import {
  derInteger,
  derOctetString,
  derOid,
  derSequence,
  derTime,
  derUnsigned,
} from "../../crypto/der-writer.ts";
import { PCK_EXTENSION_OID, type PckExtension } from "../tdx/pck-extension.ts";
import { signatureAlgorithm, signStructure, type WrittenExtension } from "./certificate-writer.ts";
import { rawSignature } from "./tdx-quote-writer.ts";

/** Intel's SGX extension, with the fields that verifiers read. */
export function pckExtension(fields: PckExtension): WrittenExtension {
  const pair = (oid: string, value: Uint8Array) => derSequence(derOid(oid), value);
  const tcb = `${PCK_EXTENSION_OID}.2`;
  const svns = [...fields.components, fields.pceSvn];
  const { platformInstanceId } = fields;
  // The raw CPUSVN: on real machines an encoding of the components that only Intel knows.
  const cpuSvn = pair(`${tcb}.18`, derOctetString(Uint8Array.from(fields.components)));
  const value = derSequence(
    pair(
      tcb,
      derSequence(...svns.map((svn, i) => pair(`${tcb}.${i + 1}`, derInteger(svn))), cpuSvn),
    ),
    pair(`${PCK_EXTENSION_OID}.3`, derOctetString(fields.pceId)),
    pair(`${PCK_EXTENSION_OID}.4`, derOctetString(fields.fmspc)),
    ...(platformInstanceId === undefined
      ? []
      : [pair(`${PCK_EXTENSION_OID}.6`, derOctetString(platformInstanceId))]),
  );
  return { oid: PCK_EXTENSION_OID, value };
}

/** A revocation list to write. Times are milliseconds since the Unix epoch. */
export interface RevocationListContent {
  /** DER of the issuer's name. */
  readonly issuer: Uint8Array;
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  /** Serial numbers, big-endian. */
  readonly revoked: readonly Uint8Array[];
}

/** Writes and signs a revocation list. */
export function writeRevocationList(
  { issuer, thisUpdate, nextUpdate, revoked }: RevocationListContent,
  issuerKey: KeyObject,
): Promise<Uint8Array> {
  const entries = revoked.map((serial) => derSequence(derUnsigned(serial), derTime(thisUpdate)));
  const tbs = derSequence(
    derInteger(1),
    signatureAlgorithm(issuerKey),
    issuer,
    derTime(thisUpdate),
    derTime(nextUpdate),
    // RFC 5280: no empty list of revoked certificates.
    ...(entries.length === 0 ? [] : [derSequence(...entries)]),
  );
  return signStructure(tbs, issuerKey);
}

/** `{"<name>":<value>,"signature":"…"}`, signed over the value's text. */
export async function writeSignedDocument(
  name: string,
  value: object,
  key: KeyObject,
): Promise<Uint8Array> {
  const inner = utf8(JSON.stringify(value));
  const signature = toHex(await rawSignature(inner, key));
  return concat(utf8(`{"${name}":`), inner, utf8(`,"signature":"${signature}"}`));
}

/** PEM of a chain, leaf first. */
export function pemChain(certificates: readonly Uint8Array[]): Uint8Array {
  const blocks = certificates.map((der) => {
    const lines = toBase64(der).match(/.{1,64}/g) ?? [];
    return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
  });
  return utf8(blocks.join(""));
}

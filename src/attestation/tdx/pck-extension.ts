/**
 * Intel's SGX extension of a PCK certificate: which processor it certifies, and at which security versions
 * (Intel SGX PCK Certificate and CRL Profile Specification, section 1.3.5).
 */
import { DER_TAG, type DerError, type DerReader, parseDer } from "../../crypto/der.ts";
import { type Result } from "../../core/result.ts";

/** Object id of the extension. */
export const PCK_EXTENSION_OID = "1.2.840.113741.1.13.1";

/** What the extension says. */
export interface PckExtension {
  /** The 16 SGX TCB component SVNs, 0–255 each. */
  readonly components: readonly number[];
  readonly pceSvn: number;
  /** 2 bytes. */
  readonly pceId: Uint8Array;
  /** 6 bytes: family, model, stepping, platform and custom SKU. */
  readonly fmspc: Uint8Array;
  /** 16 bytes; only certificates of the platform CA carry it. */
  readonly platformInstanceId: Uint8Array | undefined;
}

/** Reads the extension's value (the octets inside its OCTET STRING). Unknown fields are skipped, repeated ones refused. */
export function parsePckExtension(value: Uint8Array): Result<PckExtension, DerError> {
  return parseDer(value, (der) => {
    const fields = readFields(der, PCK_EXTENSION_OID);
    const octets = (arc: number, length: number): Uint8Array | undefined => {
      const element = fields.get(`${PCK_EXTENSION_OID}.${arc}`);
      if (element === undefined) return undefined;
      const read = parseDer(element, (inner) => inner.octetString());
      if (!read.ok) return der.fail(`field ${arc}: ${read.error.message}`);
      if (read.value.length !== length) der.fail(`field ${arc} has ${read.value.length} bytes`);
      return read.value;
    };
    const tcb = readTcb(der, fields.get(TCB_OID));
    return {
      ...tcb,
      pceId: octets(3, 2) ?? der.fail("no PCEID"),
      fmspc: octets(4, 6) ?? der.fail("no FMSPC"),
      platformInstanceId: octets(6, 16),
    };
  });
}

const TCB_OID = `${PCK_EXTENSION_OID}.2`;
const COMPONENTS = 16;
const PCE_SVN_ARC = 17;
/** Fields of one level: the profile has 7 outside and 18 in the TCB. */
const FIELDS_MAX = 32;

/** A sequence of pairs {object id, any value}: encoded values by object id, each below `parent`. */
function readFields(der: DerReader, parent: string): ReadonlyMap<string, Uint8Array> {
  const fields = new Map<string, Uint8Array>();
  der.inside((list) =>
    list.list((item) => {
      const [oid, value] = item.inside((pair): [string, Uint8Array] => [
        pair.oid(),
        pair.any().encoded,
      ]);
      if (!oid.startsWith(`${parent}.`)) item.fail(`field ${oid} does not belong to ${parent}`);
      if (fields.has(oid)) item.fail(`field ${oid} appears twice`);
      fields.set(oid, value);
    }, FIELDS_MAX),
  );
  return fields;
}

function readTcb(
  der: DerReader,
  encoded: Uint8Array | undefined,
): { readonly components: readonly number[]; readonly pceSvn: number } {
  if (encoded === undefined) return der.fail("no TCB");
  const read = parseDer(encoded, (inner) => {
    const fields = readFields(inner, TCB_OID);
    const svn = (arc: number, max: number): number => {
      const element = fields.get(`${TCB_OID}.${arc}`);
      if (element === undefined) return inner.fail(`no TCB field ${arc}`);
      const number = parseDer(element, (value) => value.smallInteger(DER_TAG.integer));
      if (!number.ok) return inner.fail(`TCB field ${arc}: ${number.error.message}`);
      return number.value <= max ? number.value : inner.fail(`TCB field ${arc} is above ${max}`);
    };
    return {
      components: Array.from({ length: COMPONENTS }, (_, index) => svn(index + 1, 0xff)),
      pceSvn: svn(PCE_SVN_ARC, 0xffff),
    };
  });
  return read.ok ? read.value : der.fail(read.error.message);
}

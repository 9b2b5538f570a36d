/** Intel's identity of the TD quoting enclave (PCS API version 4). */
import { type Reader, hexBytes, integer, oneOf } from "../../core/json/index.ts";
import type { Result } from "../../core/result.ts";
import { complete, openObject, parseSignedJson, type SignedJson, utcTime } from "./signed-json.ts";
import { evaluationNumber, type IsvSvnLevel, isvSvnLevels } from "./tcb-info.ts";

/** What Intel's quoting enclave for TDs must look like. Times are milliseconds since the Unix epoch. */
export interface QeIdentity {
  readonly issueDate: number;
  readonly nextUpdate: number;
  readonly tcbEvaluationDataNumber: number;
  /** 4 bytes each; only bits of the mask count. */
  readonly miscSelect: Uint8Array;
  readonly miscSelectMask: Uint8Array;
  /** 16 bytes each; only bits of the mask count. */
  readonly attributes: Uint8Array;
  readonly attributesMask: Uint8Array;
  /** 32 bytes. */
  readonly mrSigner: Uint8Array;
  readonly isvProdId: number;
  /** In the document's order, in which the first match counts. */
  readonly tcbLevels: readonly IsvSvnLevel[];
}

/** Reads the PCS document `{"enclaveIdentity": …, "signature": …}`. Its signature is still to be checked. */
export function parseQeIdentity(document: Uint8Array): Result<SignedJson<QeIdentity>, string> {
  return parseSignedJson(document, "enclaveIdentity", qeIdentity);
}

const bytes = (length: number): Reader<Uint8Array> => hexBytes({ min: length, max: length });

const qeIdentity: Reader<QeIdentity> = openObject((fields) => {
  fields.required("id", oneOf(["TD_QE"]));
  // Version 1 has no TCB levels; later ones have only added fields so far.
  fields.required("version", integer({ min: 2, max: 0xffff }));
  return complete<QeIdentity>({
    issueDate: fields.required("issueDate", utcTime),
    nextUpdate: fields.required("nextUpdate", utcTime),
    tcbEvaluationDataNumber: fields.required("tcbEvaluationDataNumber", evaluationNumber),
    miscSelect: fields.required("miscselect", bytes(4)),
    miscSelectMask: fields.required("miscselectMask", bytes(4)),
    attributes: fields.required("attributes", bytes(16)),
    attributesMask: fields.required("attributesMask", bytes(16)),
    mrSigner: fields.required("mrsigner", bytes(32)),
    isvProdId: fields.required("isvprodid", integer({ min: 0, max: 0xffff })),
    tcbLevels: fields.required("tcbLevels", isvSvnLevels),
  });
});

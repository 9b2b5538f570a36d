/**
 * Collateral in one JSON file, for machines without a network: our own form, and the form in which DCAP tools write
 * the collateral of one quote (`tcb_info`, `qe_identity`, `pck_crl`, …).
 *
 * **Security:** reading a file trusts nothing in it; each piece is proved when it is used.
 */
import { toBase64 } from "../../core/base64.ts";
import { fromHex, utf8 } from "../../core/bytes.ts";
import {
  base64Bytes,
  FaultSink,
  hexBytes,
  type JsonValue,
  list,
  object,
  oneOf,
  parseJson,
  type Reader,
  text,
} from "../../core/json/index.ts";
import {
  COLLATERAL_FILE_BYTES_MAX,
  COLLATERAL_ITEM_BYTES_MAX,
  COLLATERAL_ITEMS_MAX,
} from "../../core/limits.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { QuorateError } from "../../core/errors.ts";
import { decodePemChain } from "../tdx/pem.ts";
import type { Collateral } from "../verification.ts";

/** Value of the field `format` of our own form. */
export const COLLATERAL_FORMAT = "quorate/collateral/v1";

/** The JSON text of our own form: what is binary in base64, Intel's documents as strings, byte for byte. */
export function formatCollateralFile(collateral: Collateral): Uint8Array {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const form = {
    format: COLLATERAL_FORMAT,
    certificates: collateral.certificates.map(toBase64),
    revocationLists: collateral.revocationLists.map(toBase64),
    tcbInfos: collateral.tcbInfos.map((document) => decoder.decode(document)),
    qeIdentities: collateral.qeIdentities.map((document) => decoder.decode(document)),
  };
  return utf8(`${JSON.stringify(form, undefined, 2)}\n`);
}

/** Reads either form. Fails with `collateral-invalid` and every fault. */
export function parseCollateralFile(bytes: Uint8Array): Result<Collateral, QuorateError> {
  const faults = new FaultSink();
  const root = parseJson(bytes, COLLATERAL_FILE_BYTES_MAX, faults);
  const collateral = root === undefined ? undefined : readerFor(root)(root, "$", faults);
  if (collateral !== undefined && faults.count === 0) return ok(collateral);
  return err(
    new QuorateError("collateral-invalid", "the collateral file cannot be read", {
      faults: faults.list(),
      hint: `use the form ${COLLATERAL_FORMAT}, or the collateral that DCAP tools write for a quote`,
    }),
  );
}

function readerFor(root: JsonValue): Reader<Collateral> {
  return root.kind === "object" && root.members.has("tcb_info") ? quoteCollateral : ownForm;
}

const ITEMS = { min: 0, max: COLLATERAL_ITEMS_MAX };
const ITEM_BYTES = { min: 1, max: COLLATERAL_ITEM_BYTES_MAX };

const documentText: Reader<Uint8Array> = (value, path, faults) => {
  const read = text("a JSON document as a string", (content) => content.startsWith("{"));
  const content = read(value, path, faults);
  return content === undefined ? undefined : utf8(content);
};

const ownForm = object<Collateral>((fields) => {
  fields.required("format", oneOf([COLLATERAL_FORMAT]));
  const binaries = list(base64Bytes(ITEM_BYTES), ITEMS);
  const documents = list(documentText, ITEMS);
  return {
    certificates: fields.required("certificates", binaries) ?? [],
    revocationLists: fields.required("revocationLists", binaries) ?? [],
    tcbInfos: fields.required("tcbInfos", documents) ?? [],
    qeIdentities: fields.required("qeIdentities", documents) ?? [],
  };
});

const pemChain: Reader<readonly Uint8Array[]> = (value, path, faults) => {
  const content = text("a PEM chain", () => true)(value, path, faults);
  if (content === undefined) return undefined;
  const decoded = decodePemChain(utf8(content));
  if (decoded.ok) return decoded.value;
  faults.add(path, `must be a PEM chain: ${decoded.error}`);
  return undefined;
};

/** The file holds the signed inner value; the verifier wants the document as Intel serves it, around the same bytes. */
const quoteCollateral = object<Collateral>((fields) => {
  const hex = hexBytes(ITEM_BYTES);
  const signature = text(
    "a signature of 64 bytes in hex",
    (content) => fromHex(content)?.length === 64,
  );
  const document = (field: string, name: string): readonly Uint8Array[] => {
    const inner = fields.required(field, documentText);
    const signed = fields.required(`${field}_signature`, signature);
    if (inner === undefined || signed === undefined) return [];
    const decoded = new TextDecoder().decode(inner);
    return [utf8(`{"${name}":${decoded},"signature":"${signed}"}`)];
  };
  const chains = [
    fields.optional("pck_crl_issuer_chain", pemChain),
    fields.required("tcb_info_issuer_chain", pemChain),
    fields.required("qe_identity_issuer_chain", pemChain),
    fields.optional("pck_certificate_chain", pemChain),
  ];
  const lists = [fields.required("root_ca_crl", hex), fields.required("pck_crl", hex)];
  return {
    certificates: chains.flatMap((chain) => chain ?? []),
    revocationLists: lists.filter((revocations) => revocations !== undefined),
    tcbInfos: document("tcb_info", "tcbInfo"),
    qeIdentities: document("qe_identity", "enclaveIdentity"),
  };
});

/**
 * The host's certificate table (AMD document 56421, "GHCB Standardization", SNP Extended Guest Request): entries of
 * GUID (16 bytes, in the order in which it is written), offset and length (u32, little-endian), up to an entry of
 * zeros, then the data.
 *
 * **Security:** the host writes it. It is a hint where certificates may be found, nothing more.
 */
import { fromHex, toHex } from "../../core/bytes.ts";
import { CERTIFICATE_TABLE_ENTRIES_MAX } from "../../core/limits.ts";

/** What an entry claims to be. */
export type CertificateTableKind = "ark" | "ask" | "vcek" | "vlek" | "crl";

/** One entry of a known kind. `data` is a view of the table. */
export interface CertificateTableEntry {
  readonly kind: CertificateTableKind;
  readonly data: Uint8Array;
}

/** Entries of known kinds in their order, and what was odd: entries outside the table, or too many. */
export interface CertificateTable {
  readonly entries: readonly CertificateTableEntry[];
  readonly oddities: readonly string[];
}

/** GUIDs of AMD document 56421. The intermediate of VLEKs (ASVK) has the slot of the ASK. */
const KIND_BY_GUID: ReadonlyMap<string, CertificateTableKind> = new Map([
  ["c0b406a4a803495297433fb6014cd0ae", "ark"],
  ["4ab7b379bbac4fe4a02f05aef327c782", "ask"],
  ["63da758de6644564adc5f4b93be8accd", "vcek"],
  ["a8074bc2a25a483eaae639c045a0b8a1", "vlek"],
  ["92f81bc358114d3d97ffd19f88dc67ea", "crl"],
]);

const ENTRY_BYTES = 24;
const END_GUID = "00".repeat(16);

/** Reads a table of any content; never fails. An empty table is common: not every host provides certificates. */
export function parseCertificateTable(table: Uint8Array): CertificateTable {
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  const entries: CertificateTableEntry[] = [];
  const oddities: string[] = [];
  for (let at = 0, count = 0; at + ENTRY_BYTES <= table.length; at += ENTRY_BYTES, count++) {
    const guid = toHex(table.subarray(at, at + 16));
    if (guid === END_GUID) break;
    if (count === CERTIFICATE_TABLE_ENTRIES_MAX) {
      oddities.push(`more than ${CERTIFICATE_TABLE_ENTRIES_MAX} entries`);
      break;
    }
    const kind = KIND_BY_GUID.get(guid);
    if (kind === undefined) continue;
    const offset = view.getUint32(at + 16, true);
    const length = view.getUint32(at + 20, true);
    if (length === 0 || offset + length > table.length) {
      oddities.push(`entry ${count} (${kind}) lies outside the table`);
      continue;
    }
    entries.push({ kind, data: table.subarray(offset, offset + length) });
  }
  return { entries, oddities };
}

/** A table with these entries, as hosts write it. For the development platform and for tests. */
export function encodeCertificateTable(entries: readonly CertificateTableEntry[]): Uint8Array {
  const header = ENTRY_BYTES * (entries.length + 1);
  const table = new Uint8Array(entries.reduce((sum, { data }) => sum + data.length, header));
  const view = new DataView(table.buffer);
  let offset = header;
  entries.forEach(({ kind, data }, index) => {
    const at = index * ENTRY_BYTES;
    table.set(guidOf(kind), at);
    view.setUint32(at + 16, offset, true);
    view.setUint32(at + 20, data.length, true);
    table.set(data, offset);
    offset += data.length;
  });
  return table;
}

function guidOf(kind: CertificateTableKind): Uint8Array {
  const [guid] = [...KIND_BY_GUID].find(([, known]) => known === kind) ?? [END_GUID];
  return fromHex(guid) ?? new Uint8Array(16);
}

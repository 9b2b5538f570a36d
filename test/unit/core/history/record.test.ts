import { describe, expect, it } from "vitest";
import { toBase64 } from "../../../../src/core/base64.ts";
import { utf8 } from "../../../../src/core/bytes.ts";
import {
  encodeRecordBody,
  type HistoryRecord,
  parseRecord,
  type RecordDocument,
  recordSigningBytes,
} from "../../../../src/core/history/index.ts";
import { RECORD_BYTES_MAX } from "../../../../src/core/limits.ts";
import { genesis, heal, made, recovery, seal, sha256, update } from "./sample-records.ts";

function parse(bytes: Uint8Array | string) {
  return parseRecord(typeof bytes === "string" ? utf8(bytes) : bytes, sha256);
}

/** The faults that a record with one change has, whatever its form. */
function faultsOf(source: Uint8Array | string): readonly string[] {
  const result = parse(source);
  if (result.ok) return [];
  expect(result.error.code).toBe("store-corrupt");
  return result.error.faults.map((fault) => `${fault.path} ${fault.message}`);
}

function altered(document: RecordDocument, change: Partial<Record<keyof HistoryRecord, unknown>>) {
  return seal({ ...document.record, ...change } as HistoryRecord).bytes;
}

const first = genesis();
const second = update(first, "second");
const third = recovery(second, "third");
const fourth = heal(third, "fourth");

describe("the constructors of records", () => {
  it("begin a lineage with generation 1 and epoch 1", () => {
    expect(first.record).toMatchObject({
      ...made("genesis"),
      kind: "genesis",
      generation: 1,
      epoch: 1,
      previous: null,
      recoveryCount: 0,
      fenced: null,
      votes: null,
    });
  });

  it("raise the generation by an update, under its own manifest", () => {
    const { lineage, historyKey } = first.record;
    expect(second.record).toMatchObject({
      ...made("second"),
      ...{ lineage, historyKey, kind: "update", generation: 2, epoch: 1 },
      ...{ previous: first.hash, recoveryCount: 0, fenced: null, votes: null },
    });
  });

  it("raise the epoch by a takeover, under its predecessor's manifest and shares", () => {
    const repeated = { manifest: second.record.manifest, shares: second.record.shares };
    expect(third.record).toMatchObject({
      ...repeated,
      ...{ kind: "recovery", generation: 2, epoch: 2, previous: second.hash, recoveryCount: 1 },
      ...{ approvals: null, fenced: false, votes: null, meshCaKey: made("third").meshCaKey },
    });
    expect(fourth.record).toMatchObject({
      ...repeated,
      ...{ kind: "heal", generation: 2, epoch: 3, previous: third.hash, recoveryCount: 1 },
      ...{ approvals: null, fenced: true, votes: sha256("votes fourth") },
    });
  });
});

describe("parseRecord", () => {
  it.each([first, second, third, fourth])("reads back what was encoded", (document) => {
    expect(parse(document.bytes)).toEqual({ ok: true, value: document });
  });

  it("has exactly the agreed form", () => {
    const hashes = (label: string): string =>
      `"rootCaKey":"${sha256("root key")}","meshCaKey":"${sha256(`mesh key ${label}`)}",` +
      `"rootCaCertificate":"${sha256("root certificate")}",` +
      `"meshCaCertificate":"${sha256(`mesh certificate ${label}`)}",` +
      `"meshCaIntermediate":"${sha256(`mesh intermediate ${label}`)}"`;
    const body =
      `{"format":"quorate/record/v1","lineage":"${first.record.lineage}",` +
      `"historyKey":"${toBase64(first.record.historyKey)}","generation":2,"epoch":2,` +
      `"kind":"recovery","previous":"${second.hash}","manifest":"${sha256("manifest second")}",` +
      `"approvals":null,${hashes("third")},"shares":"${sha256("shares")}","recoveryCount":1,` +
      `"createdAt":"2026-01-31T23:59:59.999Z",` +
      `"author":{"name":"coordinator-0","instance":"${"0f".repeat(16)}"},"fenced":false,"votes":null}`;
    const text = new TextDecoder().decode(third.bytes);
    expect(text).toBe(`${body}\n${toBase64(third.signature)}\n`);
    expect(third.hash).toBe(sha256(text));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    const signed = Buffer.concat([
      Buffer.from("00000011", "hex"),
      Buffer.from("quorate/record/v1"),
      length,
      Buffer.from(body),
    ]);
    expect(Buffer.from(third.signedBytes)).toEqual(signed);
    expect(recordSigningBytes(third.record)).toEqual(third.signedBytes);
  });

  it.each<[string, Uint8Array, string]>([
    [
      "no lineage of the key",
      altered(first, { lineage: sha256("x") }),
      "$.lineage must be the SHA",
    ],
    ["generation 0", altered(first, { generation: 0 }), "$.generation must be an integer from 1"],
    ["a genesis of generation 2", altered(first, { generation: 2 }), "$.generation must be 1"],
    ["a genesis of epoch 2", altered(first, { epoch: 2 }), "$.epoch must be 1"],
    [
      "a genesis after a recovery",
      altered(first, { recoveryCount: 1 }),
      "$.recoveryCount must be 0",
    ],
    [
      "a genesis with a predecessor",
      altered(first, { previous: sha256("x") }),
      "$.previous must be",
    ],
    [
      "an update without approvals",
      altered(second, { approvals: null }),
      "$.approvals must not be",
    ],
    ["an update that fences", altered(second, { fenced: true }), "$.fenced must be null"],
    [
      "an update without predecessor",
      altered(second, { previous: null }),
      "$.previous must not be",
    ],
    [
      "a recovery with approvals",
      altered(third, { approvals: sha256("x") }),
      "$.approvals must be null",
    ],
    ["a recovery with votes", altered(third, { votes: sha256("x") }), "$.votes must be null"],
    ["a heal without votes", altered(fourth, { votes: null }), "$.votes must not be null"],
    ["a heal without fencing", altered(fourth, { fenced: null }), "$.fenced must not be null"],
    ["an unknown kind", altered(first, { kind: "merge" }), "$.kind must be"],
    [
      "a time without milliseconds",
      altered(first, { createdAt: "2026-01-31T23:59:59Z" }),
      "$.createdAt",
    ],
    [
      "a thirteenth month",
      altered(first, { createdAt: "2026-13-01T00:00:00.000Z" }),
      "$.createdAt",
    ],
    [
      "a short history key",
      altered(first, { historyKey: new Uint8Array(91) }),
      "$.historyKey must be",
    ],
    [
      "an instance that is none",
      altered(first, { author: { name: "coordinator-0", instance: "xyz" } }),
      "$.author.instance must be 32",
    ],
  ])("refuses %s", (_, bytes, fault) => {
    const faults = faultsOf(bytes);
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.join("\n")).toContain(fault);
  });

  const text = new TextDecoder().decode(second.bytes);
  const [body = "", signature = ""] = text.split("\n");

  it.each([
    ["white space", `${body.replace(":", ": ")}\n${signature}\n`],
    [
      "another field order",
      `${body.replace(/("generation":2),("epoch":1)/, "$2,$1")}\n${signature}\n`,
    ],
    ["another spelling of a number", `${body.replace('"epoch":1', '"epoch":1.0')}\n${signature}\n`],
    ["an escape", `${body.replace('"update"', '"\\u0075pdate"')}\n${signature}\n`],
    ["a duplicate field", `${body.replace("{", '{"epoch":1,')}\n${signature}\n`],
    ["an unknown field", `${body.replace("{", '{"x":1,')}\n${signature}\n`],
    ["no signature", `${body}\n`],
    ["no last newline", `${body}\n${signature}`],
    ["a third line", `${text}\n`],
    ["CR LF", `${body}\r\n${signature}\r\n`],
    ["a short signature", `${body}\n${toBase64(new Uint8Array(95))}\n`],
    ["a signature in the URL alphabet", `${body}\n${signature.replace("/", "_")}\n`],
    ["nothing", ""],
    ["only newlines", "\n\n"],
    ["binary", Uint8Array.from({ length: 300 }, (_, i) => i & 0xff)],
    ["too many bytes", "x".repeat(RECORD_BYTES_MAX + 1)],
  ])("refuses a document with %s", (label, bytes) => {
    if (label === "a signature in the URL alphabet") expect(signature).toContain("/");
    expect(faultsOf(bytes).length).toBeGreaterThan(0);
  });

  it("keeps its bytes when the caller's change", () => {
    const bytes = second.bytes.slice();
    const result = parse(bytes);
    bytes.fill(0);
    expect(result).toEqual({ ok: true, value: second });
  });

  it("writes only the fields of a record", () => {
    const extra = { ...second.record, secret: "x" };
    expect(new TextDecoder().decode(encodeRecordBody(extra))).toBe(body);
  });
});

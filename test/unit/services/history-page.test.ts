import { beforeAll, describe, expect, it } from "vitest";
import type { Sha256 } from "../../../src/core/brand.ts";
import { utf8 } from "../../../src/core/bytes.ts";
import { HISTORY_PAGE_BYTES_MAX } from "../../../src/core/limits.ts";
import { parseRecord } from "../../../src/core/history/index.ts";
import { unwrap } from "../../../src/core/result.ts";
import { sha256 } from "../../../src/crypto/index.ts";
import { readHistory } from "../../../src/history/read-history.ts";
import { referencesOf, VerifiedHistory } from "../../../src/history/verified-history.ts";
import { historyPage } from "../../../src/services/history-page.ts";
import { ALICE, BOB, failureOf, MeshWorld } from "../../fixtures/mesh.ts";

let world: MeshWorld;
let history: VerifiedHistory;

beforeAll(async () => {
  world = await MeshWorld.create();
  const coordinator = await world.ready();
  for (const workloads of [["db"], ["web"], ["web", "db"], ["cache"]])
    await coordinator.update(world.manifest({ workloads }));
  history = coordinator.history;
  return () => world.close();
});

const FIRST = { afterRecord: "", pageSize: 0, pageToken: "" };

/** All pages, and how many there were. */
function everything(of: VerifiedHistory, request: Partial<typeof FIRST> = {}) {
  const records: Uint8Array[] = [];
  const documents: Uint8Array[] = [];
  let pageToken = "";
  let pages = 0;
  do {
    const page = historyPage(of, { ...FIRST, ...request, pageToken });
    expect(page.headRecordHash).toBe(of.recordHash);
    expect(page.records.length).toBeGreaterThan(0);
    records.push(...page.records);
    documents.push(...page.documents);
    pageToken = page.nextPageToken;
    pages++;
  } while (pageToken !== "");
  return { records, documents, pages };
}

/** A history whose records each change one of many policies. Its documents and signatures are not what they should be. */
function longHistory({ records, policies }: { records: number; policies: number }) {
  const hash = (kind: number, of: number): Sha256 =>
    (kind * 1_000_000 + of).toString(16).padStart(64, "0") as Sha256;
  const documents = new Map<Sha256, Uint8Array>();
  const [genesis] = history.links;
  const links = Array.from({ length: records }, (_, at) => {
    const admitted = Array.from({ length: policies }, (_each, index) =>
      hash(1, index === at % policies ? policies + at : index),
    );
    const manifest = hash(2, at);
    for (const each of [manifest, ...admitted]) documents.set(each, new Uint8Array(64));
    const head = {
      ...genesis!.head,
      hash: hash(3, at),
      record: { ...genesis!.head.record, manifest },
    };
    const policy = genesis!.manifest.policies.values().next().value!;
    const named = new Map(admitted.map((each) => [each, policy]));
    return { ...genesis!, head, manifest: { ...genesis!.manifest, policies: named } };
  });
  return new VerifiedHistory(links, documents);
}

const refusal = (request: Partial<typeof FIRST>) =>
  failureOf(Promise.resolve().then(() => historyPage(history, { ...FIRST, ...request })));

describe("A page of the history", () => {
  it.each([0, 1, 2, 5, 1_000_000])(
    "of size %i leads through the whole history, every document once",
    async (pageSize) => {
      const { records, documents, pages } = everything(history, { pageSize });
      expect(pages).toBe(Math.ceil(5 / (pageSize === 0 ? 100 : pageSize)));
      expect(records).toEqual(history.links.map(({ head }) => head.bytes));
      expect(new Set(documents.map(sha256)).size).toBe(documents.length);
      const found = new Map([...records, ...documents].map((bytes) => [sha256(bytes), bytes]));
      const head = unwrap(parseRecord(records.at(-1)!, sha256));
      const read = await readHistory(head, {
        getDocument: (hash) => Promise.resolve(found.get(hash)),
      });
      expect(read.recordHash).toBe(history.recordHash);
    },
  );

  it("begins after a record that the caller knows", async () => {
    const known = history.upTo(history.links[2]!.head.hash);
    const { records, documents } = everything(history, {
      afterRecord: known.recordHash,
      pageSize: 1,
    });
    expect(records).toEqual(history.links.slice(3).map(({ head }) => head.bytes));
    const found = new Map([...records, ...documents].map((bytes) => [sha256(bytes), bytes]));
    const getDocument = (hash: string) => Promise.resolve(found.get(hash as never));
    const read = await readHistory(history.head.head, { getDocument }, { known });
    expect(read.recordHash).toBe(history.recordHash);
  });

  it("repeats after any record what the caller may not have, once, as a plain search finds it", () => {
    // An independent look: everything that the records asked for refer to, in order, without repetition.
    for (const [position, { head }] of history.links.entries()) {
      const asked = history.links.slice(position + 1);
      const expected = new Set(asked.flatMap(referencesOf));
      for (const pageSize of [1, 2, 100]) {
        if (asked.length === 0) continue;
        const { documents } = everything(history, { afterRecord: head.hash, pageSize });
        expect(documents.map(sha256)).toEqual([...expected]);
      }
    }
  });

  it("is the same for a history that has grown since, and for one that went another way", async () => {
    const grown = await world.ready();
    const before = everything(grown.history, { pageSize: 1 });
    await grown.update(world.manifest({ workloads: ["db"] }));
    const trunk = grown.history;
    const after = everything(trunk, { pageSize: 1 });
    expect(after.documents.slice(0, before.documents.length)).toEqual(before.documents);
    expect(after.documents.length).toBeGreaterThan(before.documents.length);
    expect(after.documents.map(sha256)).toEqual([...new Set(trunk.links.flatMap(referencesOf))]);
    const shorter = trunk.upTo(trunk.genesis.hash);
    expect(everything(shorter, { pageSize: 1 })).toEqual(before);
    expect(everything(trunk, { pageSize: 1 })).toEqual(after);
  });

  it("of a long history costs about as much at its end as at its beginning", () => {
    const long = longHistory({ records: 400, policies: 300 });
    everything(long, { pageSize: 10 });
    const cost = (position: number): number => {
      const pageToken = `${long.lineage.slice(0, 16)}.${position}`;
      const times = Array.from({ length: 30 }, () => {
        const start = performance.now();
        historyPage(long, { ...FIRST, pageSize: 10, pageToken });
        return performance.now() - start;
      });
      return Math.min(...times);
    };
    // Searching what went before would cost some forty times as much.
    expect(cost(390)).toBeLessThan(10 * cost(10));
  });

  it("is empty after the head", () => {
    const page = historyPage(history, { ...FIRST, afterRecord: history.recordHash });
    expect(page).toEqual({
      records: [],
      documents: [],
      nextPageToken: "",
      headRecordHash: history.recordHash,
    });
  });

  it.each(["f".repeat(64), "not a hash", "__proto__"])(
    "after the record %j, which is of no history here, is not found",
    async (afterRecord) => {
      const error = await refusal({ afterRecord });
      expect(error).toMatchObject({ code: "not-found", details: { head: history.recordHash } });
      expect(error.hint).toBeDefined();
    },
  );

  it.each([
    "x",
    ".",
    "0.1",
    "LINEAGE",
    "LINEAGE.",
    "LINEAGE.0",
    "LINEAGE.-1",
    "LINEAGE.1.5",
    "LINEAGE.99",
    "LINEAGE.1e0",
    "LINEAGE. 1",
  ])("for the token %j, which nobody was given, is refused", async (token) => {
    const pageToken = token.replace("LINEAGE", history.lineage.slice(0, 16));
    expect(await refusal({ pageToken })).toMatchObject({ code: "invalid-argument" });
  });

  it("of another lineage's token is refused", async () => {
    const other = (await world.ready()).history;
    const pageToken = `${other.lineage.slice(0, 16)}.1`;
    expect(await refusal({ pageToken })).toMatchObject({ code: "invalid-argument" });
  });

  it("stays below what one message may carry, whatever the documents' sizes", async () => {
    const coordinator = await world.coordinator();
    const large = (seed: number) =>
      Array.from({ length: 30 }, (_, index) => utf8(`${" ".repeat(60_000)}{"${seed}-${index}":0}`));
    const manifest = (documents: readonly Uint8Array[]) => {
      const json = JSON.parse(new TextDecoder().decode(world.manifest())) as {
        policies: Record<string, unknown>;
      };
      for (const [index, document] of documents.entries())
        json.policies[sha256(document)] = { spiffePath: `/large/${index}` };
      return utf8(JSON.stringify(json));
    };
    const first = large(0);
    const request = await coordinator.genesisRequest(manifest(first), [ALICE, BOB]);
    const policyDocuments = [...request.policyDocuments, ...first];
    await coordinator.set({ ...request, policyDocuments });
    for (let seed = 1; seed < 4; seed++) {
      const documents = large(seed);
      const next = await coordinator.updateRequest(manifest(documents));
      await coordinator.set({
        ...next,
        policyDocuments: [...next.policyDocuments, ...documents],
      });
    }
    const { pages, records } = everything(coordinator.history);
    expect(records).toHaveLength(4);
    expect(pages).toBe(2);
    let pageToken = "";
    do {
      const page = historyPage(coordinator.history, { ...FIRST, pageToken });
      const bytes = [...page.records, ...page.documents].reduce(
        (sum, part) => sum + part.length,
        0,
      );
      expect(bytes).toBeLessThan(HISTORY_PAGE_BYTES_MAX);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  });
});

import { beforeAll, describe, expect, it } from "vitest";
import type { Sha256 } from "../../../src/core/brand.ts";
import { utf8 } from "../../../src/core/bytes.ts";
import {
  type HistoryRecord,
  parseRecord,
  type RecordDocument,
  recordSigningBytes,
  sealRecord,
} from "../../../src/core/history/index.ts";
import { unwrap } from "../../../src/core/result.ts";
import { sha256 } from "../../../src/crypto/index.ts";
import { type DocumentSource, readHistory } from "../../../src/history/read-history.ts";
import type { VerifiedHistory } from "../../../src/history/verified-history.ts";
import { failureOf, MeshWorld, type TestCoordinator } from "../../fixtures/mesh.ts";

const GENERATIONS = 20;

let coordinator: TestCoordinator;
let history: VerifiedHistory;

beforeAll(async () => {
  const world = await MeshWorld.create();
  const first = await world.ready();
  for (let generation = 2; generation <= GENERATIONS - 1; generation++)
    await first.update(world.manifest({ workloads: [generation % 2 === 0 ? "db" : "web"] }));
  coordinator = await world.coordinator(first.store);
  await coordinator.recover();
  history = coordinator.history;
  return () => world.close();
});

/** The store's documents, with changes (`undefined`: gone), and a count of what was asked for. */
function source(changes: Readonly<Record<string, Uint8Array | undefined>> = {}) {
  const documents = new Map<string, Uint8Array>(coordinator.store.backing.documents);
  let fetched = 0;
  const from: DocumentSource = {
    getDocument: (hash) => {
      fetched++;
      return Promise.resolve(hash in changes ? changes[hash] : documents.get(hash));
    },
  };
  return { from, fetched: () => fetched };
}

const head = (): RecordDocument => history.head.head;

/** A record of the lineage, well signed. */
async function signed(record: HistoryRecord): Promise<RecordDocument> {
  const { engine } = coordinator.authority.state!.payload;
  return sealRecord(record, await engine.historyKey.sign(recordSigningBytes(record)), sha256);
}

describe("readHistory", () => {
  it("verifies every record from the genesis on and keeps every document", async () => {
    const seen: number[] = [];
    const read = await readHistory(head(), source().from, {
      onProgress: (link, total) => {
        expect(total).toBe(GENERATIONS);
        seen.push(link.head.record.generation + link.head.record.epoch);
      },
    });
    expect(read.links).toHaveLength(GENERATIONS);
    expect(seen).toEqual(Array.from({ length: GENERATIONS }, (_, index) => index + 2));
    expect(read.recordHash).toBe(history.recordHash);
    expect(read.lastSet.record.generation).toBe(GENERATIONS - 1);
    expect(read.setBeforeLast?.record.generation).toBe(GENERATIONS - 2);
    expect(read.place.group).toBe(read.recordHash);
    expect(new Set(read.documents.keys())).toEqual(new Set(history.documents.keys()));
  });

  it("fetches only what lies beyond a known history", async () => {
    const known = history.upTo(history.links[GENERATIONS - 3]!.head.hash);
    const { from, fetched } = source();
    const read = await readHistory(head(), from, { known });
    expect(read.links).toHaveLength(GENERATIONS);
    // Two records, the manifest's and the approvals that are new, three certificates each.
    expect(fetched()).toBeLessThan(15);
    const { from: nothing } = source();
    expect((await readHistory(head(), nothing, { known: read })).recordHash).toBe(read.recordHash);
  });

  it("goes back to an ancestor of what is known", async () => {
    const ancestor = history.links[4]!.head;
    const read = await readHistory(ancestor, source().from, { known: history });
    expect(read.links).toHaveLength(5);
    expect(read.contains(history.recordHash)).toBe(false);
  });

  it("names the record that is missing, or other bytes, in the middle of the history", async () => {
    const { hash } = history.links[7]!.head;
    for (const bytes of [undefined, utf8("other"), history.links[8]!.head.bytes]) {
      const error = await failureOf(readHistory(head(), source({ [hash]: bytes }).from));
      expect(error.code).toBe("verification-failed");
      expect(error.message).toContain(hash);
    }
  });

  it("does not believe a source about hashes", async () => {
    const { manifest } = history.links[0]!.head.record;
    const other = history.documentOf(history.links[1]!.head.record.manifest);
    const error = await failureOf(readHistory(head(), source({ [manifest]: other }).from));
    expect(error).toMatchObject({
      code: "verification-failed",
      details: { fault: "manifest-missing" },
    });
    expect(error.message).toContain("generation 1");
  });

  it("says at which generation an approval is missing", async () => {
    const { approvals } = history.links[9]!.head.record;
    const error = await failureOf(readHistory(head(), source({ [approvals!]: undefined }).from));
    expect(error.details).toMatchObject({ fault: "approvals-missing" });
    expect(error.message).toContain("generation 10, epoch 1");
  });

  it("refuses a record that the history key did not sign", async () => {
    const bytes = head().bytes.slice();
    const last = bytes.length - 5;
    bytes[last] = bytes[last] === 65 ? 66 : 65;
    const forged = unwrap(parseRecord(bytes, sha256));
    const error = await failureOf(readHistory(forged, source().from));
    expect(error.details).toMatchObject({ fault: "signature-invalid" });
  });

  it("refuses a well-signed update with the approvals of another one", async () => {
    const before = history.upTo(history.links[5]!.head.hash);
    const { record } = history.links[7]!.head;
    const next = await signed({
      ...record,
      previous: before.recordHash,
      generation: (before.record.generation + 1) as HistoryRecord["generation"],
    });
    const error = await failureOf(readHistory(next, source().from, { known: before }));
    expect(error.details).toMatchObject({ fault: "approvals-insufficient" });
  });

  it("refuses counters that do not fit, in bounded time", async () => {
    for (const [generation, message] of [
      [GENERATIONS + 5, "counters"],
      [900_000, "counters"],
      [2_000_000, "longer than is supported"],
    ] as const) {
      const { from, fetched } = source();
      const lying = await signed({
        ...head().record,
        generation: generation as HistoryRecord["generation"],
      });
      const error = await failureOf(readHistory(lying, from));
      expect(error.message).toContain(message);
      expect(fetched()).toBeLessThan(3);
    }
  });

  it("needs every document of the newest record, and forgives old policies and certificates", async () => {
    const old = history.links[3]!.head.record;
    const read = await readHistory(head(), source({ [old.meshCaCertificate]: undefined }).from);
    expect(read.documents.has(old.meshCaCertificate)).toBe(false);
    const { meshCaIntermediate } = history.record;
    const error = await failureOf(
      readHistory(head(), source({ [meshCaIntermediate]: undefined }).from),
    );
    expect(error.message).toContain(`documents of the newest record are missing`);
    expect(error.message).toContain(meshCaIntermediate);
  });

  it("passes on what the source throws", async () => {
    const from: DocumentSource = {
      getDocument: (hash: Sha256) => Promise.reject(new Error(`no ${hash}`)),
    };
    await expect(readHistory(head(), from)).rejects.toThrow("no ");
  });
});

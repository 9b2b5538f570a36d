/** What every store must do, whatever it is made of. Run by one test file for each implementation. */
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { concat, equalBytes, utf8 } from "../../../src/core/bytes.ts";
import type { Sha256 } from "../../../src/core/brand.ts";
import { DOCUMENT_BYTES_MAX, RECORD_BYTES_MAX } from "../../../src/core/limits.ts";
import { sha256 } from "../../../src/store/content.ts";
import type { Head, Store } from "../../../src/store/store.ts";

/** One set of contents, empty at first, that several stores can be opened over. */
export interface StoreFixture {
  /** Another store over the same contents, as another coordinator would open it. */
  open(): Promise<Store>;
  /** Damages the stored copy of a document behind the stores' back. */
  damageDocument(hash: Sha256): Promise<void>;
  /** Removes the head behind the stores' back, as an operator restoring an old backup would. */
  rollBackToNoHead(): Promise<void>;
  /** Closes all stores and removes the contents. */
  dispose(): Promise<void>;
}

/** A record that no other call returns. */
export function uniqueRecord(label = "record"): Uint8Array {
  return concat(utf8(`${label} `), randomBytes(16));
}

/** Swaps and expects to win. */
export async function commit(
  store: Store,
  expected: Head | undefined,
  next: Uint8Array,
): Promise<Head> {
  const swap = await store.swapHead(expected, next);
  if (swap.outcome !== "committed") throw new Error(`the swap ended as ${swap.outcome}`);
  return swap.head;
}

/** Waits until `condition` holds; fails after `timeoutMs`. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function storeCompliance(name: string, makeFixture: () => Promise<StoreFixture>): void {
  describe(`the ${name} as a store`, () => {
    let fixture: StoreFixture;
    let store: Store;
    beforeEach(async () => {
      fixture = await makeFixture();
      store = await fixture.open();
    });
    afterEach(() => fixture.dispose());

    describe("head", () => {
      it("is absent at first", async () => {
        expect(await store.readHead()).toBeUndefined();
      });

      it("is what the last committed swap made it, for every reader", async () => {
        const other = await fixture.open();
        let head: Head | undefined;
        for (let i = 0; i < 5; i++) {
          const record = uniqueRecord();
          head = await commit(i % 2 === 0 ? store : other, head, record);
          expect(head.value).toEqual(record);
          expect(await store.readHead()).toEqual(head);
          expect(await other.readHead()).toEqual(head);
        }
      });

      it("survives closing and opening the store", async () => {
        const head = await commit(store, undefined, uniqueRecord());
        await store.close();
        expect(await (await fixture.open()).readHead()).toEqual(head);
      });

      it("takes a record of the largest size and refuses a larger one", async () => {
        const largest = new Uint8Array(randomBytes(RECORD_BYTES_MAX));
        const head = await commit(store, undefined, largest);
        await expect(
          store.swapHead(head, new Uint8Array(RECORD_BYTES_MAX + 1)),
        ).rejects.toMatchObject({ code: "too-large" });
        expect((await store.readHead())?.value).toEqual(largest);
      });

      it("is not changed through the bytes that a caller handed in or got out", async () => {
        const record = uniqueRecord();
        const copy = record.slice();
        const head = await commit(store, undefined, record);
        record.fill(0);
        head.value.fill(0);
        (await store.readHead())?.value.fill(0);
        expect((await store.readHead())?.value).toEqual(copy);
      });
    });

    describe("compare-and-swap", () => {
      it("conflicts with the head when another one is there already", async () => {
        const head = await commit(store, undefined, uniqueRecord());
        expect(await store.swapHead(undefined, uniqueRecord())).toEqual({
          outcome: "conflict",
          head,
        });
        expect(await store.readHead()).toEqual(head);
      });

      it("conflicts when the expected head has been succeeded", async () => {
        const first = await commit(store, undefined, uniqueRecord());
        const second = await commit(store, first, uniqueRecord());
        expect(await store.swapHead(first, uniqueRecord())).toEqual({
          outcome: "conflict",
          head: second,
        });
      });

      it("conflicts, without a head, when the expected one is gone", async () => {
        const head = await commit(store, undefined, uniqueRecord());
        await fixture.rollBackToNoHead();
        expect(await store.swapHead(head, uniqueRecord())).toEqual({
          outcome: "conflict",
          head: undefined,
        });
        const again = await commit(store, undefined, uniqueRecord());
        expect(await store.readHead()).toEqual(again);
      });

      it("gives an identical swap, repeated, the answer of the first", async () => {
        const record = uniqueRecord();
        const head = await commit(store, undefined, record);
        expect(await store.swapHead(undefined, record)).toEqual({ outcome: "committed", head });
        expect(await (await fixture.open()).swapHead(undefined, record)).toEqual({
          outcome: "committed",
          head,
        });
      });

      it("does not mistake a head with the same value as an earlier one for the earlier one", async () => {
        const a = uniqueRecord("a");
        const first = await commit(store, undefined, a);
        const second = await commit(store, first, uniqueRecord("b"));
        const third = await commit(store, second, a);
        expect(third.version).not.toBe(first.version);
        expect(await store.swapHead(first, uniqueRecord("c"))).toEqual({
          outcome: "conflict",
          head: third,
        });
      });

      it("lets exactly one of many concurrent swaps from the same head win", async () => {
        const stores = [store, await fixture.open(), await fixture.open()];
        let head: Head | undefined;
        let conflicts = 0;
        for (let round = 0; round < 10; round++) {
          const expected = head;
          const swaps = await Promise.all(
            Array.from({ length: 9 }, (_, i) =>
              stores[i % stores.length]!.swapHead(expected, uniqueRecord()),
            ),
          );
          const won = swaps.filter((swap) => swap.outcome === "committed");
          expect(won).toHaveLength(1);
          head = won[0]!.head;
          conflicts += swaps.filter((swap) => swap.outcome === "conflict").length;
          expect(await store.readHead()).toEqual(head);
        }
        expect(conflicts).toBe(80);
      });

      it("keeps every committed record as a document", async () => {
        const records = [uniqueRecord(), uniqueRecord()];
        const first = await commit(store, undefined, records[0]!);
        await commit(store, first, records[1]!);
        const other = await fixture.open();
        for (const record of records)
          expect(await other.getDocument(sha256(record))).toEqual(record);
      });
    });

    describe("documents", () => {
      it("are found under their SHA-256 by every reader", async () => {
        const bytes = new Uint8Array(randomBytes(5000));
        const hash = await store.putDocument(bytes);
        expect(hash).toBe(sha256(bytes));
        expect(await store.getDocument(hash)).toEqual(bytes);
        expect(await (await fixture.open()).getDocument(hash)).toEqual(bytes);
      });

      it("are undefined when the store has none of that hash", async () => {
        expect(await store.getDocument(sha256(uniqueRecord()))).toBeUndefined();
      });

      it("can be put again, and by several at once", async () => {
        const bytes = uniqueRecord();
        const other = await fixture.open();
        const hashes = await Promise.all(
          Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? store : other).putDocument(bytes)),
        );
        expect(new Set(hashes)).toEqual(new Set([sha256(bytes)]));
        expect(await store.getDocument(sha256(bytes))).toEqual(bytes);
      });

      it("can be empty and of the largest size, but not larger", async () => {
        for (const size of [0, DOCUMENT_BYTES_MAX]) {
          const bytes = new Uint8Array(randomBytes(size));
          const found = await store.getDocument(await store.putDocument(bytes));
          // Not toEqual, which takes seconds for a mebibyte.
          expect(found !== undefined && equalBytes(found, bytes)).toBe(true);
        }
        const oversize = new Uint8Array(DOCUMENT_BYTES_MAX + 1);
        await expect(store.putDocument(oversize)).rejects.toMatchObject({ code: "too-large" });
        expect(await store.getDocument(sha256(oversize))).toBeUndefined();
      });

      it("are never handed out damaged, and are repaired by putting them again", async () => {
        const bytes = uniqueRecord();
        const hash = await store.putDocument(bytes);
        await fixture.damageDocument(hash);
        await expect(store.getDocument(hash)).rejects.toMatchObject({ code: "store-corrupt" });
        expect(await store.putDocument(bytes)).toBe(hash);
        expect(await store.getDocument(hash)).toEqual(bytes);
      });
    });

    describe("watch", () => {
      it("wakes every reader after a change, whoever made it", async () => {
        const other = await fixture.open();
        const woken = [0, 0];
        await store.watchHead(() => woken[0]!++);
        await other.watchHead(() => woken[1]!++);
        let head: Head | undefined;
        for (let i = 0; i < 3; i++) {
          const before = [...woken];
          head = await commit(store, head, uniqueRecord());
          await eventually("both listeners ran", () => woken.every((n, k) => n > before[k]!));
        }
      });

      it("wakes a reader after the last of a burst of changes", async () => {
        const writer = await fixture.open();
        let seen: Head | undefined;
        let reading = Promise.resolve();
        await store.watchHead(() => {
          reading = reading.then(async () => {
            seen = await store.readHead();
          });
        });
        let head: Head | undefined;
        for (let i = 0; i < 50; i++) head = await commit(writer, head, uniqueRecord());
        await eventually("the reader saw the last head", () => seen?.version === head?.version);
        await reading;
      });

      it("wakes a reader when the head disappears", async () => {
        await commit(store, undefined, uniqueRecord());
        let woken = 0;
        await store.watchHead(() => woken++);
        await fixture.rollBackToNoHead();
        await eventually("the listener ran", () => woken > 0);
      });

      it("never calls its listener after it was closed", async () => {
        let closedCalls = 0;
        let openCalls = 0;
        const watch = await store.watchHead(() => closedCalls++);
        await store.watchHead(() => openCalls++);
        await watch.close();
        await watch.close();
        const calls = closedCalls;
        await commit(store, undefined, uniqueRecord());
        await eventually("the other listener ran", () => openCalls > 0);
        expect(closedCalls).toBe(calls);
      });
    });

    describe("waits", () => {
      const operations: readonly [string, (s: Store, o: object) => Promise<unknown>][] = [
        ["readHead", (s, o) => s.readHead(o)],
        ["swapHead", (s, o) => s.swapHead(undefined, uniqueRecord(), o)],
        ["putDocument", (s, o) => s.putDocument(uniqueRecord(), o)],
        ["getDocument", (s, o) => s.getDocument(sha256(uniqueRecord()), o)],
        ["watchHead", (s, o) => s.watchHead(() => undefined, o)],
      ];

      it.each(operations)(
        "of %s end when the signal has fired or no time is left",
        async (_, op) => {
          await expect(op(store, { signal: AbortSignal.abort() })).rejects.toMatchObject({
            code: "cancelled",
          });
          await expect(op(store, { timeoutMs: 0 })).rejects.toMatchObject({
            code: "deadline-exceeded",
          });
          expect(await store.readHead()).toBeUndefined();
        },
      );

      it("of a swap that is cancelled at once leave the head alone or say that it is unknown", async () => {
        const controller = new AbortController();
        const record = uniqueRecord();
        const swap = store.swapHead(undefined, record, { signal: controller.signal });
        controller.abort();
        const result = await swap.catch((error: unknown) => error as { code: string });
        if ("code" in result) {
          expect(result.code).toBe("cancelled");
          await new Promise((resolve) => setTimeout(resolve, 50));
          expect(await store.readHead()).toBeUndefined();
        } else {
          expect(result.outcome).toBe("unknown");
          expect(await store.swapHead(undefined, record)).toMatchObject({ outcome: "committed" });
        }
      });

      it.each(operations)("of %s fail once the store is closed", async (_, op) => {
        await store.close();
        await store.close();
        await expect(op(store, {})).rejects.toMatchObject({ code: "store-unavailable" });
      });
    });

    it("describes itself", () => {
      expect(store.description).toMatch(/\S/);
    });
  });
}

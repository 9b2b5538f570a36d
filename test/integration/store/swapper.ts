/** Starts and checks processes of `swapper.mjs`. */
import { spawn, type ChildProcess } from "node:child_process";
import path from "node:path";
import { expect } from "vitest";
import { isSha256, type Sha256 } from "../../../src/core/brand.ts";
import { sha256 } from "../../../src/store/content.ts";
import type { Store } from "../../../src/store/store.ts";

/** What a swapper printed: the promises that the store made to it. */
export interface Claims {
  readonly committed: Set<Sha256>;
  readonly documents: Set<Sha256>;
  conflicts: number;
  unknown: number;
}

export function noClaims(): Claims {
  return { committed: new Set(), documents: new Set(), conflicts: 0, unknown: 0 };
}

/** A running swapper. */
export interface Swapper {
  readonly process: ChildProcess;
  /** Fulfilled when it has opened its store. */
  readonly ready: Promise<void>;
  /** Fulfilled with how it ended, after its last line was noted. */
  readonly ended: Promise<{ readonly code: number | null; readonly errors: string }>;
}

/** Starts one; what it prints is noted in `claims`. `wanted` swaps won end it, 0 stands for no end. */
export function startSwapper(
  module: string,
  specification: string,
  author: string,
  wanted: number,
  claims: Claims,
): Swapper {
  const child = spawn(process.execPath, [
    path.join(import.meta.dirname, "swapper.mjs"),
    module,
    specification,
    author,
    String(wanted),
  ]);
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const ended = new Promise<{ code: number | null; errors: string }>((resolve) =>
    child.on("close", (code) => resolve({ code, errors })),
  );
  const ready = new Promise<void>((resolve, reject) => {
    let rest = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "ready") resolve();
        else note(line, claims);
      }
    });
    void ended.then(() => reject(new Error(`the swapper ended before it was ready: ${errors}`)));
  });
  return { process: child, ready, ended };
}

function note(line: string, claims: Claims): void {
  const [word, hash = ""] = line.split(" ");
  if (word === "conflict") claims.conflicts++;
  else if (word === "unknown") claims.unknown++;
  else if (word === "committed" && isSha256(hash)) claims.committed.add(hash);
  else if (word === "document" && isSha256(hash)) claims.documents.add(hash);
  else throw new Error(`a swapper printed: ${line}`);
}

/** The hashes of the records from the head back to (without) `until`, newest first; every document of them is there. */
export async function chainOf(store: Store, until?: Sha256): Promise<Sha256[]> {
  const chain: Sha256[] = [];
  const head = await store.readHead();
  for (let bytes = head?.value; bytes !== undefined;) {
    const hash = sha256(bytes);
    if (hash === until) break;
    chain.push(hash);
    const record = JSON.parse(new TextDecoder().decode(bytes)) as {
      predecessor: Sha256 | null;
      document: Sha256;
    };
    expect(await store.getDocument(record.document), "a record's document").toBeDefined();
    if (record.predecessor === null) break;
    bytes = await store.getDocument(record.predecessor);
    expect(bytes, "a record's predecessor").toBeDefined();
  }
  return chain;
}

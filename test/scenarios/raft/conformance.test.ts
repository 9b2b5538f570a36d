/** The conformance data of etcd-io/raft: every case, byte for byte but for the listed differences. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { allDifferences } from "./runner/differences.ts";
import { runFile, type CaseResult } from "./runner/run-file.ts";

const VECTORS = path.resolve(import.meta.dirname, "../../../../shared/vectors/etcd-raft");
const present = existsSync(VECTORS);
if (!present) console.warn(`skipped: no conformance data at ${VECTORS}`);

/** Folder, number of files and number of cases in it. */
const FOLDERS = [
  { folder: "quorum", files: 4, cases: 127 },
  { folder: "confchange", files: 9, cases: 58 },
  { folder: "scripts", files: 12, cases: undefined },
] as const;

describe.skipIf(!present).each(FOLDERS)("etcd-io/raft's $folder", ({ folder, files, cases }) => {
  const names = present ? readdirSync(path.join(VECTORS, folder)) : [];
  const run = (name: string): CaseResult[] =>
    runFile(name, readFileSync(path.join(VECTORS, folder, name), "utf8"));

  it("is complete", () => {
    expect(names).toHaveLength(files);
    if (cases !== undefined) expect(names.flatMap(run)).toHaveLength(cases);
  });

  it.each(names)("%s gives the expected transcript", (name) => {
    const results = run(name);
    const text = (key: "output" | "wanted"): string =>
      results
        .map(({ one, output, difference }) => {
          const shown = key === "output" ? output : (difference?.output ?? one.expected);
          return `${one.line}: ${one.text}\n${shown}`;
        })
        .join("\n\n");
    expect(text("output")).toBe(text("wanted"));
  });

  it.runIf(folder === "scripts")("needs every difference that is listed, and each once", () => {
    const used = names.flatMap(run).filter((result) => result.verdict === "as listed");
    expect(used.map((result) => result.difference)).toEqual(allDifferences());
    expect(new Set(used.map((result) => result.difference)).size).toBe(allDifferences().length);
  });
});

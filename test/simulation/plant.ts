/**
 * Runs the simulator against a copy of the core with a fault in it: source text is replaced in a temporary folder and
 * compiled there, so that the product needs no switch. Each runs in a process of its own, which a fault may hang.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import ts from "typescript";
import type { BatchResult } from "./batch.ts";
import type { Mutation, Replacement } from "./mutations.ts";
import type { FaultKind } from "./options.ts";

/** How far to go for a fault. */
export interface SearchOptions {
  readonly from: number;
  readonly seeds: number;
  /** @default 10 */
  readonly minutes?: number | undefined;
  /** Faults to inject. @default all */
  readonly only?: readonly FaultKind[] | undefined;
}

/** Project folder: npm starts scripts and tests there. */
const ROOT = process.cwd();
/** All that the simulator imports. */
const FOLDERS = ["src/core/raft", "test/simulation"];
const FILES = ["assert", "brand", "errors", "limits", "prng", "result"].map(
  (name) => `src/core/${name}.ts`,
);

/** Runs seeds with `mutation` in the core and the faults that reveal it, up to the first failure. */
export function detect(mutation: Mutation, options: Omit<SearchOptions, "only">): BatchResult {
  const { folder, remove } = compileCopy(mutation.replacements);
  try {
    return runCopy(folder, { ...options, only: mutation.only });
  } finally {
    remove();
  }
}

/** Runs seeds in a process of its own, with the code in `folder`, up to the first failure. */
export function runCopy(
  folder: string,
  { from, seeds, minutes = 10, only }: SearchOptions,
): BatchResult {
  const options = { from, seeds, minutes, ...(only === undefined ? {} : { only: only.join() }) };
  const child = spawnSync(
    process.execPath,
    [
      path.join(folder, "test/simulation/simulate.js"),
      "--json",
      ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
    ],
    { encoding: "utf8", maxBuffer: 16 * 1024 * 1024, timeout: (minutes + 1) * 60_000 },
  );
  if (child.error !== undefined) throw child.error;
  if (child.stdout === "") throw new Error(`the simulator failed: ${child.stderr}`);
  return JSON.parse(child.stdout) as BatchResult;
}

/** A compiled copy of the core and the simulator. */
export interface Copy {
  readonly folder: string;
  readonly remove: () => void;
}

/** Compiles a copy, with pieces of the core replaced. */
export function compileCopy(replacements: readonly Replacement[]): Copy {
  const cache = path.join(ROOT, "node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(path.join(cache, "simulation-"));
  const remove = (): void => rmSync(folder, { recursive: true });
  try {
    writeFileSync(path.join(folder, "package.json"), '{ "type": "module" }');
    const left = new Set(replacements);
    for (const file of [...FOLDERS.flatMap(sourcesOf), ...FILES]) {
      let text = readFileSync(path.join(ROOT, file), "utf8");
      for (const replacement of replacements) {
        if (file !== `src/core/raft/${replacement.file}`) continue;
        text = replaced(text, replacement);
        left.delete(replacement);
      }
      const target = path.join(folder, file.replace(/\.ts$/, ".js"));
      mkdirSync(path.dirname(target), { recursive: true });
      writeFileSync(target, transpiled(text));
    }
    for (const { file } of left) throw new Error(`there is no ${file} in the core`);
  } catch (error) {
    remove();
    throw error;
  }
  return { folder, remove };
}

function sourcesOf(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => path.posix.join(folder, name));
}

function replaced(text: string, { file, find, replace }: Replacement): string {
  if (text.split(find).length !== 2) throw new Error(`${file} has not exactly one: ${find}`);
  return text.replace(find, () => replace);
}

function transpiled(text: string): string {
  const compilerOptions: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
    rewriteRelativeImportExtensions: true,
  };
  return ts.transpileModule(text, { compilerOptions }).outputText;
}

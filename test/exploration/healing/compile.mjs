// Compiles the healing core and its exploration to plain JavaScript in a temporary folder, optionally with pieces of
// the source replaced: how a planted fault gets in without the product having a switch for it. Needs only TypeScript.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";

const root = path.resolve(import.meta.dirname, "../../..");
const folders = [
  "src/core",
  "src/core/healing",
  "test/support/healing",
  "test/exploration/healing",
];

/**
 * @param {{ file: string, find: string, replace: string }[]} replacements in files of `src/core/healing`
 * @returns the exploration's entry module
 */
export async function load(replacements = []) {
  mkdirSync(path.join(root, "node_modules/.cache"), { recursive: true });
  const out = mkdtempSync(path.join(root, "node_modules/.cache/healing-"));
  try {
    writeFileSync(path.join(out, "package.json"), '{ "type": "module" }');
    for (const folder of folders) {
      mkdirSync(path.join(out, folder), { recursive: true });
      for (const name of readdirSync(path.join(root, folder))) {
        if (!name.endsWith(".ts") || name.endsWith(".test.ts")) continue;
        const file = `${folder}/${name}`;
        const text = replaced(file, readFileSync(path.join(root, file), "utf8"), replacements);
        writeFileSync(path.join(out, file.replace(/\.ts$/, ".js")), transpiled(text));
      }
    }
    return await import(pathToFileURL(path.join(out, "test/exploration/healing/explore.js")).href);
  } finally {
    rmSync(out, { recursive: true });
  }
}

function replaced(file, text, replacements) {
  let result = text;
  for (const { file: where, find, replace } of replacements) {
    if (file !== `src/core/healing/${where}`) continue;
    if (result.split(find).length !== 2) throw new Error(`${where} has not exactly one: ${find}`);
    result = result.replace(find, () => replace);
  }
  return result;
}

function transpiled(text) {
  return ts.transpileModule(text, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  }).outputText;
}

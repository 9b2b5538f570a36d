/** Our own scenarios: each file is a situation, its outputs the transcript that must come out again. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { withOutputs } from "./runner/case-file.ts";
import { runFile } from "./runner/run-file.ts";

const folder = import.meta.dirname;
const names = readdirSync(folder).filter((name) => name.endsWith(".txt"));

describe("own scenarios of the consensus core", () => {
  it.each(names)("%s gives its transcript", (name) => {
    const text = readFileSync(path.join(folder, name), "utf8");
    const results = runFile(name, text);
    const actual = withOutputs(
      text,
      results.map((result) => result.one),
      results.map((result) => result.output),
    );
    expect(actual).toBe(text);
  });
});

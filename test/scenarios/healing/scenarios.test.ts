/** Each file is a known way for such a protocol to fail; its outputs are the transcript that must come out again. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { describe, expect, it } from "vitest";
import { parseCases, withOutputs } from "../raft/runner/case-file.ts";
import { Interpreter } from "./interpreter.ts";

const folder = import.meta.dirname;
const names = readdirSync(folder).filter((name) => name.endsWith(".txt"));

describe("scenarios of healing", () => {
  it.each(names)("%s gives its transcript", (name) => {
    const file = path.join(folder, name);
    const text = readFileSync(file, "utf8");
    const interpreter = new Interpreter();
    const cases = parseCases(text);
    const actual = withOutputs(
      text,
      cases,
      cases.map((one) => interpreter.run(one)),
    );
    // HEALING_UPDATE=1 writes the present outputs, to be read before they are committed.
    if (process.env["HEALING_UPDATE"] === "1") writeFileSync(file, actual);
    else expect(actual).toBe(text);
  });
});

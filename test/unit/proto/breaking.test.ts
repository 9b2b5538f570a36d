import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = path.resolve(import.meta.dirname, "../../..");
const buf = path.join(root, "node_modules", ".bin", "buf");

describe("the check against breaking changes of the protocol", () => {
  let copy: string;
  beforeAll(() => {
    copy = mkdtempSync(path.join(tmpdir(), "quorate-proto-"));
    cpSync(path.join(root, "proto"), path.join(copy, "proto"), { recursive: true });
    cpSync(path.join(root, "buf.yaml"), path.join(copy, "buf.yaml"));
  });
  afterAll(() => rmSync(copy, { recursive: true }));

  const breaking = () =>
    spawnSync(buf, ["breaking", "--against", path.join(root, ".ci", "proto-baseline.binpb")], {
      cwd: copy,
      encoding: "utf8",
    });

  it("passes on the protocol as it is", () => {
    execFileSync(buf, ["lint"], { cwd: root });
    expect(breaking().status).toBe(0);
  });

  it("finds a field whose number changed", () => {
    const file = path.join(copy, "proto/quorate/userapi/v1/user.proto");
    const before = readFileSync(file, "utf8");
    const after = before.replace("bytes nonce = 1;", "bytes nonce = 7;");
    expect(after).not.toBe(before);
    writeFileSync(file, after);
    const result = breaking();
    expect(result.status).not.toBe(0);
    expect(result.stdout).toContain("nonce");
  });
});

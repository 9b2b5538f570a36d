import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  readInputFile,
  readInputText,
  readOwnFile,
  replaceFile,
  writeNewFile,
} from "../../../src/config/files.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "quorate-files-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("files named in flags", () => {
  it("are read up to the bound and refused beyond it, also without a size of their own", async () => {
    const file = path.join(folder, "a");
    writeFileSync(file, "12345");
    expect(await readInputText(file, "manifest", 5)).toBe("12345");
    await expect(readInputFile(file, "manifest", 4)).rejects.toMatchObject({ code: "too-large" });
    await expect(readInputFile("/dev/zero", "manifest", 1000)).rejects.toMatchObject({
      code: "too-large",
    });
  });

  it("give errors that name the file and what is wrong", async () => {
    await expect(readInputFile(path.join(folder, "none"), "manifest", 5)).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining("none cannot be read: there is no such file") as string,
    });
    await expect(readInputFile(folder, "manifest", 5)).rejects.toMatchObject({
      message: expect.stringContaining("folder") as string,
    });
    writeFileSync(path.join(folder, "binary"), Buffer.from([0xff, 0xfe]));
    await expect(readInputText(path.join(folder, "binary"), "key", 5)).rejects.toMatchObject({
      code: "invalid-argument",
    });
  });

  it("are never overwritten by writeNewFile, and have their mode from the start", async () => {
    const file = path.join(folder, "deep", "key.pem");
    await writeNewFile(file, "secret", 0o600);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await expect(writeNewFile(file, "other", 0o600)).rejects.toMatchObject({
      code: "already-exists",
    });
    expect(readFileSync(file, "utf8")).toBe("secret");
  });

  it("are replaced whole, leaving nothing behind", async () => {
    const file = path.join(folder, "chain.pem");
    expect(await readOwnFile(file)).toBeUndefined();
    await replaceFile(file, "one", 0o644);
    await replaceFile(file, "two", 0o644);
    expect(Buffer.from((await readOwnFile(file))!).toString()).toBe("two");
    expect(readdirSync(folder)).toEqual(["chain.pem"]);
  });
});

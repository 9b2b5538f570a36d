import {
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Secret } from "../../../src/crypto/index.ts";
import { type Credentials, writeCredentials } from "../../../src/sidecar/output-folder.ts";

const credentials = (text: string, secret?: string): Credentials => ({
  privateKey: `key ${text}`,
  certificateChain: `chain ${text}`,
  trustBundle: `bundle ${text}`,
  meshCa: `mesh ${text}`,
  rootCa: `root ${text}`,
  secret: secret === undefined ? undefined : Secret.take(Buffer.from(secret)),
});

let folder: string;
beforeEach(() => {
  folder = path.join(mkdtempSync(path.join(tmpdir(), "quorate-out-")), "tls");
});
afterEach(() => rmSync(path.dirname(folder), { recursive: true }));

const read = (name: string) => readFileSync(path.join(folder, name), "utf8");

describe("the sidecar's output folder", () => {
  it("holds every file with the right mode, and nothing else after a renewal", async () => {
    await writeCredentials(folder, credentials("one", "s1"));
    await writeCredentials(folder, credentials("two", "s2"));
    expect(read("tls.key")).toBe("key two");
    expect(read("tls.crt")).toBe("chain two");
    expect(read("secret")).toBe("s2");
    expect(statSync(path.join(folder, "tls.key")).mode & 0o777).toBe(0o600);
    expect(statSync(path.join(folder, "secret")).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const names = readdirSync(folder).filter((name) => !name.startsWith("..set-"));
    expect(names.sort()).toEqual([
      "..current",
      "mesh-ca.pem",
      "root-ca.pem",
      "secret",
      "tls.crt",
      "tls.key",
      "trust-bundle.pem",
    ]);
    expect(readdirSync(folder).filter((name) => name.startsWith("..set-"))).toHaveLength(1);
  });

  it("never shows a key of one set beside a chain of another", async () => {
    await writeCredentials(folder, credentials("0"));
    let writing = true;
    const writer = (async () => {
      for (let i = 1; i <= 20; i++) await writeCredentials(folder, credentials(String(i)));
      writing = false;
    })();
    let reads = 0;
    while (writing) {
      const current = path.join(folder, "..current");
      // What a careful reader does: resolve the folder once, then read both files there.
      try {
        const set = realpathSync(current);
        const key = readFileSync(path.join(set, "tls.key"), "utf8").replace("key ", "");
        const chain = readFileSync(path.join(set, "tls.crt"), "utf8").replace("chain ", "");
        expect(chain).toBe(key);
        reads++;
      } catch (cause) {
        // The set was replaced and removed between two steps: a reader resolves again.
        expect((cause as NodeJS.ErrnoException).code).toBe("ENOENT");
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writer;
    expect(reads).toBeGreaterThan(5);
  });

  it("loses the secret when the policy no longer names one", async () => {
    await writeCredentials(folder, credentials("one", "s1"));
    await writeCredentials(folder, credentials("two"));
    expect(readdirSync(folder)).not.toContain("secret");
  });

  it("does not overwrite a file that somebody else put there", async () => {
    await writeCredentials(folder, credentials("one"));
    rmSync(path.join(folder, "tls.key"));
    writeFileSync(path.join(folder, "tls.key"), "precious");
    await expect(writeCredentials(folder, credentials("two"))).rejects.toMatchObject({
      code: "invalid-argument",
    });
    expect(read("tls.key")).toBe("precious");
  });
});

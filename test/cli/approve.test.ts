import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ACCEPT_DEV, PEOPLE, type Person, World } from "../integration/service/world.ts";

const execute = promisify(execFile);
const GENESIS = ["approve", "manifest.json", "--genesis"] as const;

/** What an HSM would do with the exported bytes, done by OpenSSL. */
const SIGN: Record<(typeof PEOPLE)[Person], (key: string, bytes: string, out: string) => string[]> =
  {
    "p-256": (key, bytes, out) => ["dgst", "-sha256", "-sign", key, "-out", out, bytes],
    "p-384": (key, bytes, out) => ["dgst", "-sha384", "-sign", key, "-out", out, bytes],
    ed25519: (key, bytes, out) => [
      "pkeyutl",
      "-sign",
      "-rawin",
      "-inkey",
      key,
      "-in",
      bytes,
      "-out",
      out,
    ],
  };

let world: World;
beforeAll(async () => {
  world = await World.create();
  await world.ok(...GENESIS, "--export", "to-sign.bin");
});
afterAll(() => world.close());

function approvalFrom(person: string, signature: string) {
  const files = ["--public-key", `${person}.pub.pem`, "--signature", signature];
  return world.run(...GENESIS, ...files, "--out", `${person}.hsm.json`);
}

describe("an approval through an HSM", () => {
  it("is taken from OpenSSL for every kind of owner's key, and counts at a coordinator", async () => {
    for (const [person, algorithm] of Object.entries(PEOPLE)) {
      const key = world.file(`${person}.key.pem`);
      const signature = world.file(`${person}.signature`);
      await execute("openssl", SIGN[algorithm](key, world.file("to-sign.bin"), signature));
      expect(await approvalFrom(person, signature)).toMatchObject({ code: 0 });
    }
    const { user } = await world.coordinator();
    // carol's and bob's: the kinds of key that the other tests do not use.
    const approvals = ["--approval", "carol.hsm.json", "--approval", "bob.hsm.json"];
    const set = ["set", "manifest.json", ...approvals, "--policies", ".", "--key", "carol.key.pem"];
    const { record } = await world.json(...set, "-c", user, ACCEPT_DEV);
    expect(record).toMatch(/^[0-9a-f]{64}$/);
  });

  it("is refused with code 4 if the signature is over other bytes, or somebody else's", async () => {
    const bytes = await readFile(world.file("to-sign.bin"));
    await writeFile(world.file("other.bin"), Buffer.concat([bytes, Buffer.of(0)]));
    const key = world.file("bob.key.pem");
    const signature = world.file("other.signature");
    await execute("openssl", SIGN["p-384"](key, world.file("other.bin"), signature));
    const other = await approvalFrom("bob", signature);
    expect(other).toMatchObject({ code: 4, stdout: "" });
    expect(other.stderr).toContain("hint: sign the bytes that --export writes, unhashed");
    expect(await approvalFrom("alice", world.file("bob.signature"))).toMatchObject({ code: 4 });
  });

  it("never replaces bytes that were exported before", async () => {
    const again = await world.run(...GENESIS, "--export", "to-sign.bin");
    expect(again).toMatchObject({ code: 6, stdout: "" });
  });
});

describe("quorate approve", () => {
  it("needs to be told for which place in the history", async () => {
    const neither = await world.run("approve", "manifest.json", "--key", "alice.key.pem");
    expect(neither.code).toBe(2);
    const both = await world.run(...GENESIS, "--verified", "verified", "--key", "alice.key.pem");
    expect(both.code).toBe(2);
    expect(both.stderr).toContain("hint: give either --genesis, or --verified");
  });

  it("warns if the key is not an owner's, and prints the approval all the same", async () => {
    await world.ok("keygen", "owner", "--out", "mallory");
    const { code, stdout, stderr } = await world.run(...GENESIS, "--key", "mallory.key.pem");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ format: "quorate/approval/v1", kind: "genesis" });
    expect(stderr).toContain("warning: this key is not an owner's of the manifest");
  });

  it("refuses keys that cannot sign, with what to give instead", async () => {
    const share = await world.run(...GENESIS, "--key", "alice-share.key.pem");
    expect(share.stderr).toContain("an owner's key is P-256, P-384");
    const open = await world.run(...GENESIS, "--key", "alice.pub.pem");
    expect(open.stderr).toContain("alice.pub.pem is not a private key");
    expect([share.code, open.code]).toEqual([1, 1]);
  });
});

import { serialize } from "node:v8";
import { format, inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { AssertionError } from "../../../src/core/assert.ts";
import { toHex, utf8 } from "../../../src/core/bytes.ts";
import { QuorateError } from "../../../src/core/errors.ts";
import { Secret } from "../../../src/crypto/secret.ts";

const TEXT = "correct horse battery staple";

/** Every form in which the secret's bytes could show up in text. */
function formsOf(text: string): string[] {
  const bytes = Buffer.from(text);
  return [text, toHex(bytes), bytes.toString("base64"), [...bytes].join(","), [...bytes].join(" ")];
}

function secretOf(text: string): Secret {
  return Secret.take(utf8(text));
}

describe("Secret", () => {
  it("prints [redacted] in every way that turns a value into text", () => {
    const secret = secretOf(TEXT);
    const printed = [
      String(secret),
      "".concat(secret as unknown as string),
      JSON.stringify(secret),
      JSON.stringify({ nested: [secret] }),
      inspect(secret),
      inspect({ nested: { secret } }, { depth: 10, showHidden: true, getters: true }),
      format("%s %o %O %j", secret, secret, secret, secret),
      new QuorateError("internal", `with ${String(secret)}`, { cause: secret }).message,
    ];
    expect(printed).toHaveLength(8);
    for (const text of printed) {
      expect(text).toContain("[redacted]");
      for (const form of formsOf(TEXT)) expect(text).not.toContain(form);
    }
  });

  it("shows nothing to code that walks its properties, even without its own printer", () => {
    const secret = secretOf(TEXT);
    const walked = [
      inspect(secret, { customInspect: false, showHidden: true, depth: 10 }),
      Object.getOwnPropertyNames(secret).join(),
      JSON.stringify(Object.assign({}, secret)),
      JSON.stringify(Object.entries(secret)),
    ];
    for (const text of walked) for (const form of formsOf(TEXT)) expect(text).not.toContain(form);
  });

  it("can't be cloned or serialized along with what holds it", () => {
    const secret = secretOf(TEXT);
    expect(structuredClone(secret)).toEqual({});
    expect(serialize({ secret }).includes(Buffer.from(TEXT))).toBe(false);
  });

  it("zeroes the bytes that it was made from", () => {
    const source = utf8(`..${TEXT}..`);
    const secret = Secret.take(source.subarray(2, 2 + TEXT.length));
    expect(Buffer.from(source).toString()).toBe(`..${"\0".repeat(TEXT.length)}..`);
    expect(secret.use((bytes) => Buffer.from(bytes).toString())).toBe(TEXT);
  });

  it("zeroes its bytes on dispose and refuses later use", () => {
    const secret = secretOf(TEXT);
    const lent = secret.use((bytes) => bytes);
    secret.dispose();
    secret.dispose();
    expect(lent.every((byte) => byte === 0)).toBe(true);
    expect(secret.disposed).toBe(true);
    expect(() => secret.use(() => 1)).toThrow(AssertionError);
  });

  it("stays readable for an asynchronous reader that started before dispose", async () => {
    const secret = secretOf(TEXT);
    let lent: Uint8Array | undefined;
    const reading = secret.use(async (bytes) => {
      lent = bytes;
      await new Promise((resolve) => setImmediate(resolve));
      return Buffer.from(bytes).toString();
    });
    secret.dispose();
    expect(await reading).toBe(TEXT);
    expect(lent?.every((byte) => byte === 0)).toBe(true);
  });

  it("is zeroed also when a reader fails", async () => {
    for (const fail of [
      (): never => {
        throw new Error("no");
      },
      () => Promise.reject(new Error("no")),
    ]) {
      const secret = secretOf(TEXT);
      const lent = secret.use((bytes) => bytes);
      await expect((async () => secret.use(fail))()).rejects.toThrow("no");
      secret.dispose();
      expect(lent.every((byte) => byte === 0)).toBe(true);
    }
  });

  it("makes random secrets that differ", () => {
    const [a, b] = [Secret.random(32), Secret.random(32)].map((secret) => secret.use(toHex));
    expect(a).toHaveLength(64);
    expect(a).not.toBe(b);
  });
});

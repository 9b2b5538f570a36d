import { describe, expect, it } from "vitest";
import { utf8 } from "../../../../src/core/bytes.ts";
import {
  encodeApprovals,
  encodeShares,
  parseApprovals,
  parseShares,
  type SharesDocument,
  sharesFit,
} from "../../../../src/core/history/index.ts";
import { OWNERS_MAX } from "../../../../src/core/limits.ts";
import { parsed, sampleManifest } from "../manifest/sample-manifest.ts";
import { sha256 } from "./sample-records.ts";

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe("the approvals document", () => {
  const [low, high] = [sha256("a"), sha256("b")].sort() as [
    ReturnType<typeof sha256>,
    ReturnType<typeof sha256>,
  ];
  const approvals = [
    { key: low, signature: Uint8Array.of(1) },
    { key: high, signature: Uint8Array.of(2, 3) },
  ];
  const text =
    `{"format":"quorate/approvals/v1","approvals":[{"key":"${low}","signature":"AQ=="},` +
    `{"key":"${high}","signature":"AgM="}]}`;

  it("is sorted by key, with one approval a key", () => {
    const repeated = { key: low, signature: Uint8Array.of(9) };
    expect(decode(encodeApprovals([...approvals].reverse()))).toBe(text);
    expect(decode(encodeApprovals([...approvals, repeated]))).toBe(text);
  });

  it("reads back what was encoded", () => {
    expect(parseApprovals(utf8(text))).toEqual({ ok: true, value: approvals });
    expect(parseApprovals(encodeApprovals([]))).toEqual({ ok: true, value: [] });
  });

  it("holds as many approvals as there can be owners", () => {
    const all = Array.from({ length: OWNERS_MAX }, (_, i) => ({
      key: sha256(`${i}`),
      signature: new Uint8Array(104),
    }));
    expect(parseApprovals(encodeApprovals(all)).ok).toBe(true);
    expect(parseApprovals(encodeApprovals([...all, approvals[0]!])).ok).toBe(false);
  });

  it.each([
    ["a space", text.replace(":", ": ")],
    ["another order", text.replace(low, "x").replace(high, low).replace("x", high)],
    ["a repeated key", text.replace(high, low)],
    ["an empty signature", text.replace("AQ==", "")],
    ["an oversized signature", text.replace("AQ==", Buffer.alloc(105).toString("base64"))],
    ["an unknown field", text.replace("}]}", '}],"x":1}')],
    ["another format", text.replace("/v1", "/v2")],
    ["no object", "[]"],
  ])("is refused with %s", (_, source) => {
    const result = parseApprovals(utf8(source));
    expect(result).toMatchObject({ ok: false, error: { code: "invalid-argument" } });
  });
});

describe("the shares document", () => {
  const owners = parsed(sampleManifest()).shareOwners!;
  const document: SharesDocument = {
    threshold: 2,
    shares: owners.keys.map((key, index) => ({
      key: key.keyId,
      name: key.name,
      algorithm: key.algorithm,
      ciphertext: new Uint8Array(145).fill(index),
      commitment: sha256(`share ${index}`),
    })),
  };
  const text = decode(encodeShares(document));
  const [one, two] = document.shares as [
    SharesDocument["shares"][number],
    SharesDocument["shares"][number],
  ];

  it("reads back what was encoded, in the manifest's order", () => {
    expect(text.startsWith('{"format":"quorate/shares/v1","threshold":2,"shares":[{"key":"')).toBe(
      true,
    );
    expect(parseShares(utf8(text))).toEqual({ ok: true, value: document });
  });

  it.each([
    ["a threshold above the number of shares", text.replace('"threshold":2', '"threshold":4')],
    ["a threshold of zero", text.replace('"threshold":2', '"threshold":0')],
    ["a repeated key", text.replace(two.key, one.key)],
    ["a repeated name", text.replace(`"${two.name}"`, `"${one.name}"`)],
    ["a repeated commitment", text.replace(two.commitment, one.commitment)],
    ["an unknown algorithm", text.replace("x25519-hpke", "none")],
    ["white space", `${text}\n`],
    ["no shares", '{"format":"quorate/shares/v1","threshold":1,"shares":[]}'],
  ])("is refused with %s", (_, source) => {
    const result = parseShares(utf8(source));
    expect(result).toMatchObject({ ok: false, error: { code: "store-corrupt" } });
  });

  it("fits the share owners that it was made for, and no others", () => {
    expect(sharesFit(document, owners)).toBe(true);
    expect(sharesFit(document, { ...owners, threshold: 3 })).toBe(false);
    expect(sharesFit(document, { ...owners, keys: owners.keys.slice(1) })).toBe(false);
    expect(sharesFit(document, { ...owners, keys: owners.keys.toReversed() })).toBe(false);
    const renamed = owners.keys.map((key) => ({ ...key, name: `${key.name}2` }));
    expect(sharesFit(document, { ...owners, keys: renamed })).toBe(false);
  });
});

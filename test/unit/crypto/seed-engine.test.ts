import { createHmac, createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { p384 } from "@noble/curves/nist.js";
import { bytesToNumberBE, createHmacDrbg, inRange } from "@noble/curves/utils.js";
import { describe, expect, it } from "vitest";
import { concat, fromHex, toHex, utf8 } from "../../../src/core/bytes.ts";
import { deterministicP384Key } from "../../../src/crypto/deterministic-key.ts";
import { spkiOf } from "../../../src/crypto/spki.ts";
import { Secret } from "../../../src/crypto/secret.ts";
import { SEED_AND_SALT_BYTES, SeedEngine } from "../../../src/crypto/seed-engine.ts";

interface KeyVector {
  readonly keySeed: string;
  readonly scalar: string;
  readonly spki: string;
}

interface Vector {
  readonly name: string;
  readonly seed: string;
  readonly salt: string;
  readonly rootCaKey: KeyVector;
  readonly historyKey: KeyVector;
  readonly lineage: string;
  readonly workloadSecrets: Readonly<Record<string, string>>;
}

const { vectors } = JSON.parse(
  readFileSync(new URL("../../../docs/vectors/seed-engine.json", import.meta.url), "utf8"),
) as { readonly vectors: readonly Vector[] };

/** c2sp.org/det-keygen: the published vectors for secp384r1, as seed length (bytes of 0x42) and scalar. */
const DET_KEYGEN = [
  [
    16,
    "3170cf870785cc87d9bb01366468347831f965608375a9a8d9c528ee64a9716c5736f77834cf36c54ea258117054e2be",
  ],
  [
    21,
    "a058bb75f3e534f7265d5987980109f2dfee3b1498dcce6bdcdd37f171f1d9bb2a1dbf000ddb93416f8fb4d29fff5567",
  ],
  [
    24,
    "ffb39382dbb54e52594fc32c35e4c79e35662ff0baa489ee39cf5769cc6c1d062ec4c4e4309ea9190ec59d57510b4b18",
  ],
  [
    36,
    "dca571f155084f2d303d0d1ec63670a7d176b478e82619c409fcc972eec38aa4bf4252b1d03027c1d71ab1a9d6419648",
  ],
  [
    48,
    "c88662d22bfd50c727add8c8a7967efb808434d07cfddc0c4bd0ccbd95c06f93ed3ce5e56032235f99f4bba742a11b8f",
  ],
] as const;

function bytesOf(hex: string): Uint8Array {
  return fromHex(hex)!;
}

function engineOf(vector: Vector): SeedEngine {
  return new SeedEngine(Secret.take(bytesOf(vector.seed + vector.salt)));
}

function mac(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(
    createHmac("sha256", key)
      .update(concat(...parts))
      .digest(),
  );
}

function textPart(text: string): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(text));
  return concat(length, utf8(text));
}

/** HKDF (RFC 5869) spelled out, so that nothing of the engine's derivation is shared. */
function hkdf(vector: Vector, purpose: string, id: string, length: number): Uint8Array {
  const pseudorandomKey = mac(bytesOf(vector.salt), bytesOf(vector.seed));
  const info = concat(textPart("quorate/seed/v1"), textPart(purpose), textPart(id));
  const first = mac(pseudorandomKey, info, Uint8Array.of(1));
  const second = mac(pseudorandomKey, first, info, Uint8Array.of(2));
  return concat(first, second).slice(0, length);
}

/** Scalar and SPKI by the curve library's own HMAC_DRBG and arithmetic. */
function secondMethod(keySeed: Uint8Array): { scalar: string; spki: string } {
  const order = p384.Point.Fn.ORDER;
  const generate = createHmacDrbg<Uint8Array>(32, 48, mac);
  const scalar = generate(concat(keySeed, utf8("det ECDSA key gen P-384")), (candidate) =>
    inRange(bytesToNumberBE(candidate.subarray(0, 48)), 1n, order)
      ? candidate.slice(0, 48)
      : undefined,
  );
  const point = p384.getPublicKey(scalar, false);
  return {
    scalar: toHex(scalar),
    spki: `3076301006072a8648ce3d020106052b81040022036200${toHex(point)}`,
  };
}

function scalarOf(key: ReturnType<typeof deterministicP384Key>): string {
  return toHex(Buffer.from(key.export({ format: "jwk" }).d!, "base64url"));
}

describe("deterministic P-384 keys", () => {
  it.each(DET_KEYGEN)("match the published vector for a seed of %i bytes", (length, scalar) => {
    const key = deterministicP384Key(Secret.take(new Uint8Array(length).fill(0x42)));
    expect(scalarOf(key)).toBe(scalar);
    expect(createPublicKey(key).asymmetricKeyDetails?.namedCurve).toBe("secp384r1");
  });
});

describe("the seed engine", () => {
  it("has vectors to be checked against", () => {
    expect(vectors.map(({ name }) => name)).toEqual(["zeros", "counting", "hashed"]);
  });

  it.each(vectors)("derives the published keys and secrets of '$name'", (vector) => {
    const engine = engineOf(vector);
    expect(scalarOf(engine.rootKey)).toBe(vector.rootCaKey.scalar);
    expect(toHex(spkiOf(engine.rootKey))).toBe(vector.rootCaKey.spki);
    expect(toHex(spkiOf(engine.rootPublicKey))).toBe(vector.rootCaKey.spki);
    expect(toHex(engine.historyKey.spki)).toBe(vector.historyKey.spki);
    expect(engine.lineage).toBe(vector.lineage);
    for (const [id, expected] of Object.entries(vector.workloadSecrets)) {
      expect(engine.workloadSecret(id).use(toHex)).toBe(expected);
    }
  });

  it.each(vectors)("agrees on '$name' with a second method that shares no code", (vector) => {
    for (const [purpose, key] of [
      ["root-ca-key", vector.rootCaKey],
      ["history-key", vector.historyKey],
    ] as const) {
      const keySeed = hkdf(vector, purpose, "", 64);
      expect(toHex(keySeed)).toBe(key.keySeed);
      expect(secondMethod(keySeed)).toEqual({ scalar: key.scalar, spki: key.spki });
    }
    for (const [id, expected] of Object.entries(vector.workloadSecrets)) {
      expect(toHex(hkdf(vector, "workload-secret", id, 32))).toBe(expected);
    }
  });

  it("gives every purpose and every secret id another value", () => {
    const engine = SeedEngine.generate();
    const secrets = ["", "a", "b", "root-ca-key"].map((id) => engine.workloadSecret(id).use(toHex));
    const keys = [spkiOf(engine.rootKey), engine.historyKey.spki].map(toHex);
    expect(new Set([...secrets, ...keys]).size).toBe(6);
  });

  it("is rebuilt from what it exports, and salt and seed both count", () => {
    const engine = SeedEngine.generate();
    const exported = engine.exportSeedAndSalt();
    expect(exported.length).toBe(SEED_AND_SALT_BYTES);
    const again = exported.use((bytes) => new SeedEngine(Secret.take(bytes.slice())));
    expect(again.lineage).toBe(engine.lineage);
    for (const index of [0, 63, 64, 95]) {
      const changed = exported.use((bytes) => bytes.slice());
      changed[index]! ^= 1;
      expect(new SeedEngine(Secret.take(changed)).lineage).not.toBe(engine.lineage);
    }
  });

  it("derives nothing after it was disposed", () => {
    const engine = SeedEngine.generate();
    engine.dispose();
    expect(() => engine.workloadSecret("web")).toThrow("disposed");
    expect(() => engine.exportSeedAndSalt()).toThrow("disposed");
  });

  it("shows none of its secrets when it is printed", () => {
    const engine = engineOf(vectors[1]!);
    const printed = inspect(engine, { depth: 10, showHidden: true }) + JSON.stringify(engine);
    for (const hidden of [vectors[1]!.seed, vectors[1]!.salt, vectors[1]!.rootCaKey.scalar]) {
      expect(printed).not.toContain(hidden.slice(0, 16));
      expect(printed).not.toContain([...bytesOf(hidden.slice(0, 8))].join(", "));
    }
  });
});

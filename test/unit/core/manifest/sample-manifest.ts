/** A valid manifest as a plain object to vary, and key parsers that need no cryptography. */
import { createHash } from "node:crypto";
import type { Sha256 } from "../../../../src/core/brand.ts";
import { utf8 } from "../../../../src/core/bytes.ts";
import type { Fault, QuorateError } from "../../../../src/core/errors.ts";
import {
  type KeyParser,
  type KeyParsers,
  type Manifest,
  parseManifest,
} from "../../../../src/core/manifest/index.ts";
import { err, ok, type Result } from "../../../../src/core/result.ts";

export function sha256(data: Uint8Array | string): Sha256 {
  return createHash("sha256").update(data).digest("hex") as Sha256;
}

/** Takes `<algorithm>:<anything>`; white space around it does not make another key. */
function fakeKeyParser<Algorithm extends string>(
  algorithms: readonly Algorithm[],
): KeyParser<Algorithm> {
  return (text) => {
    const key = text.trim();
    const algorithm = algorithms.find((each) => key.startsWith(`${each}:`));
    if (algorithm === undefined) return err({ message: "not a key of this kind" });
    return ok({ algorithm, keyId: sha256(key), spki: utf8(key) });
  };
}

export const fakeKeys: KeyParsers = {
  parseOwnerKey: fakeKeyParser(["ecdsa-sha256", "ecdsa-sha384", "ed25519"]),
  parseShareOwnerKey: fakeKeyParser(["rsa-oaep-sha256", "x25519-hpke"]),
};

export const COORDINATOR_POLICY = "c0".repeat(32) as Sha256;
export const WEB_POLICY = "aa".repeat(32) as Sha256;

export function snpSet(extra: object = {}): object {
  return {
    platform: "snp",
    measurement: "ab".repeat(48),
    minimumTcb: { Milan: { bootloader: 3, tee: 0, snp: 8, microcode: 115 } },
    ...extra,
  };
}

/** A new plain object each time, so that tests may change it. */
export function sampleManifest() {
  return {
    format: "quorate/manifest/v1",
    trustDomain: "mesh.example",
    coordinators: ["coordinator-0"],
    policies: {
      [COORDINATOR_POLICY]: {
        role: "coordinator",
        spiffePath: "/quorate/coordinator",
        referenceValues: ["milan"],
      },
      [WEB_POLICY]: {
        spiffePath: "/ns/default/web",
        dnsNames: ["web", "*.web.default.svc"],
        ipAddresses: ["10.0.0.1", "2001:db8::1"],
        secretId: "web",
        referenceValues: ["milan"],
      },
    } as Record<string, Record<string, unknown>>,
    referenceValues: { milan: snpSet() } as Record<string, object>,
    owners: {
      threshold: 2,
      keys: ["alice", "bob", "carol"].map((name) => ({ name, publicKey: `ed25519:${name}` })),
    },
    shareOwners: {
      threshold: 2,
      keys: ["dora", "eve", "frank"].map((name) => ({ name, publicKey: `x25519-hpke:${name}` })),
    } as { threshold: number; keys: { name: string; publicKey: string }[] } | undefined,
    recovery: { heal: "survivors", sealProviders: [] as string[] },
    certificates: { leafLifetimeSeconds: 3600 },
  };
}

export function parse(manifest: unknown): Result<Manifest, QuorateError> {
  const source = typeof manifest === "string" ? manifest : JSON.stringify(manifest);
  return parseManifest(utf8(source), fakeKeys);
}

/** @throws the error with its faults spelt out */
export function parsed(manifest: unknown): Manifest {
  const result = parse(manifest);
  if (!result.ok) throw new Error(JSON.stringify(result.error.faults, undefined, 1));
  return result.value;
}

export function faultsOf(manifest: unknown): readonly string[] {
  const result = parse(manifest);
  if (result.ok) return [];
  return result.error.faults.map((fault: Fault) => `${fault.path} ${fault.message}`);
}

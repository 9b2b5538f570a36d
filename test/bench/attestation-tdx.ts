/** TDX verification against the bare signature verifications that it cannot do without. */
import { generateKeyPairSync, sign, verify } from "node:crypto";
import { CertificateCache } from "../../src/attestation/certificate-cache.ts";
import { verifyTdx } from "../../src/attestation/tdx/verify-tdx.ts";
import { type MadeTdxEvidence, makeTdxEvidence, NOW } from "../support/attestation/tdx-vendor.ts";
import type { BenchRow } from "./bench-row.ts";

const ROUNDS = 7;
const COLD_CALLS = 60;
const WARM_CALLS = 400;
/** Chain 3, TCB signer 1, revocation lists 2, documents 2, QE report 1, quote 1. */
const SIGNATURES = 10;

/** Rows of TDX attestation: medians over rounds in which product and floor take turns. */
export async function bench(): Promise<BenchRow[]> {
  const made = await makeTdxEvidence();
  const warmCache = new CertificateCache();
  await check(made, warmCache);
  const bare = bareVerification();
  const together = async (): Promise<void> => {
    await Promise.all(Array.from({ length: SIGNATURES }, bare));
  };
  const cold = await compare(COLD_CALLS, () => check(made, new CertificateCache()), together);
  const warm = await compare(WARM_CALLS, () => check(made, warmCache), bare);
  return [
    {
      name: "TDX verifications, one after another, nothing cached",
      value: cold.perSecond,
      unit: "/s",
      floor: { name: `${SIGNATURES} P-256 verifications at once`, value: cold.floorPerSecond },
      note: "the rest is parsing five certificates, two lists and two documents, and importing their keys",
    },
    {
      name: "TDX verifications, one after another, chain and collateral cached",
      value: warm.perSecond,
      unit: "/s",
      floor: { name: "1 P-256 verification", value: warm.floorPerSecond },
      note: "the rest is parsing the quote and hashing chain and collateral, to know them again",
    },
  ];
}

async function check(
  { evidence, collateral, root }: MadeTdxEvidence,
  cache: CertificateCache,
): Promise<void> {
  const context = { collateral, now: NOW, developmentRoots: new Set([root]), cache };
  const { failures } = await verifyTdx(evidence, context);
  if (failures.length > 0) throw new Error("must be genuine");
}

/** One verification in the thread pool of as many bytes as a quote signs, the key at hand. */
function bareVerification(): () => Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signed = new Uint8Array(632).fill(1);
  const signature = sign("sha256", signed, { key: privateKey, dsaEncoding: "ieee-p1363" });
  return () =>
    new Promise((resolve, reject) => {
      const key = { key: publicKey, dsaEncoding: "ieee-p1363" } as const;
      verify("sha256", signed, key, signature, (error, good) => {
        if (error === null && good) resolve();
        else reject(error ?? new Error("must be good"));
      });
    });
}

async function compare(calls: number, product: () => Promise<void>, floor: () => Promise<void>) {
  const [products, floors]: [number[], number[]] = [[], []];
  for (let round = 0; round <= ROUNDS; round++) {
    const [one, other] = [await rate(calls, product), await rate(calls, floor)];
    // The first round warms up the compiler.
    if (round === 0) continue;
    products.push(one);
    floors.push(other);
  }
  return { perSecond: median(products), floorPerSecond: median(floors) };
}

async function rate(calls: number, call: () => Promise<void>): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < calls; i++) await call();
  return (calls / (performance.now() - start)) * 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

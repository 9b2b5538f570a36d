/** SNP verification against the bare signature verifications that it cannot do without, and its hold on the event loop. */
import { type KeyObject, constants, verify } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { promisify } from "node:util";
import { parseCertificate, publicKeyOf } from "../../src/crypto/x509-view.ts";
import { Appraiser } from "../../src/attestation/appraiser.ts";
import { CertificateCache } from "../../src/attestation/certificate-cache.ts";
import { appraiseClaims } from "../../src/attestation/policy/appraise-claims.ts";
import { parseSnpReport } from "../../src/attestation/snp/report.ts";
import { verifySnp } from "../../src/attestation/snp/verify-snp.ts";
import { NO_COLLATERAL, type VerifiedEvidence } from "../../src/attestation/verification.ts";
import { PROPER_SET, policyOf } from "../support/attestation/policies.ts";
import {
  type MadeEvidence,
  NOW,
  makeEvidence,
  p384,
  rsa,
} from "../support/attestation/snp-vendor.ts";
import type { BenchRow } from "./bench-row.ts";

const ROUNDS = 7;
const COLD_CALLS = 15;
const WARM_CALLS = 60;
const APPRAISALS = 20_000;
const BURST = 64;

/** Rows of attestation. AMD's key sizes, made anew. */
export async function bench(): Promise<BenchRow[]> {
  const [ark, ask, leaf] = await Promise.all([rsa(4096), rsa(4096), p384()]);
  const burst = await Promise.all(
    Array.from({ length: 2 * BURST }, (_, index) =>
      makeEvidence({ ark, ask, leaf }, { report: { guestSvn: 100 + index } }),
    ),
  );
  const [made] = burst;
  if (made === undefined) throw new Error("a burst has a first piece");
  const shared = new CertificateCache();
  const warm = await check(made, shared);
  const bare = bareVerifications(made);

  const cold = await compare(COLD_CALLS, () => check(made, new CertificateCache()), bare.chain);
  const hot = await compare(WARM_CALLS, () => check(made, shared), bare.report);
  const policy = policyOf({ web: { ...PROPER_SET, developmentRoot: made.root } });
  const start = performance.now();
  for (let i = 0; i < APPRAISALS; i++) {
    if (!appraiseClaims(warm, policy, NOW).accepted) throw new Error("must be accepted");
  }
  const appraisalMicros = ((performance.now() - start) / APPRAISALS) * 1000;
  const appraiser = new Appraiser();
  const coldBurst = await burstDelay(burst.slice(0, BURST), appraiser);
  const warmBurst = await burstDelay(burst.slice(BURST), appraiser);
  return [
    {
      name: "SNP verifications, one after another, nothing cached",
      value: cold.perSecond,
      unit: "/s",
      floor: { name: "3 RSA-PSS-4096 and 1 P-384 verification", value: cold.floorPerSecond },
      note: "the rest is parsing, hashing and importing three keys",
    },
    {
      name: "SNP verifications, one after another, chain cached",
      value: hot.perSecond,
      unit: "/s",
      floor: { name: "1 P-384 verification", value: hot.floorPerSecond },
    },
    { name: "appraisal of verified claims", value: appraisalMicros, unit: "µs" },
    {
      name: `event-loop delay, ${BURST} verifications at once, nothing cached, worst`,
      value: coldBurst,
      unit: "ms",
    },
    {
      name: `event-loop delay, ${BURST} verifications at once, chain cached, worst`,
      value: warmBurst,
      unit: "ms",
    },
  ];
}

async function check(made: MadeEvidence, cache: CertificateCache): Promise<VerifiedEvidence> {
  const verified = await verifySnp(made.evidence, {
    collateral: NO_COLLATERAL,
    now: NOW,
    developmentRoots: new Set([made.root]),
    cache,
  });
  if (verified.failures.length > 0) throw new Error("must be genuine");
  return verified;
}

const verifyInPool = promisify(
  (
    hash: string,
    signed: Uint8Array,
    key: Parameters<typeof verify>[2],
    signature: Uint8Array,
    done: (error: Error | null, good: boolean) => void,
  ) => verify(hash, signed, key, signature, done),
);

/** The signatures themselves, in the thread pool, with keys and bytes at hand. */
function bareVerifications(made: MadeEvidence) {
  const read = (der: Uint8Array) => {
    const parsed = parseCertificate(der);
    if (!parsed.ok) throw new Error(parsed.error.message);
    const key = publicKeyOf(parsed.value);
    if (key === undefined) throw new Error("no key");
    return { ...parsed.value, key };
  };
  const [ark, ask, leaf] = [read(made.ark), read(made.ask), read(made.leaf)];
  const { parsed } = parseSnpReport(made.evidence.quote);
  if (parsed === undefined) throw new Error("a report");
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  const step = async (child: typeof ark, key: KeyObject): Promise<void> => {
    const options = { key, padding, saltLength: 48 };
    if (!(await verifyInPool("sha384", child.tbs, options, child.signature))) {
      throw new Error("must be good");
    }
  };
  const report = async (): Promise<void> => {
    const options = { key: leaf.key, dsaEncoding: "ieee-p1363" } as const;
    if (!(await verifyInPool("sha384", parsed.signedBytes, options, parsed.signature))) {
      throw new Error("must be good");
    }
  };
  const chain = async (): Promise<void> => {
    await step(leaf, ask.key);
    await step(ask, ark.key);
    await step(ark, ark.key);
    await report();
  };
  return { chain, report };
}

/** Both in turns, so that a change of the machine's speed meets both; medians of the rounds. */
async function compare(
  calls: number,
  measured: () => Promise<unknown>,
  floor: () => Promise<unknown>,
): Promise<{ perSecond: number; floorPerSecond: number }> {
  const rate = async (run: () => Promise<unknown>): Promise<number> => {
    const start = performance.now();
    for (let i = 0; i < calls; i++) await run();
    return (1000 * calls) / (performance.now() - start);
  };
  const rates: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    floors.push(await rate(floor));
    rates.push(await rate(measured));
  }
  return { perSecond: median(rates), floorPerSecond: median(floors) };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

async function burstDelay(burst: readonly MadeEvidence[], appraiser: Appraiser): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await Promise.all(
    burst.map(async ({ evidence, root }) => {
      const context = { collateral: NO_COLLATERAL, now: NOW, developmentRoots: new Set([root]) };
      const { failures } = await appraiser.verify(evidence, context);
      if (failures.length > 0) throw new Error("must be genuine");
    }),
  );
  histogram.disable();
  return histogram.max / 1e6;
}

/** `quorate evidence verify`: the whole verdict on evidence in files, offline. */
import { MANIFEST_BYTES_MAX } from "../../core/limits.ts";
import { QuorateError } from "../../core/errors.ts";
import { FaultSink, parseJson } from "../../core/json/index.ts";
import { type ReferenceSets, referenceSets } from "../../core/manifest/index.ts";
import { readInputFile } from "../../config/files.ts";
import {
  type AppraisalPolicy,
  Appraiser,
  type Claims,
  type Verdict,
  type VerifiedEvidence,
  appraisalPolicy,
  proposeReferenceValues,
} from "../../attestation/index.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { type Io, type OutputFormat, printResult } from "../io.ts";
import { readCollateral, readEvidence } from "./evidence-input.ts";
import { refusalText, verdictJson, verdictText, verifiedJson } from "./verdict-output.ts";

/** What to verify with. */
export interface VerifyOptions {
  /** PEM or DER files. */
  readonly certificates: readonly string[];
  /** A collateral file, or a folder of them. */
  readonly collateral: string | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** A file with named sets of reference values, as in a manifest. Without it only genuineness is judged. */
  readonly policy: string | undefined;
  readonly reportData: Uint8Array | undefined;
  /** Judge as a coordinator that was started with `--insecure-dev-attestation`. */
  readonly allowDevelopment: boolean;
  readonly output: OutputFormat;
}

/**
 * Prints the verdict on each file; without a policy, whether it is genuine, and the reference values that it would
 * match.
 *
 * @returns `untrusted` if one was refused
 * @throws QuorateError for input that cannot be read
 */
export async function verifyEvidence(
  io: Io,
  files: readonly string[],
  options: VerifyOptions,
): Promise<ExitCode> {
  const [collateral, sets] = await Promise.all([
    readCollateral(options.certificates, options.collateral),
    options.policy === undefined ? undefined : readSets(options.policy),
  ]);
  const appraiser = new Appraiser();
  const judge = async (file: string): Promise<Judgement> => {
    const evidence = await readEvidence(file);
    const { claims } = await appraiser.verify(evidence, {
      collateral,
      now: options.at,
      developmentRoots: NO_SETS.developmentRoots,
    });
    const policy = sets === undefined ? NO_SETS : policyFor(claims, sets, options.allowDevelopment);
    const context = { collateral, policy, now: options.at, expectedReportData: options.reportData };
    const { verified, verdict } = await appraiser.appraise(evidence, context);
    return { file, verified, verdict: sets === undefined ? undefined : verdict };
  };
  const judgements = await Promise.all(files.map(judge));
  printResult(io, options.output, {
    text: judgements.map(judgementText).join("\n"),
    value: judgements.map(judgementJson),
  });
  return judgements.every(isGood) ? EXIT.ok : EXIT.untrusted;
}

interface Judgement {
  readonly file: string;
  readonly verified: VerifiedEvidence;
  /** `undefined` without a policy. */
  readonly verdict: Verdict | undefined;
}

const NO_SETS = appraisalPolicy(
  { policies: new Map(), referenceValues: new Map() },
  { allowDevelopment: false },
);

/** Whatever the workload's policy is, it counts; only the sets decide. */
function policyFor(
  claims: Claims | undefined,
  referenceValues: ReferenceSets,
  allowDevelopment: boolean,
): AppraisalPolicy {
  const role = "workload" as const;
  const policies = new Map(claims === undefined ? [] : [[claims.policyHash, { role }]]);
  return appraisalPolicy({ policies, referenceValues }, { allowDevelopment });
}

async function readSets(file: string): Promise<ReferenceSets> {
  const faults = new FaultSink();
  const bytes = await readInputFile(file, "policy", MANIFEST_BYTES_MAX);
  const value = parseJson(bytes, MANIFEST_BYTES_MAX, faults);
  const sets = value === undefined ? undefined : referenceSets(value, "$", faults);
  if (sets !== undefined && faults.count === 0) return sets;
  throw new QuorateError("invalid-argument", `${file} holds no sets of reference values`, {
    faults: faults.list(),
    hint: 'write {"NAME": {"platform": …}, …}, as referenceValues in a manifest',
  });
}

function isGood({ verified, verdict }: Judgement): boolean {
  return verdict === undefined ? verified.failures.length === 0 : verdict.accepted;
}

function judgementText({ file, verified, verdict }: Judgement): string {
  if (verdict !== undefined) return verdictText(file, verdict);
  const { claims, failures } = verified;
  if (failures.length > 0 || claims === undefined) return refusalText(file, verified);
  const values = JSON.stringify(proposeReferenceValues(claims), undefined, 2);
  return `genuine   ${file}\nIt would match this set of reference values:\n${values}`;
}

function judgementJson({ file, verified, verdict }: Judgement): unknown {
  if (verdict !== undefined) return { file, ...verdictJson(verdict) };
  const { claims, failures } = verified;
  const isGenuine = failures.length === 0 && claims !== undefined;
  const proposal = isGenuine ? { proposedReferenceValues: proposeReferenceValues(claims) } : {};
  return { file, genuine: isGenuine, ...verifiedJson(verified), ...proposal };
}

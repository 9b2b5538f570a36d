/** Verdicts in words, and as the JSON that programs read. */
import type { Claims, Failure, Verdict, VerifiedEvidence } from "../../attestation/index.ts";

/** The verdict in words, one reason a line. */
export function verdictText(subject: string, verdict: Verdict): string {
  const { identity, failures, mismatches, warnings } = verdict;
  const head =
    identity === undefined
      ? `REFUSED   ${subject}`
      : `accepted  ${subject} as ${identity.role} ${identity.policyHash} by set ${identity.referenceSet}`;
  const insecure =
    verdict.claims?.development === true ? ["  INSECURE: evidence of a simulated platform"] : [];
  return [
    head,
    ...insecure,
    ...failures.flatMap((each) => failureLines(each, "  ")),
    ...mismatches.flatMap(({ referenceSet, failures: why }) => [
      `  set ${referenceSet} does not match:`,
      ...why.flatMap((each) => failureLines(each, "    ")),
    ]),
    ...warnings.map(({ message }) => `  warning: ${message}`),
  ].join("\n");
}

/** A refusal of evidence that is not genuine, judged without a policy. */
export function refusalText(subject: string, { failures, warnings }: VerifiedEvidence): string {
  return [
    `REFUSED   ${subject}`,
    ...failures.flatMap((each) => failureLines(each, "  ")),
    ...warnings.map(({ message }) => `  warning: ${message}`),
  ].join("\n");
}

/** The verdict for programs: times in RFC 3339, numbers of 64 bits in hex. */
export function verdictJson(verdict: Verdict): Readonly<Record<string, unknown>> {
  const { accepted, identity, mismatches } = verdict;
  return { accepted, identity: identity ?? null, ...verifiedJson(verdict), mismatches };
}

/** The part of {@link verdictJson} that needs no policy. */
export function verifiedJson(verified: VerifiedEvidence): Readonly<Record<string, unknown>> {
  const { claims, failures, warnings, validity } = verified;
  return {
    claims: claims === undefined ? null : claimsJson(claims),
    failures,
    warnings,
    validity: { notBefore: timeText(validity.notBefore), notAfter: timeText(validity.notAfter) },
  };
}

function failureLines({ code, message, expected, found }: Failure, indent: string): string[] {
  return [
    `${indent}- ${message} [${code}]`,
    `${indent}    expected: ${expected}`,
    `${indent}    found:    ${found}`,
  ];
}

function claimsJson(claims: Claims): unknown {
  return JSON.parse(
    JSON.stringify(claims, (_key, value: unknown) =>
      typeof value === "bigint" ? `0x${value.toString(16)}` : value,
    ),
  );
}

function timeText(millis: number): string | null {
  // Beyond what a date holds: no bound.
  return Math.abs(millis) > 8.64e15 ? null : new Date(millis).toISOString();
}

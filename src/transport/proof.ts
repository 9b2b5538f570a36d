/**
 * The two ways in which a side of an attested session proves its TEE: a fresh quote over the session binding, or the
 * instance quote and the instance key's signature over the binding. On userapi a client may also prove nothing.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { verify } from "node:crypto";
import type { Evidence } from "../attestation/evidence.ts";
import { instanceReportData, type InstanceKeys } from "../attestation/report-data.ts";
import { isInstanceId } from "../core/brand.ts";
import { equalBytes } from "../core/bytes.ts";
import { type ErrorCode, QuorateError } from "../core/errors.ts";
import { isDnsLabel } from "../core/manifest/names.ts";
import { err, ok, type Result } from "../core/result.ts";
import { parseEllipticSpki } from "../crypto/elliptic-key.ts";
import { X25519_BYTES } from "../crypto/x25519.ts";
import type { Evidence as EvidenceMessage } from "../gen/quorate/common/v1/evidence_pb.ts";
import { ProofSchema, type InstanceProof } from "../gen/quorate/session/v1/session_pb.ts";
import { evidenceFromMessage, evidenceToMessage } from "./evidence-message.ts";
import { type InstanceIdentity, signStatement } from "./instance-identity.ts";
import type { SessionProver, SessionVerifier } from "./session.ts";

/** The platform's quote device. */
export interface QuoteSource {
  /**
   * Evidence with these 64 bytes as report data.
   *
   * @throws QuorateError `quote-unavailable`, `platform-unavailable`
   */
  quote(reportData: Uint8Array, signal: AbortSignal): Promise<Evidence>;
}

/** Judges evidence: cryptography, then policy. */
export interface EvidenceVerifier<Claims> {
  /** The claims of evidence that is genuine, acceptable and carries exactly this report data; else why not. */
  verify(
    evidence: Evidence,
    reportData: Uint8Array,
    signal: AbortSignal,
  ): Promise<Result<Claims, QuorateError>>;
}

/** How a side may prove itself. */
export type ProofKind = "fresh-quote" | "instance" | "none";

/** What a verified proof proved. */
export type Peer<Claims> =
  | { readonly proof: "fresh-quote"; readonly claims: Claims }
  | { readonly proof: "instance"; readonly claims: Claims; readonly instance: InstanceKeys }
  | { readonly proof: "none" };

/** Proves by a quote made for the session: for those who ask for secrets. */
export function freshQuoteProver(quotes: QuoteSource): SessionProver {
  return {
    async prove(binding, signal) {
      const evidence = evidenceToMessage(await quotes.quote(binding, signal));
      return encode({ proof: { case: "freshQuote", value: { evidence } } });
    },
  };
}

/**
 * Proves by an instance quote made earlier, for quote devices are slow and shared.
 *
 * @param evidence gives the current instance quote: one over `instanceReportData(instance.keys)`.
 */
export function instanceProver(
  instance: InstanceIdentity,
  evidence: (signal: AbortSignal) => Promise<Evidence>,
): SessionProver {
  return {
    async prove(binding, signal) {
      const value = {
        evidence: evidenceToMessage(await evidence(signal)),
        instance: instance.keys,
        signature: signStatement(instance, binding),
      };
      return encode({ proof: { case: "instance", value } });
    },
  };
}

/** Proves nothing: for people's tools, which only want the server to prove itself. */
export const noProver: SessionProver = { prove: () => Promise.resolve(encode({})) };

/** Verifies proofs of the accepted kinds. */
export function proofVerifier<Claims>(options: {
  readonly accept: readonly ProofKind[];
  readonly evidence: EvidenceVerifier<Claims>;
}): SessionVerifier<Peer<Claims>> {
  return {
    async verify(bytes, binding, session, signal) {
      const proof = decode(bytes);
      if (proof === undefined) return refused("protocol", "the proof is not a Proof message");
      const kind = PROOF_KINDS[proof.case ?? "none"];
      if (!options.accept.includes(kind)) {
        return refused("unauthenticated", `a proof of kind "${kind}" is not enough here`, {
          hint: `prove this side by: ${options.accept.join(" or ")}`,
        });
      }
      if (proof.case === undefined) return ok({ proof: "none" });
      const evidence = evidenceOf(proof.value.evidence);
      if (evidence === undefined) return refused("evidence-malformed", "the proof has no evidence");
      if (proof.case === "freshQuote") {
        const verdict = await options.evidence.verify(evidence, binding, signal);
        return verdict.ok ? ok({ proof: "fresh-quote", claims: verdict.value }) : verdict;
      }
      const instance = instanceOf(proof.value);
      if (instance === undefined) {
        return refused("protocol", "the proof does not describe an instance");
      }
      if (!equalBytes(instance.signingKey, session.peerSpki)) {
        return refused(
          "attestation-failed",
          "the instance's key is not the key of its TLS session",
        );
      }
      if (!signedBy(session.peerSpki, binding, proof.value.signature)) {
        return refused("attestation-failed", "the instance's key did not sign this session");
      }
      const verdict = await options.evidence.verify(evidence, instanceReportData(instance), signal);
      return verdict.ok ? ok({ proof: "instance", claims: verdict.value, instance }) : verdict;
    },
  };
}

const PROOF_KINDS = {
  freshQuote: "fresh-quote",
  instance: "instance",
  none: "none",
} as const satisfies Record<string, ProofKind>;

function encode(proof: Parameters<typeof create<typeof ProofSchema>>[1]): Uint8Array {
  return toBinary(ProofSchema, create(ProofSchema, proof));
}

function decode(bytes: Uint8Array) {
  try {
    return fromBinary(ProofSchema, bytes).proof;
  } catch {
    // Whatever is wrong with a stranger's bytes, they are no proof.
    return undefined;
  }
}

function evidenceOf(message: EvidenceMessage | undefined): Evidence | undefined {
  return message === undefined ? undefined : evidenceFromMessage(message);
}

/** The instance that a proof describes, every field in its one form. */
function instanceOf({ instance }: InstanceProof): InstanceKeys | undefined {
  if (instance === undefined || !isInstanceId(instance.id)) return undefined;
  if (!isDnsLabel(instance.name)) return undefined;
  if (instance.hpkeKey.length !== X25519_BYTES) return undefined;
  return {
    id: instance.id,
    name: instance.name,
    signingKey: instance.signingKey,
    hpkeKey: instance.hpkeKey,
  };
}

/** On the event loop: one P-256 verification takes less than handing it to another thread. */
function signedBy(spki: Uint8Array, statement: Uint8Array, signature: Uint8Array): boolean {
  const key = parseEllipticSpki(spki);
  return key?.curve === "P-256" && verify("sha256", statement, key.keyObject, signature);
}

function refused(
  code: ErrorCode,
  message: string,
  options: { readonly hint?: string } = {},
): Result<never, QuorateError> {
  return err(new QuorateError(code, message, options));
}

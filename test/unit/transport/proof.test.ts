import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { Evidence } from "../../../src/attestation/evidence.ts";
import { instanceReportData } from "../../../src/attestation/report-data.ts";
import { equalBytes } from "../../../src/core/bytes.ts";
import { QuorateError } from "../../../src/core/errors.ts";
import { err, ok } from "../../../src/core/result.ts";
import { ProofSchema, type InstanceProof } from "../../../src/gen/quorate/session/v1/session_pb.ts";
import { generateInstance, signStatement } from "../../../src/transport/instance-identity.ts";
import {
  freshQuoteProver,
  instanceProver,
  noProver,
  type ProofKind,
  proofVerifier,
} from "../../../src/transport/proof.ts";
import type { SessionFacts } from "../../../src/transport/session.ts";
import type { TlsIdentity } from "../../../src/transport/tls-identity.ts";

const signal = new AbortController().signal;
const binding = new Uint8Array(64).fill(5);
const otherBinding = new Uint8Array(64).fill(6);
const instance = await generateInstance("coordinator-0");
const other = await generateInstance("coordinator-1");

const evidenceOf = (reportData: Uint8Array): Evidence => ({
  platform: "tdx",
  quote: reportData,
  certificates: new Uint8Array(0),
});
const instanceEvidence = () => Promise.resolve(evidenceOf(instanceReportData(instance.keys)));
const honest = instanceProver(instance, instanceEvidence);
const fresh = freshQuoteProver({ quote: (data) => Promise.resolve(evidenceOf(data)) });

function facts(tls: TlsIdentity): SessionFacts {
  return {
    purpose: "peer-session",
    role: "client",
    peerCertificate: tls.certificate,
    peerSpki: tls.spki,
    remote: "test:1",
  };
}

/** What the verifier says of a proof; evidence is good if its report data is right. */
async function judge(
  proof: Uint8Array,
  { accept = ["fresh-quote", "instance"] as ProofKind[], tls = instance.tls, bound = binding } = {},
) {
  let quotesVerified = 0;
  const verifier = proofVerifier({
    accept,
    evidence: {
      verify(evidence, reportData) {
        quotesVerified++;
        const good = equalBytes(evidence.quote, reportData);
        const bad = new QuorateError("attestation-failed", "wrong report data");
        return Promise.resolve(good ? ok("claims") : err(bad));
      },
    },
  });
  const verdict = await verifier.verify(proof, bound, facts(tls), signal);
  return verdict.ok
    ? { peer: verdict.value, quotesVerified }
    : { code: verdict.error.code, message: verdict.error.message, quotesVerified };
}

/** The honest instance proof with something changed. */
async function tampered(change: (proof: InstanceProof) => void): Promise<Uint8Array> {
  const message = fromBinary(ProofSchema, await honest.prove(binding, signal));
  if (message.proof.case !== "instance") throw new Error("not an instance proof");
  change(message.proof.value);
  return toBinary(ProofSchema, message);
}

describe("a fresh quote", () => {
  it("proves the session that it was made for, and no other", async () => {
    const proof = await fresh.prove(binding, signal);
    expect(await judge(proof)).toMatchObject({ peer: { proof: "fresh-quote", claims: "claims" } });
    expect(await judge(proof, { bound: otherBinding })).toMatchObject({
      code: "attestation-failed",
    });
  });
});

describe("an instance proof", () => {
  it("proves the instance with all its keys", async () => {
    expect(await judge(await honest.prove(binding, signal))).toEqual({
      peer: { proof: "instance", claims: "claims", instance: instance.keys },
      quotesVerified: 1,
    });
  });

  it("of another session is refused before its quote is verified", async () => {
    const proof = await honest.prove(otherBinding, signal);
    expect(await judge(proof)).toEqual({
      code: "attestation-failed",
      message: "the instance's key did not sign this session",
      quotesVerified: 0,
    });
  });

  it("in another's TLS session is refused", async () => {
    const proof = await honest.prove(binding, signal);
    expect(await judge(proof, { tls: other.tls })).toMatchObject({
      code: "attestation-failed",
      message: "the instance's key is not the key of its TLS session",
    });
  });

  it("whose quote covers another instance is refused", async () => {
    // The other instance signs with its own key, but shows a quote that it does not have.
    const stolen = instanceProver(other, instanceEvidence);
    const proof = await stolen.prove(binding, signal);
    expect(await judge(proof, { tls: other.tls })).toMatchObject({ message: "wrong report data" });
  });

  it.each<[string, (proof: InstanceProof) => void]>([
    ["id", ({ instance: it }) => void (it!.id = "0".repeat(32))],
    ["name", ({ instance: it }) => void (it!.name = "coordinator-9")],
    ["HPKE key", ({ instance: it }) => void (it!.hpkeKey = new Uint8Array(32))],
  ])("with another %s is refused", async (_what, change) => {
    expect(await judge(await tampered(change))).toMatchObject({ message: "wrong report data" });
  });

  it.each<[string, (proof: InstanceProof) => void]>([
    ["no instance", (proof) => delete proof.instance],
    ["an odd id", ({ instance: it }) => void (it!.id = "ABC")],
    ["an odd name", ({ instance: it }) => void (it!.name = "a/b\u001b")],
    ["a short HPKE key", ({ instance: it }) => void (it!.hpkeKey = new Uint8Array(31))],
    ["no evidence", (proof) => delete proof.evidence],
    ["an unknown platform", ({ evidence }) => void (evidence!.platform = 9 as never)],
    ["an empty signature", (proof) => void (proof.signature = new Uint8Array(0))],
  ])("with %s is refused before any quote is verified", async (_what, change) => {
    const verdict = await judge(await tampered(change));
    expect(verdict).toMatchObject({ quotesVerified: 0 });
    expect(verdict.code).toMatch(/protocol|evidence-malformed|attestation-failed/);
  });
});

describe("kinds of proofs", () => {
  it("count only where they are accepted", async () => {
    const none = await noProver.prove(binding, signal);
    const proofs = { "fresh-quote": await fresh.prove(binding, signal), none };
    expect(await judge(proofs["fresh-quote"], { accept: ["instance"] })).toMatchObject({
      code: "unauthenticated",
      quotesVerified: 0,
    });
    expect(await judge(none)).toMatchObject({ code: "unauthenticated" });
    expect(await judge(none, { accept: ["none"] })).toMatchObject({ peer: { proof: "none" } });
    expect(await judge(new Uint8Array(0), { accept: ["instance"] })).toMatchObject({
      code: "unauthenticated",
    });
  });

  it("and bytes that are no proof are told apart", async () => {
    expect(await judge(new Uint8Array(100).fill(0xff))).toMatchObject({ code: "protocol" });
    expect(toBinary(ProofSchema, create(ProofSchema)).length).toBe(0);
  });
});

describe("the instance key", () => {
  it("signs statements so that its public key verifies them", async () => {
    expect(signStatement(instance, binding)).not.toEqual(signStatement(other, binding));
    expect(await judge(await honest.prove(binding, signal))).toMatchObject({ quotesVerified: 1 });
  });
});

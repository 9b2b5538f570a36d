/** A person's view of a coordinator: connect over plain TLS, then prove to oneself who is on the other side. */
import { X509Certificate } from "node:crypto";
import {
  Appraiser,
  appraisalPolicy,
  type Collateral,
  type Evidence,
  NO_COLLATERAL,
  type Verdict,
} from "../attestation/index.ts";
import {
  instanceReportData,
  type InstanceKeys,
  userAttestStatement,
} from "../attestation/report-data.ts";
import { allFailures, failureFaults } from "../attestation/verdict.ts";
import { formatAddress, type Address } from "../config/address.ts";
import { isInstanceId, type Sha256 } from "../core/brand.ts";
import { equalBytes } from "../core/bytes.ts";
import { QuorateError } from "../core/errors.ts";
import { parseRecord } from "../core/history/index.ts";
import { HISTORY_RECORDS_MAX } from "../core/limits.ts";
import type { Manifest } from "../core/manifest/index.ts";
import { unwrap } from "../core/result.ts";
import { randomBytes, sha256 } from "../crypto/index.ts";
import { verifySignature } from "../crypto/signature.ts";
import { UserService, type AttestResponse, type Mode } from "../gen/quorate/userapi/v1/user_pb.ts";
import { readHistory } from "../history/read-history.ts";
import type { VerifiedHistory } from "../history/verified-history.ts";
import { modeName } from "../services/mode.ts";
import { evidenceFromMessage } from "../transport/evidence-message.ts";
import type { ServiceClient } from "../transport/grpc-adapter.ts";
import { serviceClient } from "../transport/grpc-client.ts";
import { ObservedChannel } from "../transport/observed-channel.ts";
import { inPlainWords } from "./connect-failure.ts";
import { type Io, progress } from "./io.ts";

/** Flags of every command that talks to a coordinator. */
export interface ConnectOptions {
  readonly coordinator: Address;
  readonly timeout: number;
  readonly acceptInsecureDevAttestation: boolean;
}

/** What `Attest` said, its signature verified against the TLS certificate of this very connection. */
export interface AttestedAnswer {
  readonly instance: InstanceKeys;
  readonly mode: Mode;
  /** The head's record document; empty before genesis. */
  readonly headRecord: Uint8Array;
  readonly answer: AttestResponse;
}

const NONCE_BYTES = 32;

/** One connection to a coordinator's userapi. */
export class CoordinatorClient {
  readonly user: ServiceClient<typeof UserService>;
  readonly #channel: ObservedChannel;
  readonly #io: Io;
  readonly #options: ConnectOptions;
  readonly #deadline: number;

  constructor(io: Io, options: ConnectOptions) {
    this.#io = io;
    this.#options = options;
    this.#deadline = io.now() + options.timeout;
    this.#channel = new ObservedChannel({ address: formatAddress(options.coordinator) });
    this.user = serviceClient(UserService, this.#channel);
  }

  /** Bounds of the next call: what is left of the command's time. */
  get call(): { signal: AbortSignal; timeoutMs: number } {
    return { signal: this.#io.signal, timeoutMs: Math.max(1, this.#deadline - this.#io.now()) };
  }

  close(): void {
    this.#channel.close();
  }

  /**
   * Asks who serves this connection, now. Whether its evidence is acceptable is {@link requireCoordinator}'s question.
   *
   * **Security:** fresh (our nonce), and bound to this TLS connection (its certificate): a host in the middle can show
   * somebody else's evidence, but not this signature over its own certificate.
   */
  async attest(): Promise<AttestedAnswer> {
    const nonce = randomBytes(NONCE_BYTES);
    const answer = await this.user.attest({ nonce }, this.call);
    const { instance, mode, headRecord, signature } = answer;
    const serverCertificate = this.#channel.certificate();
    if (serverCertificate === undefined || instance === undefined || !isInstanceId(instance.id)) {
      throw new QuorateError("protocol", "the coordinator's answer does not name its instance");
    }
    const certificate = new X509Certificate(serverCertificate);
    const spki = new Uint8Array(certificate.publicKey.export({ type: "spki", format: "der" }));
    const statement = userAttestStatement({
      nonce,
      serverCertificate,
      headRecord,
      mode: modeName(mode),
    });
    const isBound = equalBytes(spki, instance.signingKey);
    if (
      !isBound ||
      !(await verifySignature("ecdsa-sha256", certificate.publicKey, statement, signature))
    ) {
      throw new QuorateError(
        "verification-failed",
        "the coordinator's answer is not bound to this connection",
        {
          hint: "something between you and the coordinator ends its TLS connections; connect directly",
        },
      );
    }
    const { id, name, signingKey, hpkeKey } = instance;
    return { instance: { id, name, signingKey, hpkeKey }, mode, headRecord, answer };
  }

  /**
   * Judges the answer's evidence by a manifest: genuine, and a coordinator of it.
   *
   * @throws QuorateError `attestation-failed` with every reason
   */
  async requireCoordinator(
    attested: AttestedAnswer,
    manifest: Manifest,
    collateral: Collateral = NO_COLLATERAL,
  ): Promise<{ readonly verdict: Verdict; readonly evidence: Evidence }> {
    const message = attested.answer.evidence;
    const evidence = message === undefined ? undefined : evidenceFromMessage(message);
    if (evidence === undefined)
      throw new QuorateError(
        "attestation-failed",
        "the coordinator shows no evidence of a known platform",
      );
    const { verdict } = await new Appraiser().appraise(evidence, {
      collateral,
      policy: appraisalPolicy(manifest, {
        allowDevelopment: this.#options.acceptInsecureDevAttestation,
      }),
      now: this.#io.now(),
      expectedReportData: instanceReportData(attested.instance),
    });
    if (verdict.identity?.role === "coordinator") return { verdict, evidence };
    const failures = allFailures(verdict);
    const development = failures.some(({ code }) => code === "development-not-allowed");
    throw new QuorateError(
      "attestation-failed",
      "this coordinator's evidence is not that of a coordinator of the manifest",
      {
        hint: development
          ? "for a trial with simulated evidence add --accept-insecure-dev-attestation"
          : "do not use this coordinator; ask its operator what runs there",
        faults: failureFaults(verdict),
      },
    );
  }

  /** Fetches and verifies the history up to the head that `attested` names. */
  async history(attested: AttestedAnswer): Promise<VerifiedHistory> {
    const documents = await this.#fetchDocuments();
    const head = unwrap(parseRecord(attested.headRecord, sha256));
    try {
      return await readHistory(
        head,
        { getDocument: (hash) => Promise.resolve(documents.get(hash)) },
        {
          onProgress: (link, total) =>
            progress(
              this.#io,
              `verifying the history: generation ${link.head.record.generation}, ${total} records in all`,
            ),
        },
      );
    } finally {
      progress(this.#io, undefined);
    }
  }

  async #fetchDocuments(): Promise<Map<Sha256, Uint8Array>> {
    const documents = new Map<Sha256, Uint8Array>();
    let pageToken = "";
    let records = 0;
    do {
      const page = await this.user.getManifests({ pageToken }, this.call);
      for (const bytes of [...page.records, ...page.documents])
        documents.set(sha256(bytes), bytes.slice());
      records += page.records.length;
      if (page.records.length === 0 || records > HISTORY_RECORDS_MAX) {
        throw new QuorateError(
          "protocol",
          "the coordinator's history has empty pages, or too many",
        );
      }
      progress(this.#io, `fetching the history: ${records} records`);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    progress(this.#io, undefined);
    return documents;
  }
}

/** Runs `use` with a connection, and closes it whatever happens. */
export async function withCoordinator<T>(
  io: Io,
  options: ConnectOptions,
  use: (client: CoordinatorClient) => Promise<T>,
): Promise<T> {
  const client = new CoordinatorClient(io, options);
  try {
    return await use(client);
  } catch (cause) {
    throw inPlainWords(cause, {
      address: formatAddress(options.coordinator),
      flag: "--coordinator",
      service: "userapi",
    });
  } finally {
    client.close();
  }
}

/** Obtains and renews a workload's credentials over attested sessions. */
import { generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Appraiser, NO_COLLATERAL, type Quoter } from "../attestation/index.ts";
import { type Address, formatAddress } from "../config/address.ts";
import { QuorateError } from "../core/errors.ts";
import type { CoordinatorPins } from "../core/policy-document/policy-document.ts";
import { Secret } from "../crypto/index.ts";
import { MeshService, type NewMeshCertResponse } from "../gen/quorate/meshapi/v1/mesh_pb.ts";
import { certificatesPem, createCertificateRequest } from "../pki/index.ts";
import { AttestedChannel } from "../transport/attested-channel.ts";
import { type ServiceClient } from "../transport/grpc-adapter.ts";
import { serviceClient } from "../transport/grpc-client.ts";
import { freshQuoteProver, type Peer, proofVerifier } from "../transport/proof.ts";
import { generateTlsIdentity } from "../transport/tls-identity.ts";
import { coordinatorVerifier, LineageCheck } from "./coordinator-verifier.ts";
import type { Credentials } from "./output-folder.ts";
import type { Issued } from "./renewal.ts";

export interface SidecarOptions {
  readonly mesh: Address;
  readonly pins: CoordinatorPins;
  readonly quoter: Quoter;
  readonly collateral?: Parameters<typeof coordinatorVerifier>[0]["collateral"];
  readonly allowDevelopment: boolean;
  /** Milliseconds for one issuance, attestation included. */
  readonly timeoutMs: number;
  readonly now: () => number;
}

/** What one issuance gave. */
export interface Obtained {
  readonly credentials: Credentials;
  readonly issued: Issued;
}

const newKey = promisify(generateKeyPair);

/** A client of meshapi. Its channel attests anew on every reconnect; after a refusal the next call opens a new one. */
export class Sidecar {
  readonly #options: SidecarOptions;
  readonly #appraiser = new Appraiser();
  readonly #lineage: LineageCheck;
  #channel:
    | {
        readonly channel: AttestedChannel<Peer<undefined>>;
        readonly mesh: ServiceClient<typeof MeshService>;
      }
    | undefined;

  constructor(options: SidecarOptions) {
    this.#options = options;
    this.#lineage = new LineageCheck(options.pins);
  }

  /**
   * A new key, its certificate, the trust bundle and the secret, from a coordinator that was verified first.
   *
   * @throws QuorateError `attestation-failed` (this workload is refused, with every reason), `verification-failed` (the
   * coordinator is), `unreachable`, and whatever the coordinator answers.
   */
  async obtain(signal: AbortSignal): Promise<Obtained> {
    const { privateKey } = await newKey("ec", { namedCurve: "P-256" });
    const response = await this.#call(async (mesh) =>
      mesh.newMeshCert(
        {
          certificateRequest: await createCertificateRequest(privateKey),
          wantLineageProof: this.#lineage.needsProof,
        },
        { signal, timeoutMs: this.#options.timeoutMs },
      ),
    );
    await this.#lineage.require(response);
    const { renewAt, notAfter, recordHash } = response;
    if (renewAt === undefined || notAfter === undefined) throw incomplete();
    return {
      credentials: credentialsOf(response, privateKey),
      issued: { renewAt: timestampMs(renewAt), notAfter: timestampMs(notAfter), recordHash },
    };
  }

  /** Calls `moved` with the record in force, at once and whenever it changes; settles when the stream ends. */
  async watch(moved: (recordHash: string) => void, signal: AbortSignal): Promise<void> {
    await this.#call(async (mesh) => {
      for await (const { recordHash } of mesh.watchTrust({}, { signal })) moved(recordHash);
    });
  }

  /** Ends the connection. Idempotent. */
  close(): void {
    this.#channel?.channel.close();
    this.#channel = undefined;
  }

  async #call<T>(use: (mesh: ServiceClient<typeof MeshService>) => Promise<T>): Promise<T> {
    const connection = (this.#channel ??= await this.#connect());
    try {
      return await use(connection.mesh);
    } catch (cause) {
      // A refused channel stays closed; whoever tries again gets a new one.
      if (connection.channel.connectFailure() !== undefined && this.#channel === connection)
        this.close();
      throw cause;
    }
  }

  async #connect() {
    const { mesh, pins, quoter, allowDevelopment, now } = this.#options;
    const collateral = this.#options.collateral ?? (() => Promise.resolve(NO_COLLATERAL));
    const evidence = coordinatorVerifier({
      pins,
      appraiser: this.#appraiser,
      collateral,
      allowDevelopment,
      now,
    });
    const channel = new AttestedChannel<Peer<undefined>>({
      address: formatAddress(mesh),
      identity: await generateTlsIdentity(),
      purpose: "mesh-session",
      prover: freshQuoteProver({
        quote: (reportData, signal) => quoter.quote(reportData, { signal }),
      }),
      verifier: proofVerifier({ accept: ["instance"], evidence }),
    });
    return { channel, mesh: serviceClient(MeshService, channel) };
  }
}

function credentialsOf(response: NewMeshCertResponse, privateKey: KeyObject): Credentials {
  const [root, meshCa] = response.trustBundle;
  if (root === undefined || meshCa === undefined || response.certificateChain.length < 2)
    throw incomplete();
  return {
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    certificateChain: certificatesPem(...response.certificateChain),
    trustBundle: certificatesPem(...response.trustBundle),
    meshCa: certificatesPem(meshCa),
    rootCa: certificatesPem(root),
    secret: response.workloadSecret.length === 0 ? undefined : Secret.take(response.workloadSecret),
  };
}

function incomplete(): QuorateError {
  return new QuorateError("protocol", "the coordinator's answer is incomplete", {
    hint: "use the same version on both sides",
  });
}

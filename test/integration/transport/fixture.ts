/** A server and clients of the attested transport over real sockets, with evidence that is easy to judge. */
import { onTestFinished } from "vitest";
import type { Evidence } from "../../../src/attestation/evidence.ts";
import { instanceReportData } from "../../../src/attestation/report-data.ts";
import { equalBytes } from "../../../src/core/bytes.ts";
import { QuorateError } from "../../../src/core/errors.ts";
import { err, ok } from "../../../src/core/result.ts";
import { Mode, UserService } from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { MeshService } from "../../../src/gen/quorate/meshapi/v1/mesh_pb.ts";
import { AttestedChannel } from "../../../src/transport/attested-channel.ts";
import type { ServiceImplementation } from "../../../src/transport/grpc-adapter.ts";
import { serviceClient } from "../../../src/transport/grpc-client.ts";
import { service } from "../../../src/transport/grpc-service.ts";
import { generateInstance } from "../../../src/transport/instance-identity.ts";
import {
  freshQuoteProver,
  instanceProver,
  type EvidenceVerifier,
  type Peer,
  type ProofKind,
  proofVerifier,
} from "../../../src/transport/proof.ts";
import type { SessionVerifier } from "../../../src/transport/session.ts";
import {
  SessionServer,
  type SessionServerOptions,
  type TransportEvent,
} from "../../../src/transport/session-server.ts";
import { generateTlsIdentity, type TlsIdentity } from "../../../src/transport/tls-identity.ts";

/** What the fixture's evidence claims. */
export interface Claims {
  readonly who: string;
}

export type FixturePeer = Peer<Claims>;

/** Evidence whose quote is its report data and whose certificates are a name. */
export function evidenceOf(who: string, reportData: Uint8Array): Evidence {
  return { platform: "snp", quote: reportData, certificates: new TextEncoder().encode(who) };
}

/** Accepts evidence with the right report data from anybody whose name does not start with "bad". */
export const evidenceVerifier: EvidenceVerifier<Claims> = {
  verify(evidence, reportData) {
    const who = new TextDecoder().decode(evidence.certificates);
    if (!equalBytes(evidence.quote, reportData)) {
      return Promise.resolve(err(new QuorateError("attestation-failed", "wrong report data")));
    }
    if (who.startsWith("bad")) {
      const error = new QuorateError("attestation-failed", `${who} is not welcome`, {
        hint: "change the manifest",
      });
      return Promise.resolve(err(error));
    }
    return Promise.resolve(ok({ who }));
  },
};

export function verifier(...accept: ProofKind[]): SessionVerifier<FixturePeer> {
  return proofVerifier({ accept, evidence: evidenceVerifier });
}

export function freshProver(who: string) {
  return freshQuoteProver({ quote: (data) => Promise.resolve(evidenceOf(who, data)) });
}

const unsupported = () => Promise.reject(new QuorateError("unsupported", "not in this test"));

/** A user service that answers GetStatus with who asked; everything else is unsupported. */
export function userService(
  overrides: Partial<ServiceImplementation<typeof UserService, FixturePeer>> = {},
) {
  return service<typeof UserService, FixturePeer>(UserService, {
    setManifest: unsupported,
    getManifests: unsupported,
    attest: unsupported,
    recover: unsupported,
    getStatus: (_request, { session }) => {
      const peer = session.kind === "plain" ? undefined : session.peer;
      const who = peer === undefined || peer.proof === "none" ? "nobody" : peer.claims.who;
      return Promise.resolve({ mode: Mode.READY, version: who, suspended: String(session.id) });
    },
    ...overrides,
  });
}

/** A mesh service whose WatchTrust counts until it is stopped; everything else is unsupported. */
export function meshService(
  overrides: Partial<ServiceImplementation<typeof MeshService, FixturePeer>> = {},
) {
  return service<typeof MeshService, FixturePeer>(MeshService, {
    newMeshCert: unsupported,
    recover: unsupported,
    async *watchTrust(_request, { signal }) {
      yield { generation: 1n };
      await new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    },
    ...overrides,
  });
}

type Kind = TransportEvent<FixturePeer>["kind"];

export interface Fixture {
  readonly server: SessionServer<FixturePeer>;
  readonly address: string;
  readonly port: number;
  readonly identity: TlsIdentity;
  readonly events: TransportEvent<FixturePeer>[];
  /** Resolves with the first event of this kind, past ones included. */
  event<K extends Kind>(kind: K): Promise<Extract<TransportEvent<FixturePeer>, { kind: K }>>;
  /** Resolves when there have been `count` events of this kind. */
  eventCount(kind: Kind, count: number): Promise<void>;
  /** Resolves when the condition holds for all events so far. */
  until(condition: (events: readonly TransportEvent<FixturePeer>[]) => boolean): Promise<void>;
}

/** Starts a server that is stopped when the test ends. */
export async function startServer(
  options: Partial<SessionServerOptions<FixturePeer>> = {},
): Promise<Fixture> {
  const instance = await generateInstance("coordinator-0", ["localhost", "127.0.0.1"]);
  const events: TransportEvent<FixturePeer>[] = [];
  const waiters = new Set<() => void>();
  const server = await SessionServer.start<FixturePeer>({
    host: "127.0.0.1",
    port: 0,
    identity: instance.tls,
    attestation: {
      purpose: "mesh-session",
      prover: instanceProver(instance, () =>
        Promise.resolve(evidenceOf("coordinator", instanceReportData(instance.keys))),
      ),
      verifier: verifier("fresh-quote", "instance"),
    },
    plain: false,
    services: [userService(), meshService()],
    observe(event) {
      events.push(event);
      for (const wake of waiters) wake();
    },
    ...options,
  });
  onTestFinished(() => server.stop(0));
  const { port } = server.address;
  const until: Fixture["until"] = (condition) =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!condition(events)) return;
        waiters.delete(look);
        resolve();
      };
      waiters.add(look);
      look();
    });
  return {
    server,
    address: `127.0.0.1:${port}`,
    port,
    identity: instance.tls,
    events,
    until,
    async event(kind) {
      await until(() => events.some((event) => event.kind === kind));
      return events.find((event) => event.kind === kind) as never;
    },
    eventCount: (kind, count) =>
      until(() => events.filter((event) => event.kind === kind).length >= count),
  };
}

/** An attested client that is closed when the test ends. */
export async function attestedClient(
  address: string,
  options: {
    readonly who?: string;
    readonly accept?: SessionVerifier<FixturePeer>;
    readonly identity?: TlsIdentity;
    readonly prover?: ReturnType<typeof freshProver>;
  } = {},
) {
  const channel = new AttestedChannel<FixturePeer>({
    address,
    identity: options.identity ?? (await generateTlsIdentity()),
    purpose: "mesh-session",
    prover: options.prover ?? freshProver(options.who ?? "web"),
    verifier: options.accept ?? verifier("instance"),
  });
  onTestFinished(() => channel.close());
  return {
    channel,
    user: serviceClient(UserService, channel),
    mesh: serviceClient(MeshService, channel),
  };
}

/** What a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<QuorateError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof QuorateError) return error;
    throw error;
  }
  throw new Error("the promise was expected to fail");
}

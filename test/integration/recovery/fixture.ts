/** Peers' ports and links to them over loopback, with simulated SNP evidence. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createServer, connect, type Socket } from "node:net";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import {
  type AppraisalPolicy,
  appraisalPolicy,
  Appraiser,
  NO_COLLATERAL,
} from "../../../src/attestation/index.ts";
import { instanceReportData } from "../../../src/attestation/report-data.ts";
import { parseManifest } from "../../../src/core/manifest/index.ts";
import { QuorateError } from "../../../src/core/errors.ts";
import { unwrap } from "../../../src/core/result.ts";
import { parseOwnerKey, parseShareOwnerKey } from "../../../src/crypto/index.ts";
import { PeerService, StandingSchema } from "../../../src/gen/quorate/peerapi/v1/peer_pb.ts";
import { Mode } from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { createLog } from "../../../src/observability/log.ts";
import {
  type PeerEvidence,
  peerEvidenceVerifier,
  unjudgedPeerEvidence,
} from "../../../src/recovery/peer-evidence.ts";
import { PeerLink, type PeerLinkPorts } from "../../../src/recovery/peer-link.ts";
import { Wakeups } from "../../../src/recovery/wakeups.ts";
import { service } from "../../../src/transport/grpc-service.ts";
import {
  generateInstance,
  type InstanceIdentity,
} from "../../../src/transport/instance-identity.ts";
import { instanceProver, type Peer, proofVerifier } from "../../../src/transport/proof.ts";
import { SessionServer } from "../../../src/transport/session-server.ts";
import type { ServerLimits } from "../../../src/transport/server-limits.ts";
import { linesInto, type ManifestChoices, type MeshWorld } from "../../fixtures/mesh.ts";

export type StandingFields = MessageInitShape<typeof StandingSchema>;

/** A hash that stands for a record. */
export const RECORD = "ab".repeat(32);
export const LINEAGE = "cd".repeat(32);
/** The account of a ready coordinator. */
export const READY: StandingFields = {
  mode: Mode.READY,
  lineage: LINEAGE,
  heldRecord: RECORD,
  heldGeneration: 3n,
  heldEpoch: 2n,
  version: "1.2.3",
};

/** The appraisal policy of the manifest that a mesh's world would write. */
export function policyOf(world: MeshWorld, choices: ManifestChoices = {}): AppraisalPolicy {
  const keys = { parseOwnerKey, parseShareOwnerKey };
  const manifest = unwrap(parseManifest(world.manifest(choices), keys));
  return appraisalPolicy(manifest, { allowDevelopment: true });
}

export function evidencePorts(world: MeshWorld) {
  return {
    appraiser: new Appraiser(),
    collateral: () => Promise.resolve(NO_COLLATERAL),
    now: () => world.now,
  };
}

/** What a running peers' port does; tests change it while it runs. */
export interface PeerPort {
  readonly address: string;
  readonly port: number;
  readonly instance: InstanceIdentity;
  readonly server: SessionServer<Peer<PeerEvidence>>;
  /** How often it has told a watcher something. */
  told(): number;
  /** Sent to every watcher, now and whenever it changes. */
  say(standing: StandingFields | undefined): void;
}

/** Starts the peers' port of one instance, stopped with the test. */
export async function startPeer(
  world: MeshWorld,
  options: {
    readonly name?: string;
    readonly policy?: string;
    readonly measurement?: string;
    readonly port?: number;
    readonly instance?: InstanceIdentity;
    readonly standing?: StandingFields;
    /** Judges clients at the handshake. */
    readonly judgedBy?: () => AppraisalPolicy | undefined;
    readonly limits?: Partial<ServerLimits>;
    /** Ends every watch after what it has said. */
    readonly endsWatches?: boolean;
  } = {},
): Promise<PeerPort> {
  const instance = options.instance ?? (await generateInstance(options.name ?? "coordinator-1"));
  const evidence = await world
    .quoter(options.policy ?? "coordinator", options.measurement ?? "coordinator")
    .quote(instanceReportData(instance.keys));
  let standing: StandingFields | undefined = options.standing ?? READY;
  const watchers = new Set<Wakeups>();
  const verifier = peerEvidenceVerifier({
    ...evidencePorts(world),
    policy: options.judgedBy ?? (() => undefined),
  });
  let told = 0;
  const said = () => (standing === undefined ? {} : { standing: create(StandingSchema, standing) });
  const server = await SessionServer.start<Peer<PeerEvidence>>({
    host: "127.0.0.1",
    port: options.port ?? 0,
    identity: instance.tls,
    attestation: {
      purpose: "peer-session",
      prover: instanceProver(instance, () => Promise.resolve(evidence)),
      verifier: proofVerifier({ accept: ["instance"], evidence: verifier }),
    },
    plain: false,
    limits: options.limits ?? {},
    services: [
      service<typeof PeerService, Peer<PeerEvidence>>(PeerService, {
        prepare: () => Promise.reject(new QuorateError("unsupported", "not in this test")),
        getStanding: () => Promise.resolve(said()),
        async *watchStanding(_request, { signal }) {
          const wakeups = new Wakeups(signal);
          watchers.add(wakeups);
          try {
            while (!signal.aborted) {
              yield said();
              told += 1;
              if (options.endsWatches === true) return;
              await wakeups.next();
            }
          } finally {
            watchers.delete(wakeups);
          }
        },
      }),
    ],
  });
  onTestFinished(() => server.stop(0));
  const { port } = server.address;
  return {
    ...{ address: `127.0.0.1:${port}`, port, instance, server },
    told: () => told,
    say(next) {
      standing = next;
      for (const each of watchers) each.wake();
    },
  };
}

/** What links of a test need; times are short. */
export async function linkPorts(
  world: MeshWorld,
  options: {
    readonly policy?: string;
    readonly instance?: InstanceIdentity;
    readonly times?: PeerLinkPorts["times"];
  } = {},
) {
  const instance = options.instance ?? (await generateInstance("coordinator-0"));
  const evidence = await world
    .quoter(options.policy ?? "coordinator", "coordinator")
    .quote(instanceReportData(instance.keys));
  const logged: string[] = [];
  const ports: PeerLinkPorts = {
    instance,
    evidence: () => Promise.resolve(evidence),
    verifier: unjudgedPeerEvidence(evidencePorts(world)),
    log: createLog({ level: "debug", format: "json", destination: linesInto(logged) }),
    times: { retryMs: 20, retryMaxMs: 100, ...options.times },
  };
  return { ports, logged };
}

/** A link that is closed with the test, and the number of changes that it has told. */
export async function openLink(
  world: MeshWorld,
  address: string,
  options: Parameters<typeof linkPorts>[1] = {},
) {
  const { ports, logged } = await linkPorts(world, options);
  const changes = { count: 0 };
  const link = new PeerLink(address, ports, () => (changes.count += 1));
  onTestFinished(() => link.close());
  return { link, logged, changes };
}

/** Waits until `probe` gives something; fails after ten seconds, which a busy machine needs. */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined | false,
): Promise<Exclude<T, false>> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const value = probe();
    if (value !== undefined && value !== false) return value as Exclude<T, false>;
    if (performance.now() > deadline) throw new Error(`not in ten seconds: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Listens on a free port of the loopback, until the test ends. */
async function listen(accept: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket.on("error", () => undefined));
    socket.once("close", () => sockets.delete(socket));
    accept(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, "close");
  });
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on TCP");
  return `127.0.0.1:${address.port}`;
}

/** Somebody who takes connections and never says anything. */
export async function startSilent() {
  let taken = 0;
  let open = 0;
  const address = await listen((socket) => {
    taken += 1;
    open += 1;
    socket.once("close", () => (open -= 1));
    socket.once("end", () => socket.destroy());
    socket.resume();
  });
  return { address, taken: () => taken, open: () => open };
}

/** A wire between a client and a server that can swallow everything without a word, as a host that has vanished does. */
export async function startWire(targetPort: number) {
  const sockets = new Set<Socket>();
  const address = await listen((client) => {
    const upstream = connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true });
    upstream.on("error", () => undefined);
    client.once("close", () => upstream.destroy());
    sockets.add(client).add(upstream);
    client.pipe(upstream);
    upstream.pipe(client);
  });
  return {
    address,
    cut(): void {
      for (const socket of sockets) socket.unpipe().pause();
    },
  };
}

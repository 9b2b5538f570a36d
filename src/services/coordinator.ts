/** A running coordinator: every part, started in order and stopped in reverse. */
import { Appraiser, type Quoter } from "../attestation/index.ts";
import { Authority } from "../authority/authority.ts";
import { type CollateralSource, SelfAppraisal } from "../authority/self-appraisal.ts";
import { UserRecovery } from "../authority/user-recovery.ts";
import type { Address } from "../config/address.ts";
import type { AuditLog } from "../observability/audit.ts";
import { type AdminServer, type Check, startAdminServer } from "../observability/admin-server.ts";
import { UserService } from "../gen/quorate/userapi/v1/user_pb.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import type { Logger } from "../observability/log.ts";
import { Metrics } from "../observability/metrics.ts";
import { connectedPeers } from "../recovery/connected-peers.ts";
import { Discovery } from "../recovery/discovery.ts";
import { startHeadRecheck } from "../recovery/head-recheck.ts";
import { type PeerEvidence, unjudgedPeerEvidence } from "../recovery/peer-evidence.ts";
import { PeerGroup } from "../recovery/peer-group.ts";
import { PeerRecovery } from "../recovery/peer-recovery.ts";
import { Peers } from "../recovery/peers.ts";
import { startPutBack } from "../recovery/put-back.ts";
import { logPort } from "../observability/port-log.ts";
import type { Store } from "../store/store.ts";
import { generateInstance, type InstanceIdentity } from "../transport/instance-identity.ts";
import { instanceProver, type Peer, proofVerifier } from "../transport/proof.ts";
import type { Session } from "../transport/session.ts";
import { SessionServer } from "../transport/session-server.ts";
import { watchEvidenceExpiry } from "./evidence-expiry.ts";
import { HealthState, healthService } from "./health.ts";
import { meshService } from "./mesh-api.ts";
import { modeLabel } from "./mode.ts";
import { MeteredStore } from "./metered-store.ts";
import { startPeerPort } from "./peer-port.ts";
import { reflectionService } from "./reflection.ts";
import { StateMetrics } from "./state-metrics.ts";
import { userService } from "./user-api.ts";
import { type Workload, workloadVerifier } from "./workloads.ts";

/** What a coordinator is started with. */
export interface CoordinatorOptions {
  /** Stable name, as the manifest lists it. */
  readonly name: string;
  /** Closed by {@link Coordinator.stop}. */
  readonly store: Store;
  readonly quoter: Quoter;
  readonly collateral: CollateralSource;
  /** **Security:** true lets simulated evidence count; only `--insecure-dev-attestation` sets it. */
  readonly allowDevelopment: boolean;
  readonly userAddress: Address;
  readonly meshAddress: Address;
  readonly peerAddress: Address;
  /** Peers' ports of the other coordinators; a DNS name stands for all its addresses. */
  readonly peers: readonly Address[];
  /** `undefined`: no admin port. */
  readonly adminAddress: Address | undefined;
  readonly log: Logger;
  readonly audit: AuditLog;
  readonly version: string;
  readonly now: () => number;
}

/** How long running calls may go on once a stop was asked for, in milliseconds. */
const STOP_GRACE_MILLIS = 3_000;

/** One coordinator process's service. */
export class Coordinator {
  readonly userAddress: Address;
  readonly meshAddress: Address;
  readonly peerAddress: Address;
  readonly adminAddress: Address | undefined;
  readonly #options: CoordinatorOptions;
  readonly #parts: Parts;
  #stopped: Promise<void> | undefined;

  private constructor(options: CoordinatorOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    const { user, mesh, peer } = parts;
    this.userAddress = { host: options.userAddress.host, port: user.address.port };
    this.meshAddress = { host: options.meshAddress.host, port: mesh.address.port };
    this.peerAddress = { host: options.peerAddress.host, port: peer.address.port };
    this.adminAddress = parts.admin?.address;
  }

  /**
   * Starts everything; on failure stops again what had started.
   *
   * @throws QuorateError of the store, of the quote device, or `unavailable` for a port that can't be had.
   */
  static async start(options: CoordinatorOptions): Promise<Coordinator> {
    const started: (() => Promise<void>)[] = [() => options.store.close()];
    try {
      return new Coordinator(options, await startParts(options, started));
    } catch (cause) {
      for (const stop of started.reverse()) await stop();
      throw cause;
    }
  }

  /** The mode's name, for logs. */
  get mode(): string {
    return modeLabel(this.#parts.authority);
  }

  /** Takes no new calls, lets running ones finish for some seconds, then ends everything. Idempotent. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    const { authority, user, mesh, peer, peers, keepUp, admin } = this.#parts;
    await Promise.all(keepUp.map((each) => each()));
    // The peers' port last: until the others have noticed, this one may be the only one to give secrets.
    await Promise.all([mesh.stop(STOP_GRACE_MILLIS), user.stop(STOP_GRACE_MILLIS)]);
    await peer.stop(STOP_GRACE_MILLIS);
    await peers.close();
    await authority.close();
    await admin?.close();
    await this.#options.store.close();
  }
}

interface Parts {
  readonly authority: Authority;
  readonly user: SessionServer<Peer<unknown>>;
  readonly mesh: SessionServer<Peer<Workload>>;
  readonly peer: SessionServer<Peer<PeerEvidence>>;
  readonly peers: Peers;
  /** End what keeps this coordinator up with the others. */
  readonly keepUp: readonly (() => Promise<void>)[];
  readonly admin: AdminServer | undefined;
}

async function startParts(
  options: CoordinatorOptions,
  started: (() => Promise<void>)[],
): Promise<Parts> {
  const { name, quoter, collateral, allowDevelopment, log, audit, now } = options;
  const startedAt = now();
  const metrics = new Metrics();
  // First, so that the probes answer while the store or the quote device takes its time.
  let ready: (() => readonly Check[]) | undefined = undefined;
  const admin =
    options.adminAddress === undefined
      ? undefined
      : await startAdminServer(
          options.adminAddress,
          { readiness: () => ready?.() ?? [STARTING], started: () => ready !== undefined },
          metrics,
        );
  if (admin !== undefined) started.push(() => admin.close());
  const instance = await generateInstance(name, ["localhost", "127.0.0.1", "::1"]);
  const appraiser = new Appraiser();
  const self = new SelfAppraisal({
    quoter,
    instance: instance.keys,
    appraiser,
    collateral,
    allowDevelopment,
    now,
  });
  // A coordinator that can't quote is of no use: fail at start, with the reason.
  await self.evidence();
  const store = new MeteredStore(options.store, metrics);
  const judging = { appraiser, collateral, now };
  const peers = new Peers(new Discovery({ peers: options.peers, log }), {
    instance,
    evidence: () => self.evidence(),
    verifier: unjudgedPeerEvidence(judging),
    log,
  });
  started.push(() => peers.close());
  const authority = await Authority.open({
    store,
    author: { name, instance: instance.keys.id },
    group: new PeerGroup(name, connectedPeers(peers)),
    allowDevelopment,
    log,
    audit,
    now,
  });
  started.push(() => authority.close());
  const peerRecovery = new PeerRecovery({
    ...{ ...judging, authority, peers, name, quoter, allowDevelopment, log, audit, metrics },
    identity: instance.tls,
  });
  const putBack = startPutBack({ authority, peers, allowDevelopment, log });
  const keepUp = [() => peerRecovery.close(), startHeadRecheck(authority, peers), putBack];
  started.push(...keepUp);
  const recovery = new UserRecovery(authority, self, instance.hpke, allowDevelopment);

  const health = new HealthState();
  const user = await startUserPort(options, metrics, instance, self, [
    userService({
      authority,
      self,
      recovery,
      instance,
      quoter,
      allowDevelopment,
      version: options.version,
      startedAt,
      peers,
      peerRecovery,
    }),
    healthService(health),
    reflectionService([UserService, Health]),
  ]);
  started.push(() => user.stop(0));

  const evidence = workloadVerifier({ authority, appraiser, collateral, metrics, now });
  const mesh = await SessionServer.start<Peer<Workload>>({
    ...listenOn(options.meshAddress),
    identity: instance.tls,
    attestation: {
      purpose: "mesh-session",
      prover: instanceProver(instance, () => self.evidence()),
      verifier: proofVerifier({ accept: ["fresh-quote"], evidence }),
    },
    plain: false,
    services: [meshService({ authority, audit, metrics, now })],
    meterOf: (method) => metrics.calls.meterOf(method),
    observe: (event) => {
      logPort(options, event);
      if (event.kind === "closed") metrics.sessions.dec();
      if (event.kind !== "opened") return;
      metrics.sessions.inc();
      // The manifest may have changed since its evidence was judged. HTTP/2 takes the socket first.
      setImmediate(() => closeIfExcluded(event.session, authority, log, now));
    },
  });
  started.push(() => mesh.stop(0));

  const peer = await startPeerPort({
    ...{ ...judging, authority, audit, quoter, allowDevelopment, hpke: instance.hpke },
    version: options.version,
    address: options.peerAddress,
    identity: instance.tls,
    prover: instanceProver(instance, () => self.evidence()),
    observe: (event) => {
      logPort(options, event);
      // Whoever has just connected is probably back: no need to wait for our next attempt.
      if (event.kind === "opened") peers.nudge();
    },
    meterOf: (method) => metrics.calls.meterOf(method),
  });
  started.push(() => peer.stop(0));

  const stateMetrics = new StateMetrics({ metrics, instance: instance.keys.id, startedAt, now });
  const follow = (): void => {
    stateMetrics.show(authority);
    const serving = readiness(authority).every(({ ok }) => ok);
    health.set("", serving);
    health.set(UserService.typeName, serving);
    for (const session of mesh.sessions()) closeIfExcluded(session, authority, log, now);
  };
  authority.onChange(follow);
  follow();
  const followPeers = (): void => stateMetrics.showPeers(peers.list());
  peers.onChange(followPeers);
  // Some may have connected while everything else was started.
  followPeers();
  watchEvidenceExpiry({ metrics, authority, self, appraiser, collateral, now });
  ready = () => readiness(authority);
  return { authority, user, mesh, peer, peers, keepUp, admin };
}

function startUserPort(
  options: CoordinatorOptions,
  metrics: Metrics,
  instance: InstanceIdentity,
  self: SelfAppraisal,
  services: Parameters<typeof SessionServer.start<Peer<unknown>>>[0]["services"],
): Promise<SessionServer<Peer<unknown>>> {
  const nobody = { verify: () => Promise.reject(new Error("userapi asks nobody for evidence")) };
  return SessionServer.start<Peer<unknown>>({
    ...listenOn(options.userAddress),
    identity: instance.tls,
    attestation: {
      purpose: "user-session",
      // Anybody may connect here: a quote for each would let strangers keep the quote device busy.
      prover: instanceProver(instance, () => self.evidence()),
      verifier: proofVerifier({ accept: ["none"], evidence: nobody }),
    },
    plain: true,
    services,
    observe: (event) => logPort(options, event),
    meterOf: (method) => metrics.calls.meterOf(method),
  });
}

function listenOn({ host, port }: Address): { host: string; port: number } {
  return { host, port };
}

/** **Security:** a session whose workload the manifest in force excludes ends at once, streams included. */
function closeIfExcluded(
  session: Session<Peer<Workload>>,
  authority: Authority,
  log: Logger,
  now: () => number,
): void {
  const { lifecycle } = authority;
  if (lifecycle.kind !== "ready" || session.kind !== "attested") return;
  if (session.peer.proof !== "fresh-quote") return;
  try {
    session.peer.claims.identityUnder(lifecycle.state.payload, now());
  } catch (cause) {
    log.info(
      { remote: session.remote, error: cause },
      "session closed: the manifest in force excludes it",
    );
    session.close();
  }
}

const STARTING: Check = { name: "start", ok: false, detail: "starting" };

function readiness(authority: Authority): readonly Check[] {
  const mode = modeLabel(authority);
  const { problem, suspended } = authority;
  return [
    { name: "state", ok: mode === "ready", detail: mode },
    // A store that is away for a while is no reason to send users elsewhere: all coordinators share it.
    { name: "store", ok: problem === undefined, detail: suspended?.message ?? "fine" },
  ];
}

/** A workload that obtains certificates from whichever coordinator answers. */
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import {
  developmentMeasurement,
  DevelopmentQuoter,
  loadDevelopmentVendor,
  type Quoter,
} from "../../../src/attestation/index.ts";
import { parseAddress } from "../../../src/config/address.ts";
import {
  type CoordinatorPins,
  parsePolicyDocument,
} from "../../../src/core/policy-document/policy-document.ts";
import { parseOwnerKey, sha256 } from "../../../src/crypto/index.ts";
import { Sidecar } from "../../../src/sidecar/sidecar.ts";
import type { World } from "../service/world.ts";
import type { Member } from "./member.ts";

/** One coordinator has this long to answer, then the next one is asked. It may have to wait for frozen peers first. */
const ATTEMPT_MILLIS = 8_000;
/** A call that takes longer than this, attempts at all coordinators included, has failed. */
const CALL_MILLIS_MAX = 12_000;
const BETWEEN_ROUNDS_MILLIS = 50;

/** What one call gave. */
export interface Certificate {
  readonly leaf: X509Certificate;
  readonly meshCa: X509Certificate;
  readonly trustBundle: readonly X509Certificate[];
  readonly recordHash: string;
  readonly secret: string | undefined;
  /** The coordinator that answered. */
  readonly by: string;
}

/** How a workload fared that went on obtaining certificates. */
export interface Tally {
  readonly certificates: readonly Certificate[];
  /** Calls that got no certificate, with the reason. */
  readonly failed: readonly unknown[];
  /** Attempts at one coordinator that were in vain, within calls that succeeded elsewhere. */
  readonly retries: number;
  /** The longest call. */
  readonly millisMax: number;
}

export class Workload {
  readonly #pins: CoordinatorPins;
  readonly #quoter: Quoter;
  readonly #sidecars = new Map<Member, Sidecar>();

  private constructor(pins: CoordinatorPins, quoter: Quoter) {
    this.#pins = pins;
    this.#quoter = quoter;
  }

  /** The workload `web`, pinned to the mesh's owners. */
  static async of(world: Pick<World, "file">): Promise<Workload> {
    const policy = await readFile(world.file("web.policy.json"));
    const document = parsePolicyDocument(policy, parseOwnerKey);
    const coordinator = document.ok ? document.value.coordinator : undefined;
    if (coordinator === undefined) throw new Error("the policy document pins its coordinators");
    const vendor = await loadDevelopmentVendor(world.file("platform"));
    const guest = { measurement: developmentMeasurement("web"), policyHash: sha256(policy) };
    return new Workload(coordinator, new DevelopmentQuoter(vendor, guest));
  }

  /** A certificate from one coordinator, tried once. @throws QuorateError whatever it answers */
  async obtainFrom(member: Member): Promise<Certificate> {
    const sidecar = this.#sidecars.get(member) ?? this.#sidecarFor(member);
    this.#sidecars.set(member, sidecar);
    try {
      return await obtained(sidecar, member);
    } catch (cause) {
      // It may have restarted: the next attempt connects anew, at once.
      sidecar.close();
      this.#sidecars.delete(member);
      throw cause;
    }
  }

  /** A certificate from any coordinator: one after the other is asked until one answers. */
  async obtain(members: readonly Member[], onRetry = (): void => undefined): Promise<Certificate> {
    const deadline = Date.now() + CALL_MILLIS_MAX;
    const first = Math.floor(Math.random() * members.length);
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.obtainFrom(members[(first + attempt) % members.length]!);
      } catch (cause) {
        if (Date.now() > deadline) throw cause;
        onRetry();
        if (attempt % members.length === members.length - 1) await pause(BETWEEN_ROUNDS_MILLIS);
      }
    }
  }

  /** Obtains certificates until the returned function is called, which gives the tally. */
  keepObtaining(members: readonly Member[], everyMillis = 20): () => Promise<Tally> {
    const certificates: Certificate[] = [];
    const failed: unknown[] = [];
    const counts = { retries: 0, millisMax: 0 };
    const stop = new AbortController();
    const running = (async () => {
      while (!stop.signal.aborted) {
        const began = Date.now();
        await this.obtain(members, () => counts.retries++).then(
          (certificate) => certificates.push(certificate),
          (cause: unknown) => failed.push(cause),
        );
        counts.millisMax = Math.max(counts.millisMax, Date.now() - began);
        await pause(everyMillis);
      }
    })();
    return async () => {
      stop.abort();
      await running;
      return { certificates, failed, ...counts };
    };
  }

  /** Ends its connections. */
  close(): void {
    for (const sidecar of this.#sidecars.values()) sidecar.close();
    this.#sidecars.clear();
  }

  #sidecarFor(member: Member): Sidecar {
    return new Sidecar({
      mesh: parseAddress(member.addresses.mesh, { host: "", port: 0 }),
      pins: this.#pins,
      quoter: this.#quoter,
      allowDevelopment: true,
      timeoutMs: ATTEMPT_MILLIS,
      now: () => Date.now(),
    });
  }
}

/** One issuance, whose parts must belong together. */
async function obtained(sidecar: Sidecar, member: Member): Promise<Certificate> {
  const { credentials, issued } = await sidecar.obtain(AbortSignal.timeout(ATTEMPT_MILLIS));
  const leaf = new X509Certificate(credentials.certificateChain);
  const meshCa = new X509Certificate(credentials.meshCa);
  expect(leaf.verify(meshCa.publicKey)).toBe(true);
  const trustBundle = credentials.trustBundle
    .split(/(?<=-----END CERTIFICATE-----\n)/)
    .filter((text) => text.includes("BEGIN"))
    .map((text) => new X509Certificate(text));
  const secret = credentials.secret?.use((bytes) => Buffer.from(bytes).toString("hex"));
  credentials.secret?.dispose();
  return { leaf, meshCa, trustBundle, recordHash: issued.recordHash, secret, by: member.name };
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

/** The audit log: who set what, who got which certificate, who recovered. A stream of its own, one JSON object a line. */
import type { Writable } from "node:stream";

/** One thing that happened and must stay known. Values are public: names, hashes, serials. */
export type AuditEvent = Happening & {
  /** Of the call that brought it about, if one did. The caller may have chosen it. */
  readonly requestId?: string | undefined;
};

type Happening =
  | {
      readonly event: "manifest-set";
      readonly recordHash: string;
      readonly generation: number;
      readonly approvedBy: readonly string[];
    }
  | { readonly event: "manifest-refused"; readonly manifestHash: string; readonly code: string }
  /** Nobody could say whether it took effect, or it did not for want of store or peers. A repeated call settles it. */
  | { readonly event: "manifest-unsettled"; readonly manifestHash: string; readonly code: string }
  | {
      readonly event: "certificate-issued";
      readonly recordHash: string;
      readonly policyHash: string;
      readonly spiffeId: string;
      readonly serial: string;
      readonly secretId: string | null;
      readonly remote: string;
    }
  | {
      readonly event: "attestation-refused";
      readonly remote: string;
      readonly code: string;
      readonly message: string;
    }
  | {
      readonly event: "share-submitted";
      readonly keyId: string;
      readonly received: number;
      readonly threshold: number;
    }
  | { readonly event: "share-refused"; readonly keyId: string; readonly code: string }
  | {
      readonly event: "recovered";
      readonly recordHash: string;
      readonly epoch: number;
      readonly shareOwners: readonly string[];
    }
  /** This coordinator got the secrets of a record from a peer. */
  | {
      readonly event: "recovered-from-peer";
      readonly recordHash: string;
      readonly peer: string;
      readonly instance: string;
    }
  /** This coordinator gave them to one. */
  | {
      readonly event: "secrets-given";
      readonly recordHash: string;
      /** Its name by its own account. */
      readonly peer: string;
      readonly remote: string;
    }
  | { readonly event: "state-stale"; readonly recordHash: string; readonly headHash: string }
  | { readonly event: "store-reasserted"; readonly recordHash: string; readonly shown: string }
  | { readonly event: "store-fork"; readonly recordHash: string; readonly shown: string };

/** Writes audit events in order. */
export class AuditLog {
  readonly #destination: Writable | undefined;
  readonly #now: () => number;

  /** @param destination the caller opens and closes it; `undefined` drops every event. */
  constructor(destination: Writable | undefined, now: () => number) {
    this.#destination = destination;
    this.#now = now;
  }

  record(event: AuditEvent): void {
    this.#destination?.write(
      `${JSON.stringify({ time: new Date(this.#now()).toISOString(), ...event })}\n`,
    );
  }
}

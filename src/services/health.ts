/** `grpc.health.v1`: whether this coordinator serves, for load balancers, orchestrators and `grpc_health_probe`. */
import { QuorateError } from "../core/errors.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../gen/grpc/health/v1/health_pb.ts";
import { type Service, service } from "../transport/grpc-service.ts";

/** Serving states by service name; the empty name is the whole server. */
export class HealthState {
  readonly #serving = new Map<string, boolean>();
  readonly #watchers = new Set<() => void>();

  /** Sets the state of a service, known or new, and tells those who watch. */
  set(name: string, serving: boolean): void {
    if (this.#serving.get(name) === serving) return;
    this.#serving.set(name, serving);
    for (const wake of [...this.#watchers]) wake();
  }

  /** The state of a service; `undefined` if it is not known. */
  get(name: string): boolean | undefined {
    return this.#serving.get(name);
  }

  /** All states. */
  entries(): IterableIterator<[string, boolean]> {
    return this.#serving.entries();
  }

  /** Resolves at the next change, or when the signal aborts. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#watchers.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#watchers.add(wake);
      signal.addEventListener("abort", wake);
      if (signal.aborted) wake();
    });
  }
}

/** The health service over some state. */
export function healthService<Peer>(state: HealthState): Service<Peer> {
  const status = (name: string): ServingStatus | undefined => {
    const serving = state.get(name);
    if (serving === undefined) return undefined;
    return serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  };
  return service<typeof Health, Peer>(Health, {
    check({ service: name }) {
      const known = status(name);
      if (known !== undefined) return Promise.resolve({ status: known });
      return Promise.reject(new QuorateError("not-found", `there is no service "${name}"`));
    },
    list() {
      const statuses = Object.fromEntries(
        [...state.entries()].map(([name]) => [
          name,
          { status: status(name) ?? ServingStatus.UNKNOWN },
        ]),
      );
      return Promise.resolve({ statuses });
    },
    async *watch({ service: name }, { signal }) {
      let told: ServingStatus | undefined;
      while (!signal.aborted) {
        const current = status(name) ?? ServingStatus.SERVICE_UNKNOWN;
        if (current !== told) {
          told = current;
          yield { status: current };
          // The state may have changed while the message was taken.
          continue;
        }
        await state.changed(signal);
      }
    },
  });
}

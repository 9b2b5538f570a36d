/** Opens a store from the text that a flag or environment variable holds. */
import { QuorateError } from "../core/errors.ts";
import { ETCD_ENDPOINTS_MAX } from "../core/limits.ts";
import type { EtcdAddress } from "./etcd/etcd-store.ts";
import { openFileStore } from "./file/file-store.ts";
import { MemoryStore } from "./memory-store.ts";
import type { CallOptions, Store } from "./store.ts";

/** What the specification doesn't hold, because it is secret or long. */
export interface OpenStoreOptions extends CallOptions {
  /** For `etcds:`, where authorities are required. */
  readonly etcdTls?: EtcdAddress["tls"];
  /** For `etcd:` and `etcds:`. */
  readonly etcdLogin?: EtcdAddress["login"];
}

const FORMS = "memory:, file:PATH, etcd://HOST:PORT[,HOST:PORT…]/PREFIX or etcds://…";
const DEFAULT_PREFIX = "quorate";
const ENDPOINT = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})$/;
const PREFIX = /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/;

/**
 * Opens what `specification` names:
 *
 * - `memory:` contents of its own, lost when the process ends;
 * - `file:PATH` a folder, made if it is missing;
 * - `etcd://HOST:PORT[,HOST:PORT…][/PREFIX]` an etcd over plain connections, used from the first operation on; `PREFIX`,
 *   `quorate` unless given, keeps deployments apart;
 * - `etcds://…` the same over TLS.
 *
 * Fails with `usage` if it is none of these, otherwise as opening that store does.
 */
export async function openStore(
  specification: string,
  options: OpenStoreOptions = {},
): Promise<Store> {
  const colon = specification.indexOf(":");
  const kind = specification.slice(0, Math.max(colon, 0));
  const place = specification.slice(colon + 1);
  switch (kind) {
    case "memory":
      if (place !== "") throw usage(specification, "memory: takes nothing after the colon");
      return new MemoryStore();
    case "file":
      if (place === "") throw usage(specification, "file: needs the path of a folder");
      return openFileStore(place, options);
    case "etcd":
    case "etcds": {
      const { prefix, ...address } = parseEtcd(kind, specification, options);
      // Only now: the client library costs tens of megabytes that other stores don't need.
      const { EtcdStore } = await import("./etcd/etcd-store.ts");
      return new EtcdStore(address, prefix);
    }
    default:
      throw usage(specification, `a store is ${FORMS}`);
  }
}

function parseEtcd(
  kind: "etcd" | "etcds",
  specification: string,
  { etcdTls: tls, etcdLogin: login }: OpenStoreOptions,
): EtcdAddress & { readonly prefix: string } {
  const rest = specification.slice(kind.length + 1);
  if (rest.includes("@"))
    // Not repeated in the message: it holds a password.
    throw new QuorateError("usage", "the store's address must not hold a user or password", {
      hint: "give them with --etcd-user NAME and --etcd-password-file FILE",
    });
  if (!rest.startsWith("//")) throw usage(specification, `write ${kind}://HOST:PORT/PREFIX`);
  const slash = rest.indexOf("/", 2);
  const endpoints = rest.slice(2, slash === -1 ? undefined : slash).split(",");
  const prefix = slash === -1 ? DEFAULT_PREFIX : rest.slice(slash + 1);

  if (!endpoints.every(isEndpoint))
    throw usage(specification, "each endpoint is HOST:PORT; IPv6 addresses stand in brackets");
  if (endpoints.length > ETCD_ENDPOINTS_MAX)
    throw usage(specification, `name at most ${ETCD_ENDPOINTS_MAX} endpoints`);
  if (!PREFIX.test(prefix))
    throw usage(specification, "the prefix is made of letters, digits and . _ - with / between");
  if (kind === "etcds" && tls === undefined)
    throw usage(
      specification,
      "etcds: needs the certificates of etcd's authorities: give --etcd-ca FILE",
    );
  if (kind === "etcd" && tls !== undefined)
    throw usage(
      specification,
      "write etcds: to use TLS, or leave out --etcd-ca, --etcd-cert, --etcd-key and --etcd-server-name",
    );
  return { endpoints, prefix, tls, login };
}

function isEndpoint(text: string): boolean {
  const port = ENDPOINT.exec(text)?.[2];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}

function usage(specification: string, hint: string): QuorateError {
  // Where an address of any kind holds a password, it stands before an @.
  const shown = specification.includes("@") ? "" : `: "${specification}"`;
  return new QuorateError("usage", `this does not name a store${shown}`, { hint });
}

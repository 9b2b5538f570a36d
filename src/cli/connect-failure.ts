/** Failures to reach a coordinator, told to people: the transport's own words are for its developers. */
import { DEFAULT_MESH_PORT, DEFAULT_USER_PORT } from "../config/ports.ts";
import { QuorateError } from "../core/errors.ts";
import { isWrongPort } from "../transport/wrong-port.ts";

/** Where a command tried to connect, with which flag that was said, and for which service. */
export interface Destination {
  readonly address: string;
  readonly flag: string;
  readonly service: "userapi" | "meshapi";
}

const DEFAULT_PORTS = { userapi: DEFAULT_USER_PORT, meshapi: DEFAULT_MESH_PORT } as const;

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, "the connection is refused"],
  [/ECONNRESET|socket hang up|cut during|closed during/, "the connection was cut"],
  [/ENETUNREACH|EHOSTUNREACH/, "there is no route to it"],
  [/Name resolution failed|ENOTFOUND|EAI_AGAIN/, "the name is not known"],
  [
    /the other side (speaks|does not speak)|algorithm in common|a certificate was refused/,
    "it does not speak the TLS of a coordinator",
  ],
];

/** The error itself, or, if it came from the way to the coordinator and not from there, one with a reason and a hint. */
export function inPlainWords(cause: unknown, destination: Destination): unknown {
  if (!(cause instanceof QuorateError)) return cause;
  const { address, flag, service } = destination;
  if (isWrongPort(cause)) {
    return new QuorateError("unreachable", `no ${service} at ${address}: ${cause.message}`, {
      cause,
      hint: `check ${flag}: it takes the address of ${service}, port ${DEFAULT_PORTS[service]} unless the coordinator was told otherwise`,
    });
  }
  const { code, message } = cause;
  if (code === "deadline-exceeded" && cause.hint === undefined) {
    return new QuorateError(code, `${address} did not answer in time`, {
      cause,
      hint: `check ${flag}; --timeout waits longer`,
    });
  }
  if (code !== "unreachable" && code !== "unavailable") return cause;
  const reason = REASONS.find(([pattern]) => pattern.test(message))?.[1];
  // With a hint and no reason of the list it is the coordinator's own answer.
  if (reason === undefined && cause.hint !== undefined) return cause;
  const detail = reason ?? message.replaceAll(/\s+/g, " ").trim();
  return new QuorateError("unreachable", `no coordinator answers at ${address}: ${detail}`, {
    cause,
    hint: `check ${flag}, and that the coordinator runs`,
  });
}

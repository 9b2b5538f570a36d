/** Network addresses in flags: `host:port`, `[v6]:port`, `:port`. */
import { QuorateError } from "../core/errors.ts";

/** Where to listen or connect. */
export interface Address {
  /** Host name or IP address without brackets. */
  readonly host: string;
  /** 0 to let the system choose (listening only). */
  readonly port: number;
}

/**
 * Parses an address.
 *
 * @param defaults taken for a missing host (`:1313`) or a missing port (`coordinator.example`).
 * @throws QuorateError `usage`
 */
export function parseAddress(
  text: string,
  defaults: { readonly host: string; readonly port: number },
): Address {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s/]*))(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[3] === undefined ? defaults.port : Number(match[3]);
  if (match === null || text === "" || port > 65_535) {
    throw new QuorateError("usage", `"${text}" is not an address`, {
      hint: "write host:port, for example 127.0.0.1:1313 or [::1]:1313",
    });
  }
  const host = match[1] ?? match[2] ?? "";
  return { host: host === "" ? defaults.host : host, port };
}

/** The form that {@link parseAddress} reads. */
export function formatAddress(address: Address): string {
  return address.host.includes(":")
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}

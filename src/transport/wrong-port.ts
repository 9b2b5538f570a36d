/**
 * Telling somebody who came to the wrong port of a coordinator. Each port asks for another proof and binds it to its
 * own purpose, so that what goes wrong there first says nothing about the cause.
 */
import type { SessionPurpose } from "../attestation/report-data.ts";
import { QuorateError } from "../core/errors.ts";

/** Key in {@link QuorateError.details}: the purpose of the port that refuses a session. */
const PORT_DETAIL = "port";

/** What a port is called by people, and its flag on a coordinator. */
const PORTS: Readonly<Record<SessionPurpose, { readonly name: string; readonly flag: string }>> = {
  "user-session": { name: "userapi", flag: "--user-address" },
  "mesh-session": { name: "meshapi", flag: "--mesh-address" },
  "peer-session": { name: "the peers", flag: "--peer-address" },
};

/** A refusal that also names the port, for {@link wrongPort} on the other side. */
export function refusalOfPort(error: QuorateError, served: SessionPurpose): QuorateError {
  const { code, message, hint, faults, details, cause } = error;
  return new QuorateError(code, message, {
    ...{ hint, faults, cause },
    details: { ...details, [PORT_DETAIL]: served },
  });
}

/**
 * The error for a client that was refused by a port with another purpose than it wanted; `undefined` if that is not
 * the reason.
 *
 * **Security:** the other side's word, not verified; it only explains a refusal that stands anyway.
 */
export function wrongPort(refusal: QuorateError, wanted: SessionPurpose): QuorateError | undefined {
  const served = refusal.details[PORT_DETAIL];
  if (served === undefined || served === wanted || !isPurpose(served)) return undefined;
  const { name, flag } = PORTS[wanted];
  const message = `this is the port of ${PORTS[served].name}, not of ${name}`;
  return new QuorateError("protocol", message, {
    hint: `use the address that the coordinator was given as ${flag}`,
    details: { [PORT_DETAIL]: served },
    cause: refusal,
  });
}

/** The error for a client whose protocol (ALPN) is not spoken at this port: plain TLS where sessions are attested, say. */
export function unknownPort(cause: Error): QuorateError {
  return new QuorateError("protocol", "the server does not take this kind of connection here", {
    hint: "check that the address is the right port of a coordinator",
    details: { [PORT_DETAIL]: "unknown" },
    cause,
  });
}

/** True for {@link wrongPort} and {@link unknownPort}. */
export function isWrongPort({ code, details }: QuorateError): boolean {
  return code === "protocol" && details[PORT_DETAIL] !== undefined;
}

function isPurpose(text: string): text is SessionPurpose {
  return Object.hasOwn(PORTS, text);
}

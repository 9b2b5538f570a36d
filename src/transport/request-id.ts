/** The id of a call: it ties the caller's error, our log and the audit log together. */
import { randomUUID } from "node:crypto";
import type { Metadata } from "@grpc/grpc-js";

/** Metadata key of the id, in requests and in the trailing metadata of responses. */
export const REQUEST_ID_KEY = "x-request-id";

const WELL_FORMED = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * The id that the caller chose, if it is 1 to 64 letters, digits, `.`, `_` or `-`; a random one otherwise.
 *
 * **Security:** a chosen id is a caller's word: it is bounded and plain, so that it can go into logs, but need not be
 * unique, and proves nothing.
 */
export function requestIdOf(metadata: Metadata): string {
  const chosen = metadata.get(REQUEST_ID_KEY);
  const [id] = chosen;
  return chosen.length === 1 && typeof id === "string" && WELL_FORMED.test(id) ? id : randomUUID();
}

/** Opens a store from the text that a flag or environment variable holds. */
import { QuorateError } from "../core/errors.ts";
import { openFileStore } from "./file/file-store.ts";
import { MemoryStore } from "./memory-store.ts";
import type { CallOptions, Store } from "./store.ts";

const FORMS = "memory: or file:PATH";

/**
 * Opens what `specification` names:
 *
 * - `memory:` contents of its own, lost when the process ends;
 * - `file:PATH` a folder, made if it is missing.
 *
 * Fails with `usage` if it is none of these, otherwise as opening that store does.
 */
export async function openStore(specification: string, options: CallOptions = {}): Promise<Store> {
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
    default:
      throw usage(specification, `a store is ${FORMS}`);
  }
}

function usage(specification: string, hint: string): QuorateError {
  return new QuorateError("usage", `this does not name a store: "${specification}"`, { hint });
}

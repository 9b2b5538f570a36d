/** The state machine's whole state in place of the log up to an index. */
import type { Configuration } from "./configuration.ts";
import type { LogIndex, Term } from "./types.ts";

/** A state machine's state, with what the log needs to continue behind it. */
export interface Snapshot {
  /** The last entry that the state includes. */
  readonly index: LogIndex;
  readonly term: Term;
  /** The configuration in force at `index`. */
  readonly configuration: Configuration;
  /** The host's bytes; the core never looks at them. */
  readonly data: Uint8Array;
}

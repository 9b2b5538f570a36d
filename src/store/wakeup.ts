/** A listener that is called soon after it was asked for, once for any number of requests in between. */
export interface Wakeup {
  /** Asks for a call, unless closed. Never calls in the caller's own turn. */
  readonly wake: () => void;
  /** No call comes after this. Idempotent. */
  readonly close: () => void;
}

/** @see Wakeup */
export function wakeup(listener: () => void): Wakeup {
  let due: NodeJS.Immediate | undefined;
  let closed = false;
  return {
    wake: () => {
      if (closed) return;
      due ??= setImmediate(() => {
        due = undefined;
        listener();
      });
    },
    close: () => {
      closed = true;
      clearImmediate(due);
    },
  };
}

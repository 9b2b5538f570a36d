/** A bound on the calls that run at once on a whole server, applied before a call's message is received. */
import { ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { QuorateError } from "../core/errors.ts";
import { callFailure } from "./error-detail.ts";

/**
 * Refuses calls beyond `callsMax` with `resource-exhausted`, so that messages being received on all connections
 * together stay bounded.
 *
 * @param onRefused hears of each one that is refused, by the path of its method.
 */
export function callLimit(callsMax: number, onRefused: (path: string) => void): ServerInterceptor {
  let running = 0;
  return ({ path }, call) => {
    if (running >= callsMax) {
      onRefused(path);
      const error = new QuorateError("resource-exhausted", "too many calls at once", {
        hint: "try again in a moment",
      });
      // After its status a call delivers nothing any more, so no handler starts.
      call.sendStatus(callFailure(error));
      return new ServerInterceptingCall(call);
    }
    running++;
    let counted = true;
    const release = (): void => {
      if (counted) running--;
      counted = false;
    };
    return new ServerInterceptingCall(call, {
      start(next) {
        let alive = false;
        next({
          onReceiveMetadata(metadata, nextListener) {
            alive = true;
            nextListener(metadata);
          },
          // grpc-js says this at the end of every call that was alive when it started.
          onCancel() {
            release();
          },
        });
        // A call that its caller had reset before it started is never heard of again.
        if (!alive) release();
      },
    });
  };
}

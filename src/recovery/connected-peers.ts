/** The links that have a session, as the majority questions need them. */
import { PEER_ANSWER_MS } from "../core/limits.ts";
import type { ConnectedPeer, PeerSource } from "./peer-group.ts";
import type { PeerSession } from "./peer-link.ts";
import { parseStanding, type PeerStanding } from "./peer-standing.ts";
import type { Peers } from "./peers.ts";

/** What is connected of `peers` whenever somebody asks. */
export function connectedPeers(peers: Peers): PeerSource {
  return {
    connected: () =>
      peers.list().flatMap((link) => {
        const session = link.peer();
        const { standing } = link;
        return session === undefined || standing === undefined
          ? []
          : [connected(session, standing)];
      }),
    onChange: (listener) => peers.onChange(listener),
  };
}

function connected(
  { instance, evidence, client }: PeerSession,
  standing: PeerStanding,
): ConnectedPeer {
  const bounds = { timeoutMs: PEER_ANSWER_MS };
  return {
    instance,
    standing,
    judge: (policy) => evidence.judge(policy),
    ask: async () => parseStanding((await client.getStanding({}, bounds)).standing),
    async prepare(message) {
      await client.prepare(message, bounds);
    },
  };
}

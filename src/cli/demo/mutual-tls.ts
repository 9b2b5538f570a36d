/** Two workloads talk mutual TLS with the files that their sidecars wrote. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import path from "node:path";
import tls from "node:tls";

/** What a conversation showed. */
export type Conversation =
  /** SPIFFE ids that each side proved to the other. */
  | { readonly ok: true; readonly client: string; readonly server: string }
  | { readonly ok: false; readonly reason: string };

/** Where one side's key and certificate are, and what it trusts. */
export interface Side {
  /** A sidecar's output folder. */
  readonly credentials: string;
  /** Where to take the trusted CA certificates from. @default the credentials' own folder */
  readonly trust?: string;
}

/** Opens one connection from `client` to `server` and lets each check the other's certificate. */
export async function converse(client: Side, server: Side): Promise<Conversation> {
  const listener = tls.createServer({
    ...(await files(server)),
    requestCert: true,
    // Judged below, where the reason can be told.
    rejectUnauthorized: false,
    minVersion: "TLSv1.3",
  });
  const greeted = new Promise<Conversation>((resolve) => {
    listener.on("tlsClientError", (error) =>
      resolve({ ok: false, reason: `server: ${error.message}` }),
    );
    listener.on("secureConnection", (socket) => {
      socket.on("error", () => undefined);
      if (socket.authorized) {
        socket.end(spiffeId(socket));
        return;
      }
      socket.destroy();
      resolve({
        ok: false,
        reason: TLS_REASONS[String(socket.authorizationError)] ?? String(socket.authorizationError),
      });
    });
    void connect(listener, client, resolve);
  });
  try {
    return await greeted;
  } finally {
    listener.close();
  }
}

/** Codes of OpenSSL in plain words. */
const TLS_REASONS: Readonly<Record<string, string>> = {
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "issued by a CA that is not trusted",
  UNABLE_TO_GET_ISSUER_CERT: "issued by a CA that is not trusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "issued by a CA that is not trusted",
  SELF_SIGNED_CERT_IN_CHAIN: "issued by a CA that is not trusted",
};

async function connect(
  listener: tls.Server,
  client: Side,
  resolve: (outcome: Conversation) => void,
): Promise<void> {
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const socket = tls.connect({
    ...(await files(client)),
    host: "127.0.0.1",
    port: (listener.address() as AddressInfo).port,
    minVersion: "TLSv1.3",
    // SPIFFE identities are URIs: the chain is verified by TLS, the name by the workload itself.
    checkServerIdentity: () => undefined,
  });
  let heard = "";
  let server = "";
  socket.setEncoding("utf8");
  socket.on("secureConnect", () => (server = spiffeId(socket)));
  socket.on("data", (text: string) => (heard += text));
  socket.on("error", (error: Error) => resolve({ ok: false, reason: `client: ${error.message}` }));
  socket.on("close", () =>
    resolve(
      heard === ""
        ? { ok: false, reason: "closed without a word" }
        : { ok: true, client: heard, server },
    ),
  );
}

async function files(side: Side): Promise<{ key: Buffer; cert: Buffer; ca: Buffer }> {
  const [key, cert, ca] = await Promise.all([
    readFile(path.join(side.credentials, "tls.key")),
    readFile(path.join(side.credentials, "tls.crt")),
    readFile(path.join(side.trust ?? side.credentials, "mesh-ca.pem")),
  ]);
  return { key, cert, ca };
}

function spiffeId(socket: tls.TLSSocket): string {
  const names = socket.getPeerCertificate().subjectaltname ?? "";
  return /URI:(spiffe:[^,\s]+)/.exec(names)?.[1] ?? "nobody";
}

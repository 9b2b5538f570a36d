/** Length-prefixed frames on a TLS socket before HTTP/2 takes it over: 4 bytes big-endian, then that many bytes. */
import type { TLSSocket } from "node:tls";
import { lengthPrefixed } from "../core/bytes.ts";
import { QuorateError } from "../core/errors.ts";

const LENGTH_BYTES = 4;

/**
 * Reads one frame and not a byte more: what follows it stays in the socket for its next reader.
 *
 * @throws QuorateError `too-large` as soon as the length is known, `unreachable` if the socket ends first.
 */
export async function readFrame(socket: TLSSocket, bytesMax: number): Promise<Uint8Array> {
  const header = await readExactly(socket, LENGTH_BYTES);
  const length = header.readUInt32BE(0);
  if (length > bytesMax) {
    throw new QuorateError("too-large", `a frame of ${length} bytes, more than ${bytesMax}`);
  }
  return length === 0 ? new Uint8Array(0) : new Uint8Array(await readExactly(socket, length));
}

/**
 * Writes one frame and waits until the socket has taken all of it.
 *
 * **Security:** a socket that still holds data must not be given to HTTP/2: Node aborts the process.
 *
 * @throws QuorateError `unreachable`
 */
export async function writeFrame(socket: TLSSocket, body: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    if (socket.destroyed) reject(connectionEnded());
    else {
      socket.write(lengthPrefixed(body), (error) => {
        if (error) reject(connectionEnded(error));
        else resolve();
      });
    }
  });
}

function readExactly(socket: TLSSocket, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      socket.off("readable", take).off("end", ended).off("close", ended).off("error", failed);
      act();
    };
    const take = (): void => {
      const bytes = socket.read(length) as Buffer | null;
      if (bytes === null) return;
      settle(() => {
        // At the end of a stream `read` gives what is left.
        if (bytes.length === length) resolve(bytes);
        else reject(connectionEnded());
      });
    };
    const failed = (error: Error): void => settle(() => reject(connectionEnded(error)));
    const ended = (): void => settle(() => reject(connectionEnded()));
    if (socket.destroyed || socket.readableEnded) {
      reject(connectionEnded());
      return;
    }
    socket.on("readable", take).on("end", ended).on("close", ended).on("error", failed);
    take();
  });
}

function connectionEnded(cause?: Error): QuorateError {
  return new QuorateError("unreachable", "the connection ended during the session handshake", {
    hint: "the other side may be overloaded, restarting, or not a coordinator",
    cause,
  });
}

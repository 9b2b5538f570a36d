import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { describe, expect, it } from "vitest";
import { QuorateError } from "../../../src/core/errors.ts";
import { readFrame, writeFrame } from "../../../src/transport/frame.ts";

/** A stream that stands for a TLS socket; what is written waits until it is told to finish. */
function stream() {
  const written: Buffer[] = [];
  let finish: ((error?: Error) => void) | undefined;
  const duplex = new Duplex({
    read() {
      // Bytes are pushed by the test.
    },
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      finish = done;
    },
  });
  duplex.on("error", () => undefined);
  const socket: unknown = duplex;
  return { socket: socket as TLSSocket, duplex, written, finish: (e?: Error) => finish?.(e) };
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof QuorateError ? error.code : error),
  );

describe("reading a frame", () => {
  it("takes its bytes in whatever pieces they come, and leaves what follows", async () => {
    const { socket, duplex } = stream();
    const frame = readFrame(socket, 10);
    for (const byte of [0, 0, 0, 3, 7, 8]) {
      duplex.push(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    duplex.push(Buffer.of(9, 1, 2));
    expect(await frame).toEqual(Uint8Array.of(7, 8, 9));
    expect(duplex.read()).toEqual(Buffer.of(1, 2));
    expect(duplex.listenerCount("readable")).toBe(0);
  });

  it("takes an empty frame, and one of exactly the limit", async () => {
    const { socket, duplex } = stream();
    duplex.push(Buffer.from([0, 0, 0, 0, 0, 0, 0, 2, 5, 6]));
    expect(await readFrame(socket, 2)).toEqual(new Uint8Array(0));
    expect(await readFrame(socket, 2)).toEqual(Uint8Array.of(5, 6));
  });

  it("takes a frame larger than the stream's buffer", async () => {
    const { socket, duplex } = stream();
    const body = Buffer.alloc(66 * 1024, 3);
    const frame = readFrame(socket, body.length);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(body.length);
    const all = Buffer.concat([header, body]);
    for (let at = 0; at < all.length; at += 16_000) {
      duplex.push(all.subarray(at, at + 16_000));
      await new Promise(setImmediate);
    }
    expect(await frame).toEqual(new Uint8Array(body));
  });

  it("refuses a length above the limit without waiting for the bytes", async () => {
    const { socket, duplex } = stream();
    duplex.push(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    expect(await codeOf(readFrame(socket, 10))).toBe("too-large");
  });

  it.each([0, 2, 4, 6])("fails if the stream ends after %i bytes", async (count) => {
    const { socket, duplex } = stream();
    duplex.push(Buffer.from([0, 0, 0, 3, 1, 2, 3]).subarray(0, count));
    duplex.push(null);
    expect(await codeOf(readFrame(socket, 10))).toBe("unreachable");
  });

  it("fails if the stream breaks, or is broken already", async () => {
    const { socket, duplex } = stream();
    const frame = codeOf(readFrame(socket, 10));
    duplex.destroy(new Error("reset"));
    expect(await frame).toBe("unreachable");
    expect(await codeOf(readFrame(socket, 10))).toBe("unreachable");
  });
});

describe("writing a frame", () => {
  it("is done only when the socket has taken all of it", async () => {
    const { socket, written, finish } = stream();
    let done = false;
    const frame = writeFrame(socket, Uint8Array.of(1, 2)).then(() => (done = true));
    await new Promise(setImmediate);
    expect(Buffer.concat(written)).toEqual(Buffer.from([0, 0, 0, 2, 1, 2]));
    expect(done).toBe(false);
    finish();
    await frame;
  });

  it("fails if the socket breaks meanwhile, or is broken already", async () => {
    const { socket, duplex, finish } = stream();
    const frame = codeOf(writeFrame(socket, Uint8Array.of(1)));
    finish(new Error("reset"));
    expect(await frame).toBe("unreachable");
    duplex.destroy();
    expect(await codeOf(writeFrame(socket, Uint8Array.of(1)))).toBe("unreachable");
  });
});

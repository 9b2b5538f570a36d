/** Clients that do the protocol by hand, so that they can do it wrong. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { onTestFinished } from "vitest";
import { sessionBinding } from "../../../src/attestation/report-data.ts";
import { lengthPrefixed } from "../../../src/core/bytes.ts";
import { VerdictSchema, type Verdict } from "../../../src/gen/quorate/session/v1/session_pb.ts";
import {
  GetStatusRequestSchema,
  GetStatusResponseSchema,
  type GetStatusResponse,
} from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { readFrame } from "../../../src/transport/frame.ts";
import { type TlsIdentity, tlsOptions } from "../../../src/transport/tls-identity.ts";
import { ALPN_ATTESTED, tlsFacts } from "../../../src/transport/tls-profile.ts";
import { freshProver } from "./fixture.ts";

/** A TCP connection that is destroyed when the test ends. */
export async function rawTcp(port: number, localPort?: number): Promise<Socket> {
  const socket = connectTcp({ port, host: "127.0.0.1", ...(localPort ? { localPort } : {}) });
  socket.on("error", () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** A TLS connection with the attested protocol's ALPN unless told otherwise. */
export async function rawTls(
  port: number,
  options: ConnectionOptions & { readonly identity?: TlsIdentity; readonly tcp?: Socket } = {},
): Promise<TLSSocket> {
  const { identity, tcp, ...tls } = options;
  const socket = connectTls({
    socket: tcp ?? (await rawTcp(port)),
    ALPNProtocols: [ALPN_ATTESTED],
    rejectUnauthorized: false,
    ...(identity === undefined ? {} : tlsOptions(identity)),
    ...tls,
  });
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  socket.on("error", () => undefined);
  return socket;
}

/** The client's proof frame for a session, as an honest workload would send it. */
export async function proofFrame(
  socket: TLSSocket,
  identity: TlsIdentity,
  who = "web",
): Promise<Uint8Array> {
  const facts = tlsFacts(socket, identity.spki);
  const binding = sessionBinding({
    purpose: "mesh-session",
    role: "client",
    exporter: facts.exporters.client,
    serverCertificate: facts.peerCertificate,
    clientCertificate: identity.certificate,
  });
  return lengthPrefixed(await freshProver(who).prove(binding, new AbortController().signal));
}

/** The server's verdict. */
export async function readVerdict(socket: TLSSocket): Promise<Verdict> {
  return fromBinary(VerdictSchema, await readFrame(socket, 1 << 20));
}

/** Resolves when the other side has closed the connection. */
export async function closedByServer(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) await once(socket, "close");
}

/** One GetStatus call, gRPC by hand, over a socket that is ready for HTTP/2. */
export async function rawGetStatus(socket: TLSSocket): Promise<GetStatusResponse> {
  const session = connectHttp2("https://test", { createConnection: () => socket });
  const stream = session.request({
    ":method": "POST",
    ":path": "/quorate.userapi.v1.UserService/GetStatus",
    "content-type": "application/grpc",
    te: "trailers",
  });
  const request = toBinary(GetStatusRequestSchema, create(GetStatusRequestSchema));
  stream.end(Buffer.concat([Buffer.of(0), lengthPrefixed(request)]));
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  return fromBinary(GetStatusResponseSchema, body.subarray(5));
}

/** What every HTTP/2 connection starts with: the preface and (empty) settings. */
export const HTTP2_START = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  http2Frame(4, 0, 0, Buffer.alloc(0)),
]);

/** A PING; its answer has type 6 and flag 1. */
export const HTTP2_PING = http2Frame(6, 0, 0, Buffer.alloc(8));

/** HEADERS of a gRPC call (RFC 9113 section 6.2, RFC 7541 appendix A). */
export function callHeaders(stream: number, path: string): Buffer {
  const text = (value: string): Buffer =>
    Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);
  const block = Buffer.concat([
    // :method POST, :scheme https, :path, :authority, content-type; no entry is added to the table.
    Buffer.of(0x83, 0x87),
    Buffer.concat([Buffer.of(0x04), text(path)]),
    Buffer.concat([Buffer.of(0x01), text("localhost")]),
    Buffer.concat([Buffer.of(0x0f, 0x10), text("application/grpc")]),
  ]);
  const END_HEADERS = 4;
  return http2Frame(1, END_HEADERS, stream, block);
}

/** RST_STREAM with code CANCEL. */
export function resetStream(stream: number): Buffer {
  return http2Frame(3, 0, stream, Buffer.from([0, 0, 0, 8]));
}

/** Reads HTTP/2 frames until this one comes. */
export async function http2FrameOf(
  tls: TLSSocket,
  wanted: { readonly type: number; readonly flags: number },
): Promise<void> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const chunk = tls.read() as Buffer | null;
    if (chunk === null) {
      await once(tls, "readable");
      continue;
    }
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
      if (bytes.readUInt8(3) === wanted.type && bytes.readUInt8(4) === wanted.flags) return;
      bytes = bytes.subarray(9 + bytes.readUIntBE(0, 3));
    }
  }
}

function http2Frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

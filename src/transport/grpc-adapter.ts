/**
 * The types of the adapter between protobuf-es services and grpc-js: what a service's implementation looks like, and
 * what its client looks like. `grpc-service.ts` makes the server side, `grpc-client.ts` the client side.
 *
 * Unary, server-streaming and bidirectional methods exist; client-streaming ones are not used in this project.
 *
 * `bytes` fields of a decoded message are **views into the receive buffer**: whoever keeps one longer than the call
 * copies it, or the whole buffer stays in memory; secrets are moved with `Secret.take`, which zeroes the view.
 */
import type {
  DescMessage,
  DescMethod,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Metadata, MethodDefinition } from "@grpc/grpc-js";
import type { Millis } from "../core/brand.ts";
import type { Session } from "./session.ts";

/** What a handler knows of its call. */
export interface CallContext<Peer> {
  /** Full method path, for example `/quorate.userapi.v1.UserService/GetStatus`. */
  readonly method: string;
  /** Random id of this call, for the log and for internal errors. */
  readonly requestId: string;
  /** The connection that the call came in on. */
  readonly session: Session<Peer>;
  /** Aborts when the caller cancels, the deadline passes or the connection ends; streams must heed it. */
  readonly signal: AbortSignal;
  /** The caller's deadline in milliseconds since the Unix epoch. */
  readonly deadline: Millis | undefined;
  readonly metadata: Metadata;
}

/** The handler of one method. A thrown QuorateError becomes the call's status; anything else an internal error. */
export type MethodHandler<M, Peer> = M extends {
  readonly methodKind: infer Kind;
  readonly input: infer I extends DescMessage;
  readonly output: infer O extends DescMessage;
}
  ? Kind extends "unary"
    ? (request: MessageShape<I>, context: CallContext<Peer>) => Promise<MessageInitShape<O>>
    : Kind extends "server_streaming"
      ? (request: MessageShape<I>, context: CallContext<Peer>) => AsyncIterable<MessageInitShape<O>>
      : Kind extends "bidi_streaming"
        ? (
            requests: AsyncIterable<MessageShape<I>>,
            context: CallContext<Peer>,
          ) => AsyncIterable<MessageInitShape<O>>
        : never
  : never;

/** One handler for every method of a service, under the method's name in lower camel case. */
export type ServiceImplementation<S extends DescService, Peer> = {
  readonly [K in keyof S["method"]]: MethodHandler<S["method"][K], Peer>;
};

/** How a client bounds one call. */
export interface CallOptions {
  /** Cancels the call. */
  readonly signal?: AbortSignal | undefined;
  /** Fails the call with `deadline-exceeded`. @default CALL_TIMEOUT_MS for unary calls, none for streams */
  readonly timeoutMs?: number | undefined;
}

/** The client's function for one method. Every failure is a QuorateError. */
export type ClientMethod<M> = M extends {
  readonly methodKind: infer Kind;
  readonly input: infer I extends DescMessage;
  readonly output: infer O extends DescMessage;
}
  ? Kind extends "unary"
    ? (request: MessageInitShape<I>, options?: CallOptions) => Promise<MessageShape<O>>
    : Kind extends "server_streaming"
      ? (request: MessageInitShape<I>, options?: CallOptions) => AsyncIterable<MessageShape<O>>
      : Kind extends "bidi_streaming"
        ? (
            requests: AsyncIterable<MessageInitShape<I>>,
            options?: CallOptions,
          ) => AsyncIterable<MessageShape<O>>
        : never
  : never;

/** A typed client: one function for every method of the service. */
export type ServiceClient<S extends DescService> = {
  readonly [K in keyof S["method"]]: ClientMethod<S["method"][K]>;
};

/** Stands for a message that is not what its type says; a symbol, because streams can't carry `undefined`. */
export const MALFORMED: unique symbol = Symbol("malformed message");

/** grpc-js's view of one method. Decoding never throws: a malformed message is {@link MALFORMED}. */
export function methodDefinition(method: DescMethod): MethodDefinition<unknown, unknown> {
  const { serialize: requestSerialize, deserialize: requestDeserialize } = codec(method.input);
  const { serialize: responseSerialize, deserialize: responseDeserialize } = codec(method.output);
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream:
      method.methodKind === "bidi_streaming" || method.methodKind === "client_streaming",
    responseStream:
      method.methodKind === "bidi_streaming" || method.methodKind === "server_streaming",
    requestSerialize,
    requestDeserialize,
    responseSerialize,
    responseDeserialize,
  };
}

function codec(schema: DescMessage): {
  serialize: (message: unknown) => Buffer;
  deserialize: (bytes: Uint8Array) => unknown;
} {
  return {
    serialize(message) {
      const bytes = toBinary(schema, message as MessageShape<typeof schema>);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    deserialize(bytes) {
      try {
        return fromBinary(schema, bytes);
      } catch {
        // The reader turns this into a clear refusal; grpc-js would answer INTERNAL.
        return MALFORMED;
      }
    },
  };
}

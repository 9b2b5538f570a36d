/** The server side of the adapter: a protobuf-es service and its handlers as a grpc-js service. */
import { randomUUID } from "node:crypto";
import type { EventEmitter } from "node:events";
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  Metadata,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  UntypedHandleCall,
  UntypedServiceImplementation,
  ServiceDefinition,
} from "@grpc/grpc-js";
import { assert } from "../core/assert.ts";
import type { Millis } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import { callFailure, presentable } from "./error-detail.ts";
import {
  MALFORMED,
  methodDefinition,
  type CallContext,
  type ServiceImplementation,
} from "./grpc-adapter.ts";
import type { Session } from "./session.ts";

/** A service with its handlers, ready to be added to a server; made by {@link service}. */
export interface Service<Peer> {
  readonly description: DescService;
  readonly implementation: Readonly<Record<string, AnyHandler<Peer>>>;
}

/** Pairs a service with an implementation of all its methods. */
export function service<S extends DescService, Peer>(
  description: S,
  implementation: ServiceImplementation<S, Peer>,
): Service<Peer> {
  return {
    description,
    implementation,
  };
}

/** What the adapter needs from the server that runs it. */
export interface ServiceHost<Peer> {
  /** The connection of a call; `undefined` once it is gone. */
  sessionOf(call: { getAuthContext(): object }): Session<Peer> | undefined;
  /** Hears of everything that handlers throw and that is not a QuorateError, with the id that the caller sees. */
  onInternalError(error: unknown, call: { method: string; requestId: string }): void;
}

/** The two arguments of grpc-js's `Server.addService`. */
export function grpcService<Peer>(
  { description, implementation }: Service<Peer>,
  host: ServiceHost<Peer>,
): { definition: ServiceDefinition; handlers: UntypedServiceImplementation } {
  const definition: Record<string, ReturnType<typeof methodDefinition>> = {};
  const handlers: Record<string, UntypedHandleCall> = {};
  for (const method of description.methods) {
    const handler = implementation[method.localName];
    assert(handler !== undefined, `${method.toString()} has a handler`);
    definition[method.localName] = methodDefinition(method);
    handlers[method.localName] = untypedHandler(method, handler, host);
  }
  return { definition, handlers };
}

type AnyHandler<Peer> = (input: unknown, context: CallContext<Peer>) => unknown;

function untypedHandler<Peer>(
  method: DescMethod,
  handler: AnyHandler<Peer>,
  host: ServiceHost<Peer>,
): UntypedHandleCall {
  const path = methodDefinition(method).path;
  switch (method.methodKind) {
    case "unary":
      return unary(path, method, handler, host);
    case "server_streaming":
      return serverStreaming(path, method, handler, host);
    case "bidi_streaming":
      return bidiStreaming(path, method, handler, host);
    case "client_streaming":
      throw new QuorateError("internal", `${path}: client streaming is not supported`);
  }
}

function unary<Peer>(
  path: string,
  method: DescMethod,
  handler: AnyHandler<Peer>,
  host: ServiceHost<Peer>,
): handleUnaryCall<unknown, unknown> {
  return (call, callback) => {
    const context = new Call(path, call, host);
    const answer = async (): Promise<unknown> =>
      response(method, await handler(wellFormed(call.request), context.opened()));
    answer().then(
      (message) => {
        context.finish();
        callback(null, message);
      },
      (error: unknown) => {
        callback(context.fail(error));
      },
    );
  };
}

function serverStreaming<Peer>(
  path: string,
  method: DescMethod,
  handler: AnyHandler<Peer>,
  host: ServiceHost<Peer>,
): handleServerStreamingCall<unknown, unknown> {
  return (call) => {
    const context = new Call(path, call, host);
    void send(call, method, context, () => handler(wellFormed(call.request), context.opened()));
  };
}

function bidiStreaming<Peer>(
  path: string,
  method: DescMethod,
  handler: AnyHandler<Peer>,
  host: ServiceHost<Peer>,
): handleBidiStreamingCall<unknown, unknown> {
  return (call) => {
    const context = new Call(path, call, host);
    void send(call, method, context, () => handler(requests(call), context.opened()));
  };
}

/** Sends what the handler yields, at the caller's pace, then the status. */
async function send<Peer>(
  call: ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>,
  method: DescMethod,
  context: Call<Peer>,
  start: () => unknown,
): Promise<void> {
  try {
    for await (const message of start() as AsyncIterable<unknown>) {
      if (context.signal.aborted) break;
      if (!call.write(response(method, message))) await drained(call, context.signal);
    }
    context.finish();
    call.end();
  } catch (error) {
    call.emit("error", context.fail(error));
  }
}

/** Waits until the stream takes more; the stream of a cancelled call never does. */
function drained(call: EventEmitter, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.removeListener("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    call.once("drain", done);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}

async function* requests(call: ServerDuplexStream<unknown, unknown>): AsyncGenerator {
  // Leaving early must not destroy the stream: the status is still to be sent.
  for await (const message of call.iterator({ destroyOnReturn: false })) yield wellFormed(message);
}

function connectionEnded(): QuorateError {
  return new QuorateError("cancelled", "the connection ended before the call started");
}

/** A handler may return the plain fields of its message. */
function response(method: DescMethod, message: unknown): unknown {
  return create(method.output, message as MessageInitShape<DescMessage>);
}

function wellFormed(message: unknown): unknown {
  if (message !== MALFORMED) return message;
  throw new QuorateError(
    "protocol",
    "the request is not a message of the type that the method takes",
    {
      hint: "generate the client from this version's proto files",
    },
  );
}

/** A call's context. What costs something is made when a handler first asks for it. */
class Call<Peer> implements CallContext<Peer> {
  readonly method: string;
  readonly metadata: Metadata;
  readonly #call: ServerCall;
  readonly #host: ServiceHost<Peer>;
  readonly #session: Session<Peer> | undefined;
  #requestId: string | undefined;
  #controller: AbortController | undefined;
  #finished = false;

  constructor(method: string, call: ServerCall, host: ServiceHost<Peer>) {
    this.method = method;
    this.metadata = call.metadata;
    this.#call = call;
    this.#host = host;
    this.#session = host.sessionOf(call);
  }

  /** This context, if the call's connection is still there. */
  opened(): this {
    if (this.#session === undefined) throw connectionEnded();
    return this;
  }

  get session(): Session<Peer> {
    if (this.#session === undefined) throw connectionEnded();
    return this.#session;
  }

  get requestId(): string {
    return (this.#requestId ??= randomUUID());
  }

  get deadline(): Millis | undefined {
    const deadline = Number(this.#call.getDeadline());
    return Number.isFinite(deadline) ? (deadline as Millis) : undefined;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      // grpc-js says "cancelled" at the end of every call, also of one that went well.
      const abort = (): void => {
        if (!this.#finished) controller.abort();
      };
      if (this.#call.cancelled) abort();
      else (this.#call as EventEmitter).once("cancelled", abort);
    }
    return this.#controller.signal;
  }

  finish(): void {
    this.#finished = true;
  }

  fail(thrown: unknown): ReturnType<typeof callFailure> {
    const cancelled = this.#call.cancelled;
    this.#finished = true;
    const error = presentable(thrown, this.requestId);
    if (error.code === "internal" && !cancelled) {
      this.#host.onInternalError(thrown, { method: this.method, requestId: this.requestId });
    }
    return callFailure(error);
  }
}

type ServerCall =
  | ServerUnaryCall<unknown, unknown>
  | ServerWritableStream<unknown, unknown>
  | ServerDuplexStream<unknown, unknown>;

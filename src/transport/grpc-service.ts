/** The server side of the adapter: a protobuf-es service and its handlers as a grpc-js service. */
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
  ServerDuplexStream,
  ServerWritableStream,
  UntypedHandleCall,
  UntypedServiceImplementation,
  ServiceDefinition,
} from "@grpc/grpc-js";
import { assert } from "../core/assert.ts";
import { QuorateError } from "../core/errors.ts";
import {
  MALFORMED,
  methodDefinition,
  type CallContext,
  type ServiceImplementation,
} from "./grpc-adapter.ts";
import { type CallHost, type CallMeter, type MeteredMethod, ServerCall } from "./server-call.ts";

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
export interface ServiceHost<Peer> extends CallHost<Peer> {
  /** Asked once for every method. */
  meterOf(method: MeteredMethod): CallMeter;
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

type OpenCall<Peer> = (call: ConstructorParameters<typeof ServerCall<Peer>>[1]) => ServerCall<Peer>;

function untypedHandler<Peer>(
  method: DescMethod,
  handler: AnyHandler<Peer>,
  host: ServiceHost<Peer>,
): UntypedHandleCall {
  const { path } = methodDefinition(method);
  const kind = method.methodKind;
  const meter = host.meterOf({ service: method.parent.typeName, name: method.name, kind });
  const open: OpenCall<Peer> = (call) => new ServerCall(path, call, host, meter);
  switch (kind) {
    case "unary":
      return unary(method, handler, open);
    case "server_streaming":
      return serverStreaming(method, handler, open);
    case "bidi_streaming":
      return bidiStreaming(method, handler, open);
    case "client_streaming":
      throw new QuorateError("internal", `${path}: client streaming is not supported`);
  }
}

function unary<Peer>(
  method: DescMethod,
  handler: AnyHandler<Peer>,
  open: OpenCall<Peer>,
): handleUnaryCall<unknown, unknown> {
  return (call, callback) => {
    const context = open(call);
    context.received();
    const answer = async (): Promise<unknown> =>
      response(method, await handler(wellFormed(call.request), context.opened()));
    answer().then(
      (message) => {
        if (!call.cancelled) context.sent();
        callback(null, message, context.finish());
      },
      (error: unknown) => {
        callback(context.fail(error));
      },
    );
  };
}

function serverStreaming<Peer>(
  method: DescMethod,
  handler: AnyHandler<Peer>,
  open: OpenCall<Peer>,
): handleServerStreamingCall<unknown, unknown> {
  return (call) => {
    const context = open(call);
    context.received();
    void send(call, method, context, () => handler(wellFormed(call.request), context.opened()));
  };
}

function bidiStreaming<Peer>(
  method: DescMethod,
  handler: AnyHandler<Peer>,
  open: OpenCall<Peer>,
): handleBidiStreamingCall<unknown, unknown> {
  return (call) => {
    const context = open(call);
    void send(call, method, context, () => handler(requests(call, context), context.opened()));
  };
}

/** Sends what the handler yields, at the caller's pace, then the status. */
async function send<Peer>(
  call: ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>,
  method: DescMethod,
  context: ServerCall<Peer>,
  start: () => unknown,
): Promise<void> {
  try {
    for await (const message of start() as AsyncIterable<unknown>) {
      if (context.signal.aborted) break;
      context.sent();
      if (!call.write(response(method, message))) await drained(call, context.signal);
    }
    call.end(context.finish());
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

async function* requests<Peer>(
  call: ServerDuplexStream<unknown, unknown>,
  context: ServerCall<Peer>,
): AsyncGenerator {
  // Leaving early must not destroy the stream: the status is still to be sent.
  for await (const message of call.iterator({ destroyOnReturn: false })) {
    context.received();
    yield wellFormed(message);
  }
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

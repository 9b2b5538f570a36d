/** The client side of the adapter: a protobuf-es service as promises and async iterables over a channel. */
import {
  create,
  type DescMethod,
  type DescService,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import {
  Metadata,
  status,
  type CallOptions as GrpcCallOptions,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ServiceError,
} from "@grpc/grpc-js";
import { QuorateError } from "../core/errors.ts";
import { CALL_TIMEOUT_MS } from "../core/limits.ts";
import { ERROR_METADATA_KEY, errorOfFailure } from "./error-detail.ts";
import {
  MALFORMED,
  methodDefinition,
  type CallOptions,
  type ServiceClient,
} from "./grpc-adapter.ts";

/** A connection to one server as the adapter uses it; see `attested-channel.ts` and `observed-channel.ts`. */
export interface Channel {
  readonly grpc: Client;
  /** Why connecting failed, if that is why a call could not start. */
  connectFailure(): QuorateError | undefined;
  /** Ends all connections; running calls fail with `cancelled` or `unavailable`. Idempotent. */
  close(): void;
}

/** A typed client for a service. Several clients may share one channel. */
export function serviceClient<S extends DescService>(
  description: S,
  channel: Channel,
): ServiceClient<S> {
  const methods: Record<string, unknown> = {};
  for (const method of description.methods) {
    methods[method.localName] = clientMethod(method, channel);
  }
  return methods as ServiceClient<S>;
}

function clientMethod(method: DescMethod, channel: Channel): unknown {
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method);
  const message = (fields: unknown): unknown =>
    create(method.input, fields as MessageInitShape<typeof method.input>);
  switch (method.methodKind) {
    case "unary":
      return (request: unknown, options: CallOptions = {}) =>
        new Promise((resolve, reject) => {
          const bound = callOptions({ timeoutMs: CALL_TIMEOUT_MS, ...options });
          const attempt = (refusalsLeft: number): void => {
            const call = opened(channel, () =>
              channel.grpc.makeUnaryRequest(
                path,
                requestSerialize,
                responseDeserialize,
                message(request),
                new Metadata(),
                bound,
                (failure, response) => {
                  forget();
                  if (failure !== null && refusalsLeft > 0 && isRefusedStream(failure)) {
                    again(refusalsLeft - 1);
                  } else if (failure !== null) reject(failed(failure, channel, options));
                  else if (response === MALFORMED) reject(malformed(path));
                  else resolve(response);
                },
              ),
            );
            const forget = onAbort(options.signal, () => {
              call.cancel();
            });
          };
          const again = (refusalsLeft: number): void => {
            try {
              attempt(refusalsLeft);
            } catch (cause) {
              reject(cause instanceof Error ? cause : new Error(String(cause)));
            }
          };
          attempt(REFUSALS_MAX);
        });
    case "server_streaming":
      return (request: unknown, options: CallOptions = {}) =>
        responses(path, channel, options, () =>
          channel.grpc.makeServerStreamRequest(
            path,
            requestSerialize,
            responseDeserialize,
            message(request),
            new Metadata(),
            callOptions(options),
          ),
        );
    case "bidi_streaming":
      return (requests: AsyncIterable<unknown>, options: CallOptions = {}) =>
        responses(path, channel, options, () => {
          const call = channel.grpc.makeBidiStreamRequest(
            path,
            requestSerialize,
            responseDeserialize,
            new Metadata(),
            callOptions(options),
          );
          void write(call, requests, message);
          return call;
        });
    case "client_streaming":
      throw new QuorateError("internal", `${path}: client streaming is not supported`);
  }
}

/** The call starts when the caller first asks for a response, and is cancelled when it stops asking. */
async function* responses(
  path: string,
  channel: Channel,
  options: CallOptions,
  start: () => ClientReadableStream<unknown> | ClientDuplexStream<unknown, unknown>,
): AsyncGenerator {
  const call = opened(channel, start);
  // A failure after the caller lost interest has no reader.
  call.on("error", ignore);
  const forget = onAbort(options.signal, () => {
    call.cancel();
  });
  try {
    for await (const message of call) {
      if (message === MALFORMED) throw malformed(path);
      yield message;
    }
  } catch (error) {
    throw error instanceof QuorateError ? error : failed(error as ServiceError, channel, options);
  } finally {
    forget();
    call.cancel();
  }
}

/** grpc-js throws at once if its channel was closed, by its owner or because of a refusal. */
function opened<T>(channel: Channel, start: () => T): T {
  try {
    return start();
  } catch (cause) {
    throw (
      channel.connectFailure() ?? new QuorateError("cancelled", "the channel is closed", { cause })
    );
  }
}

async function write(
  call: ClientDuplexStream<unknown, unknown>,
  requests: AsyncIterable<unknown>,
  message: (fields: unknown) => unknown,
): Promise<void> {
  try {
    for await (const request of requests) {
      if (call.destroyed || call.writableEnded) return;
      if (!call.write(message(request))) {
        await new Promise<void>((resolve) => {
          call.once("drain", resolve);
          call.once("close", resolve);
        });
      }
    }
    call.end();
  } catch (error) {
    call.destroy(error instanceof Error ? error : new Error("the requests ended with an error"));
    call.cancel();
  }
}

/** How often a call is sent again that the server refused unseen, before the caller hears of it. */
const REFUSALS_MAX = 3;

/**
 * True if the server refused the stream without processing it (RFC 9113 section 8.7), as it does to calls that cross
 * its farewell on a connection at its age limit. Sending such a call again is safe. grpc-js does so once, which may meet the same
 * connection; it tells only by this text.
 */
function isRefusedStream(failure: ServiceError): boolean {
  return failure.code === status.UNAVAILABLE && failure.details === "Stream refused by server";
}

function callOptions({ timeoutMs }: CallOptions): GrpcCallOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

function onAbort(signal: AbortSignal | undefined, cancel: () => void): () => void {
  if (signal === undefined) return ignore;
  if (signal.aborted) cancel();
  signal.addEventListener("abort", cancel, { once: true });
  return () => {
    signal.removeEventListener("abort", cancel);
  };
}

/** The reason that is closest to the cause: the caller's abort, the refused session, the server's own words. */
function failed(failure: ServiceError, channel: Channel, options: CallOptions): QuorateError {
  if (options.signal?.aborted === true)
    return new QuorateError("cancelled", "the call was cancelled");
  const error = errorOfFailure(failure);
  // Statuses that grpc-js makes when it has no connection, or when the channel was closed.
  const mayBeLocal = failure.code === status.UNAVAILABLE || failure.code === status.CANCELLED;
  const fromServer = failure.metadata.get(ERROR_METADATA_KEY).length > 0;
  return (mayBeLocal && !fromServer ? channel.connectFailure() : undefined) ?? error;
}

function malformed(path: string): QuorateError {
  return new QuorateError("protocol", `the answer of ${path} is not a message of its type`);
}

function ignore(): void {
  // Nothing to do: see the places that pass it.
}

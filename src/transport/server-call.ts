/** One call on the server: what its handler knows of it, and the account of how it went. */
import type { EventEmitter } from "node:events";
import type { DescMethod } from "@bufbuild/protobuf";
import {
  Metadata,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
} from "@grpc/grpc-js";
import type { Millis } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import { callFailure, presentable, type CallFailure } from "./error-detail.ts";
import type { CallContext } from "./grpc-adapter.ts";
import { REQUEST_ID_KEY, requestIdOf } from "./request-id.ts";
import type { Session } from "./session.ts";
import { statusOf } from "./status.ts";

/** A method as metrics name it. */
export interface MeteredMethod {
  /** Full name, for example `quorate.userapi.v1.UserService`. */
  readonly service: string;
  /** For example `GetStatus`. */
  readonly name: string;
  readonly kind: DescMethod["methodKind"];
}

/** Counts the calls of one method. It runs within every call: its functions are quick and never throw. */
export interface CallMeter {
  started(): void;
  /** One message of the caller reached the handler. */
  received(): void;
  /** One message of the handler went to the caller. */
  sent(): void;
  /** The call ended; once for every {@link started}. @param seconds since then */
  handled(code: status, seconds: number): void;
}

/** A call whose handler has ended. */
export interface EndedCall {
  /** Full path, for example `/quorate.userapi.v1.UserService/GetStatus`. */
  readonly method: string;
  readonly requestId: string;
  /** `address:port` of the caller; `undefined` if the connection was gone before the call started. */
  readonly remote: string | undefined;
  /** What the caller was told; `CANCELLED` or `DEADLINE_EXCEEDED` if it was not there any more. */
  readonly code: status;
  readonly seconds: number;
  /** Messages. */
  readonly received: number;
  readonly sent: number;
  /** Why it failed; `undefined` if it did not, or if nobody waited for the answer. */
  readonly error: QuorateError | undefined;
}

/** What a call needs from the server that runs it. */
export interface CallHost<Peer> {
  /** The connection of a call; `undefined` once it is gone. */
  sessionOf(call: { getAuthContext(): object }): Session<Peer> | undefined;
  /** Hears of everything that handlers throw and that is not a QuorateError, with the id that the caller sees. */
  onInternalError(error: unknown, call: { method: string; requestId: string }): void;
  /** Hears of every call that started, once, when its handler has ended. */
  onEnded(call: EndedCall): void;
}

/** A call's context. What costs something is made when it is first asked for. */
export class ServerCall<Peer> implements CallContext<Peer> {
  readonly method: string;
  readonly metadata: Metadata;
  readonly #call: GrpcCall;
  readonly #host: CallHost<Peer>;
  readonly #meter: CallMeter;
  readonly #session: Session<Peer> | undefined;
  readonly #startedAt = performance.now();
  #requestId: string | undefined;
  #controller: AbortController | undefined;
  #received = 0;
  #sent = 0;
  #ended = false;

  constructor(method: string, call: GrpcCall, host: CallHost<Peer>, meter: CallMeter) {
    this.method = method;
    this.metadata = call.metadata;
    this.#call = call;
    this.#host = host;
    this.#meter = meter;
    this.#session = host.sessionOf(call);
    meter.started();
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
    return (this.#requestId ??= requestIdOf(this.metadata));
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
        if (!this.#ended) controller.abort();
      };
      if (this.#call.cancelled) abort();
      else (this.#call as EventEmitter).once("cancelled", abort);
    }
    return this.#controller.signal;
  }

  /** Counts a message of the caller. */
  received(): void {
    this.#received++;
    this.#meter.received();
  }

  /** Counts a message to the caller. */
  sent(): void {
    this.#sent++;
    this.#meter.sent();
  }

  /** Ends the call well. @returns its trailing metadata */
  finish(): Metadata {
    this.#end(status.OK, undefined);
    return this.#identified(new Metadata());
  }

  /** Ends the call with what its handler threw. @returns what the caller is told */
  fail(thrown: unknown): CallFailure {
    const error = presentable(thrown, this.requestId);
    if (error.code === "internal" && !this.#call.cancelled) {
      this.#host.onInternalError(thrown, { method: this.method, requestId: this.requestId });
    }
    this.#end(statusOf(error.code), error);
    const failure = callFailure(error);
    this.#identified(failure.metadata);
    return failure;
  }

  #identified(metadata: Metadata): Metadata {
    metadata.set(REQUEST_ID_KEY, this.requestId);
    return metadata;
  }

  #end(outcome: status, failure: QuorateError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    const abandoned = this.#call.cancelled;
    const code = abandoned ? this.#whyAbandoned() : outcome;
    const seconds = (performance.now() - this.#startedAt) / 1000;
    this.#meter.handled(code, seconds);
    this.#host.onEnded({
      method: this.method,
      requestId: this.requestId,
      remote: this.#session?.remote,
      code,
      seconds,
      received: this.#received,
      sent: this.#sent,
      error: abandoned ? undefined : failure,
    });
  }

  /** The caller of a call without an answer left, or its time was up: both look the same to grpc-js. */
  #whyAbandoned(): status {
    const { deadline } = this;
    return deadline !== undefined && Date.now() >= deadline
      ? status.DEADLINE_EXCEEDED
      : status.CANCELLED;
  }
}

function connectionEnded(): QuorateError {
  return new QuorateError("cancelled", "the connection ended before the call started");
}

type GrpcCall =
  | ServerUnaryCall<unknown, unknown>
  | ServerWritableStream<unknown, unknown>
  | ServerDuplexStream<unknown, unknown>;

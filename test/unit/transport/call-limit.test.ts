import { Metadata, type ServerInterceptor, status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { callLimit } from "../../../src/transport/call-limit.ts";

type Call = Parameters<ServerInterceptor>[1];
type Listener = Parameters<Call["start"]>[0];

/** Starts a call through the interceptor; `alive` is false for a call that was reset before it started. */
function start(interceptor: ServerInterceptor, alive = true) {
  let listener: Listener | undefined;
  let refused: status | undefined;
  let cancelled = 0;
  const base = {
    start(given: Listener) {
      if (!alive || refused !== undefined) return;
      listener = given;
      given.onReceiveMetadata(new Metadata());
    },
    sendStatus({ code }: { code: status }) {
      refused = code;
    },
  } as unknown as Call;
  const call = interceptor({ path: "/a/B" } as never, base);
  call.start({
    onReceiveMetadata: () => undefined,
    onReceiveMessage: () => undefined,
    onReceiveHalfClose: () => undefined,
    onCancel: () => cancelled++,
  });
  return {
    refused: () => refused,
    cancelled: () => cancelled,
    end: () => listener?.onCancel(),
  };
}

describe("the call limit", () => {
  it("refuses what is too much, and gives places back when calls end", () => {
    const paths: string[] = [];
    const limit = callLimit(2, (path) => paths.push(path));
    const first = start(limit);
    start(limit);
    expect(start(limit).refused()).toBe(status.RESOURCE_EXHAUSTED);
    first.end();
    expect(first.cancelled()).toBe(1);
    expect(start(limit).refused()).toBeUndefined();
    expect(start(limit).refused()).toBe(status.RESOURCE_EXHAUSTED);
    expect(paths).toEqual(["/a/B", "/a/B"]);
  });

  it("keeps no place for a call that was reset before it started", () => {
    const limit = callLimit(1, () => undefined);
    for (let i = 0; i < 5; i++) expect(start(limit, false).refused()).toBeUndefined();
    expect(start(limit).refused()).toBeUndefined();
  });

  it("gives a place back once, even if the end is reported twice", () => {
    const limit = callLimit(1, () => undefined);
    const call = start(limit);
    call.end();
    call.end();
    start(limit);
    expect(start(limit).refused()).toBe(status.RESOURCE_EXHAUSTED);
  });
});

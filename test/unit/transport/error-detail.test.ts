import { toBinary } from "@bufbuild/protobuf";
import { Metadata, status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { ERROR_CODES, QuorateError } from "../../../src/core/errors.ts";
import { ERROR_DETAIL_BYTES_MAX } from "../../../src/core/limits.ts";
import { ErrorDetailSchema } from "../../../src/gen/quorate/common/v1/error_pb.ts";
import {
  callFailure,
  ERROR_METADATA_KEY,
  errorDetail,
  errorOfDetail,
  errorOfFailure,
  presentable,
} from "../../../src/transport/error-detail.ts";
import { codeOfStatus, statusOf } from "../../../src/transport/status.ts";

const ESCAPE = "\u001b[2J";

describe("the status table", () => {
  it("maps each code to a failure, and those of the design to the statuses that it names", () => {
    for (const code of ERROR_CODES) expect(statusOf(code)).not.toBe(status.OK);
    expect(statusOf("manifest-invalid")).toBe(status.INVALID_ARGUMENT);
    expect(statusOf("not-authorised")).toBe(status.PERMISSION_DENIED);
    expect(statusOf("head-moved")).toBe(status.ABORTED);
    expect(statusOf("not-ready")).toBe(status.FAILED_PRECONDITION);
    expect(statusOf("no-quorum")).toBe(status.UNAVAILABLE);
    expect(statusOf("not-durable")).toBe(status.UNAVAILABLE);
  });

  it("finds an error code for statuses of servers that send no detail", () => {
    expect(codeOfStatus(status.UNAVAILABLE)).toBe("unavailable");
    expect(codeOfStatus(99)).toBe("internal");
  });
});

describe("an error on the wire", () => {
  it("comes back as it was sent", () => {
    for (const code of ERROR_CODES.filter((each) => each !== "internal")) {
      const error = new QuorateError(code, "größer – “als” erlaubt", {
        hint: "first line\nsecond line",
        faults: [{ path: "$.a[0]", message: "is wrong" }],
        details: { head: "ab" },
      });
      const back = errorOfFailure(callFailure(error));
      const { message, hint, faults, details } = error;
      expect(back).toMatchObject({ code, message, hint, faults, details });
    }
  });

  it("stays within its bounds whatever it holds", () => {
    const long = "ü€😀".repeat(5_000);
    const error = new QuorateError("manifest-invalid", long, {
      hint: long,
      faults: Array.from({ length: 500 }, (_, i) => ({ path: `$[${i}]`, message: long })),
      details: Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`key${i}`, long])),
    });
    const detail = errorDetail(error);
    expect(toBinary(ErrorDetailSchema, detail).length).toBeLessThanOrEqual(ERROR_DETAIL_BYTES_MAX);
    expect(detail.faults.length + detail.omittedFaults).toBe(500);
    const failure = callFailure(error);
    expect(encodeURI(failure.details).length).toBeLessThanOrEqual(1_800);
  });

  it("survives text that has no UTF-8 form", () => {
    const failure = callFailure(
      new QuorateError("protocol", "lone \ud800 surrogate", { hint: "\udfff" }),
    );
    expect(() => encodeURI(failure.details)).not.toThrow();
    expect(errorOfFailure(failure).message).toBe("lone \ufffd surrogate");
  });

  it("can't steer the terminal of who reads it", () => {
    const detail = errorDetail(
      new QuorateError("protocol", `${ESCAPE}a`, {
        hint: `${ESCAPE}b`,
        faults: [{ path: ESCAPE, message: ESCAPE }],
        details: { [ESCAPE]: ESCAPE },
      }),
    );
    const error = errorOfDetail(detail);
    const all = JSON.stringify([error.message, error.hint, error.faults, error.details]);
    expect(all).not.toContain("\u001b");
    expect(all).not.toContain("\\u001b");
  });

  it("of a code that this version does not know is a protocol error", () => {
    const detail = { ...errorDetail(new QuorateError("usage", "x")), code: "no-such-code" };
    expect(errorOfDetail(detail).code).toBe("protocol");
  });

  it("without a detail, or with one that is garbage, has the nearest code", () => {
    const metadata = new Metadata();
    const failure = { code: status.NOT_FOUND, details: `no${ESCAPE}thing`, metadata };
    expect(errorOfFailure(failure)).toMatchObject({
      code: "not-found",
      message: "no\ufffd[2Jthing",
    });
    metadata.set(ERROR_METADATA_KEY, Buffer.from([0xff, 0xff]));
    expect(errorOfFailure(failure).code).toBe("not-found");
  });
});

describe("what handlers throw", () => {
  it("is shown if it is meant to be, and hidden behind the request id if not", () => {
    const meant = new QuorateError("not-ready", "no manifest yet");
    expect(presentable(meant, "id")).toBe(meant);
    for (const secret of [
      new Error("password hunter2"),
      new QuorateError("internal", "password hunter2"),
      "password hunter2",
      undefined,
    ]) {
      const shown = presentable(secret, "id-1");
      expect(shown.code).toBe("internal");
      expect(shown.details["requestId"]).toBe("id-1");
      const wire = callFailure(shown);
      expect(JSON.stringify([wire.details, wire.metadata.toHttp2Headers()])).not.toContain(
        "hunter",
      );
      expect(Buffer.from(toBinary(ErrorDetailSchema, errorDetail(shown))).toString()).not.toContain(
        "hunter",
      );
    }
  });

  it("tells aborts and timeouts apart", () => {
    const named = (name: string) => Object.assign(new Error("x"), { name });
    expect(presentable(named("AbortError"), "id").code).toBe("cancelled");
    expect(presentable(named("TimeoutError"), "id").code).toBe("deadline-exceeded");
  });
});

import { Metadata } from "@grpc/grpc-js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { REQUEST_ID_KEY, requestIdOf } from "../../../src/transport/request-id.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function having(...values: string[]): Metadata {
  const metadata = new Metadata();
  for (const value of values) metadata.add(REQUEST_ID_KEY, value);
  return metadata;
}

describe("a call's request id", () => {
  it("is the caller's if it is well-formed", () => {
    for (const id of ["7", "a".repeat(64), "Deploy_42.retry-1"]) {
      expect(requestIdOf(having(id))).toBe(id);
    }
  });

  it("is made if there is none, and differs from call to call", () => {
    const made = requestIdOf(new Metadata());
    expect(made).toMatch(UUID);
    expect(requestIdOf(new Metadata())).not.toBe(made);
  });

  it("is made if the caller sends several", () => {
    expect(requestIdOf(having("one", "two"))).toMatch(UUID);
  });

  it.each([
    "",
    "a".repeat(65),
    "two words",
    '"quoted"',
    "a,b",
    "<script>",
    "../etc",
    "${jndi:ldap}",
  ])("is made if the caller's is malformed: %j", (id) => {
    expect(requestIdOf(having(id))).toMatch(UUID);
  });

  it("has nothing in it that could steer a log or a terminal, whatever the caller sends", () => {
    // Metadata itself lets printable ASCII through.
    const printable = fc.string({
      unit: fc.integer({ min: 32, max: 126 }).map((c) => String.fromCharCode(c)),
    });
    fc.assert(
      fc.property(printable, (id) => {
        expect(requestIdOf(having(id))).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
      }),
    );
  });
});

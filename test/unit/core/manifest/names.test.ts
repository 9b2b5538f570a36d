import { describe, expect, it } from "vitest";
import {
  isDnsLabel,
  isDnsName,
  isOwnerName,
  isSecretId,
  isSpiffePath,
  isTrustDomain,
} from "../../../../src/core/manifest/index.ts";

describe("names in a manifest", () => {
  it.each<[string, (text: string) => boolean, readonly string[], readonly string[]]>([
    [
      "DNS label",
      isDnsLabel,
      ["a", "0", "coordinator-0", "a".repeat(63)],
      ["", "-a", "a-", "A", "a.b", "a_b", "a".repeat(64), "ä", "a\n"],
    ],
    [
      "DNS name",
      isDnsName,
      ["web", "web.default.svc", "*.web", "a.0.b", "1a", `${"a.".repeat(126)}b`],
      [
        ...[
          "",
          ".",
          "a.",
          ".a",
          "a..b",
          "*",
          "*.",
          "*.*.a",
          "a.*",
          "w*.a",
          "A.b",
          "1.2.3.4",
          "a.1",
        ],
        ...["a b", "a\u0000", "*web.a", `${"a.".repeat(127)}b`, "xn--\u00e4"],
      ],
    ],
    [
      "trust domain",
      isTrustDomain,
      ["mesh.example", "a", "a_b-c.d", "a".repeat(255)],
      ["", "A", "a/b", "a:1", "a b", "a".repeat(256)],
    ],
    [
      "SPIFFE path",
      isSpiffePath,
      ["/a", "/ns/default/sa/Web_1", "/...", "/a.b"],
      [
        "",
        "/",
        "a",
        "/a/",
        "//a",
        "/a//b",
        "/.",
        "/a/..",
        "/a%2f",
        "/a b",
        "/a?x",
        `/${"a".repeat(512)}`,
      ],
    ],
    ["secret id", isSecretId, ["web", "0", "a.b_c-d"], ["", "A", "-a", "a/b", "a".repeat(64)]],
    [
      "owner's name",
      isOwnerName,
      ["alice", "Alice@example.com", "a+b", "0"],
      ["", " a", "a b", "@a", "a\u202e", "a".repeat(65)],
    ],
  ])("tell a %s from anything else", (_, accepts, good, bad) => {
    expect(good.filter((text) => !accepts(text))).toEqual([]);
    expect(bad.filter((text) => accepts(text))).toEqual([]);
  });
});

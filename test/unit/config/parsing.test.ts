import { describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "../../../src/config/address.ts";
import { formatDuration, parseDuration } from "../../../src/config/duration.ts";

describe("parseAddress", () => {
  const defaults = { host: "0.0.0.0", port: 1313 };

  it.each([
    ["127.0.0.1:99", { host: "127.0.0.1", port: 99 }],
    ["coordinator.example", { host: "coordinator.example", port: 1313 }],
    [":0", { host: "0.0.0.0", port: 0 }],
    ["[::1]:7777", { host: "::1", port: 7777 }],
    ["[fe80::1]", { host: "fe80::1", port: 1313 }],
  ])("reads %s", (text, address) => {
    expect(parseAddress(text, defaults)).toEqual(address);
    expect(parseAddress(formatAddress(address), defaults)).toEqual(address);
  });

  it.each(["", "a b:1", "host:70000", "host:port", "::1:99", "http://host:1", "[::1", "host:1:2"])(
    "refuses %j with what to write instead",
    (text) => {
      expect(() => parseAddress(text, defaults)).toThrow(
        expect.objectContaining({ code: "usage" }),
      );
    },
  );
});

describe("parseDuration", () => {
  it.each([
    ["250ms", 250],
    ["90s", 90_000],
    ["15m", 900_000],
    ["24h", 86_400_000],
    ["7d", 604_800_000],
  ])("reads %s", (text, millis) => {
    expect(parseDuration(text)).toBe(millis);
  });

  it.each(["", "15", "-1s", "1.5h", "1 h", "1w", "99999999999s"])("refuses %j", (text) => {
    expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: "usage" }));
  });

  it("prints at most two units", () => {
    expect(formatDuration(86_400_000 + 3_600_000 + 60_000)).toBe("1d 1h");
    expect(formatDuration(61_000)).toBe("1m 1s");
    expect(formatDuration(400)).toBe("0s");
  });
});

/** Flags, defined once: each is also an environment variable `QUORATE_…`, and the help shows both. */
import { Option } from "commander";
import { DEFAULT_USER_PORT } from "../config/ports.ts";
import { type Address, parseAddress } from "../config/address.ts";
import { parseDuration } from "../config/duration.ts";
import { isSha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";

/** A flag whose environment variable is derived from its name: `--log-level` is `QUORATE_LOG_LEVEL`. */
export function flag(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.env(`QUORATE_${option.name().toUpperCase().replaceAll("-", "_")}`);
}

/** `-o, --output text|json`, which every command that prints a result takes. */
export function outputFlag(): Option {
  return flag("-o, --output <format>", "print for people or for programs")
    .choices(["text", "json"])
    .default("text");
}

/** `--coordinator HOST:PORT`, the userapi of a coordinator. */
function coordinatorFlag(): Option {
  const fallback = { host: "127.0.0.1", port: DEFAULT_USER_PORT };
  return flag("-c, --coordinator <address>", "userapi of the coordinator")
    .argParser((text) => parseAddress(text, fallback))
    .default(fallback satisfies Address, `127.0.0.1:${DEFAULT_USER_PORT}`);
}

/** `--timeout`, the bound on a whole command. */
export function timeoutFlag(fallback: string): Option {
  return flag("--timeout <duration>", "give up after this long")
    .argParser(parseDuration)
    .default(parseDuration(fallback), fallback);
}

/** A parser for whole numbers from `low` to `high`. */
export function wholeNumber(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < low || value > high) {
      throw new QuorateError("usage", `"${text}" is not a whole number from ${low} to ${high}`);
    }
    return value;
  };
}

/** A parser for a flag that may be given several times. */
export function collected(text: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), text];
}

/** Flags of every command that talks to a coordinator. */
export function connectFlags(): readonly Option[] {
  return [
    coordinatorFlag(),
    timeoutFlag("30s"),
    flag(
      "--accept-insecure-dev-attestation",
      "accept simulated evidence. INSECURE, for trials",
    ).default(false),
  ];
}

/** Flags that pin which history is trusted. */
export function pinFlags(): readonly Option[] {
  return [
    flag("--owner <file>", "public key of an owner who must have founded the history (repeatable)")
      .argParser(collected)
      .default([], "none"),
    flag("--threshold <k>", "how many of these owners must have approved its genesis").argParser(
      wholeNumber(1, 64),
    ),
    lineageFlag("the one history to trust"),
  ];
}

/** `--lineage HASH`. */
export function lineageFlag(description: string): Option {
  return flag("--lineage <hash>", description).argParser((text) => {
    if (isSha256(text)) return text;
    throw new QuorateError("usage", `"${text}" is not a lineage`, {
      hint: "give its 64 lower-case hex digits, as quorate verify shows them",
    });
  });
}

/** A parser for times. @returns milliseconds since the Unix epoch */
export function parseTime(text: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time)) {
    throw new QuorateError("usage", `"${text}" is not a time`, {
      hint: "write 2026-01-31T12:00:00Z",
    });
  }
  return time;
}

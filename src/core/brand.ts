/** Branded types: values of one shape that must not be mixed up. A brand exists at compile time only. */

declare const brand: unique symbol;

/** `Base` marked as `Name`; made by one of the constructors below or by a parser. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };

/** A SHA-256 digest in lower-case hex (64 characters). Text, so that it can be compared and be a map key. */
export type Sha256 = Brand<string, "Sha256">;
/** Number of manifest updates since genesis, which is 1. */
export type Generation = Brand<number, "Generation">;
/** Number of takeovers (recovery, heal) plus one: the fencing token. Genesis is 1. */
export type Epoch = Brand<number, "Epoch">;
/** A coordinator instance's random 16-byte id in lower-case hex (32 characters). */
export type InstanceId = Brand<string, "InstanceId">;
/** Logical time of a core: the host decides how long one tick lasts. */
export type Ticks = Brand<number, "Ticks">;
/** A duration or a time since the Unix epoch in milliseconds. */
export type Millis = Brand<number, "Millis">;

const HEX_64 = /^[0-9a-f]{64}$/;
const HEX_32 = /^[0-9a-f]{32}$/;

/** True if `text` is 64 lower-case hex digits. */
export function isSha256(text: unknown): text is Sha256 {
  return typeof text === "string" && HEX_64.test(text);
}

/** True if `text` is 32 lower-case hex digits. */
export function isInstanceId(text: unknown): text is InstanceId {
  return typeof text === "string" && HEX_32.test(text);
}

/** True for an integer from 1 up to the largest that a double holds exactly. */
export function isPositiveInteger(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}

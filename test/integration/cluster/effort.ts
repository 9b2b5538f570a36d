/** How long the tests of this folder go on: short in `npm test`, long in `npm run battery`. */

/** `short` rounds, or `long` ones if the environment variable `QUORATE_TEST_BATTERY` is set. */
export function rounds(counts: { readonly short: number; readonly long: number }): number {
  return process.env["QUORATE_TEST_BATTERY"] === undefined ? counts.short : counts.long;
}

export function delay(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

/** Bits of the SNP guest policy (AMD document 56860, "Guest Policy"); bits 0–15 are the minimum ABI version. */
export const GUEST_POLICY_BIT = {
  smt: 16,
  /** Must be one. */
  reserved: 17,
  migrationAgent: 18,
  debug: 19,
  singleSocket: 20,
  cxl: 21,
  aes256Xts: 22,
  raplDisabled: 23,
  ciphertextHiding: 24,
  pageSwapDisabled: 25,
} as const;

/** The first bit without a known meaning. */
export const GUEST_POLICY_FIRST_UNKNOWN_BIT = 26;

/** TCB versions of SEV-SNP: layout, and comparison by component. */
import type { SnpProductLine, SnpTcb } from "../../core/manifest/snp-reference-values.ts";

/** The components in the order in which they boot. */
export const TCB_COMPONENTS = ["fmc", "bootloader", "tee", "snp", "microcode"] as const;

/** The components of a raw TCB version (8 bytes in hex), laid out as the product line does. */
export function snpTcb(raw: string, line: SnpProductLine): SnpTcb {
  const byte = (index: number): number => Number.parseInt(raw.slice(2 * index, 2 * index + 2), 16);
  return line === "Turin"
    ? { fmc: byte(0), bootloader: byte(1), tee: byte(2), snp: byte(3), microcode: byte(7) }
    : { fmc: 0, bootloader: byte(0), tee: byte(1), snp: byte(6), microcode: byte(7) };
}

/**
 * True if no component of `a` is above `b`'s.
 *
 * **Security:** a partial order. Compared as one number, a new bootloader would hide an old microcode.
 */
export function isTcbAtMost(a: SnpTcb, b: SnpTcb): boolean {
  return TCB_COMPONENTS.every((part) => a[part] <= b[part]);
}

/** True if all components are the same. */
export function isTcbEqual(a: SnpTcb, b: SnpTcb): boolean {
  return TCB_COMPONENTS.every((part) => a[part] === b[part]);
}

/** For people: `bootloader 4, tee 0, snp 22, microcode 213`. */
export function tcbText(tcb: SnpTcb, line: SnpProductLine): string {
  return TCB_COMPONENTS.filter((part) => part !== "fmc" || line === "Turin")
    .map((part) => `${part} ${tcb[part]}`)
    .join(", ");
}

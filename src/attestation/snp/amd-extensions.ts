/** AMD's extensions of VCEK and VLEK certificates (AMD document 57230, "VCEK Certificate and KDS Interface"). */
import { toHex } from "../../core/bytes.ts";
import type { SnpProductLine, SnpTcb } from "../../core/manifest/snp-reference-values.ts";
import { parseDer, type DerReader } from "../../crypto/der.ts";
import type { CertificateView } from "../../crypto/x509-view.ts";
import { type Failure, failure } from "../failure.ts";

/** Object ids; all below AMD's arc. */
export const AMD_EXTENSION = {
  productName: "1.3.6.1.4.1.3704.1.2",
  bootloader: "1.3.6.1.4.1.3704.1.3.1",
  tee: "1.3.6.1.4.1.3704.1.3.2",
  snp: "1.3.6.1.4.1.3704.1.3.3",
  microcode: "1.3.6.1.4.1.3704.1.3.8",
  fmc: "1.3.6.1.4.1.3704.1.3.9",
  hardwareId: "1.3.6.1.4.1.3704.1.4",
  cspId: "1.3.6.1.4.1.3704.1.5",
} as const;

/** What an endorsement certificate says. `undefined`: not there. */
export interface AmdExtensions {
  /** E.g. `Milan-B0` or `Turin`. */
  readonly productName: string | undefined;
  /** `fmc` is 0 where the extension is missing. */
  readonly tcb: SnpTcb;
  readonly hasFmc: boolean;
  /** Lower-case hex: 64 bytes, on Turin 8. */
  readonly hardwareId: string | undefined;
  readonly cspId: string | undefined;
}

/**
 * Reads the extensions. Those of the TCB (but FMC) must be there; every one that is there must be well-formed
 * (`snp-extension`, one failure each).
 */
export function readAmdExtensions(certificate: CertificateView): {
  readonly extensions: AmdExtensions | undefined;
  readonly failures: readonly Failure[];
} {
  const failures: Failure[] = [];
  const read = <T>(
    name: keyof typeof AMD_EXTENSION,
    reader: (der: DerReader) => T,
  ): T | undefined => {
    const extension = certificate.extensions.get(AMD_EXTENSION[name]);
    if (extension === undefined) return undefined;
    const result = parseDer(extension.value, reader);
    if (result.ok) return result.value;
    failures.push(failure("snp-extension", "well-formed", result.error.message, name));
    return undefined;
  };
  const octet = (name: "bootloader" | "tee" | "snp" | "microcode" | "fmc"): number | undefined =>
    read(name, (der) => {
      const value = der.smallInteger();
      return value <= 255 ? value : der.fail(`${value} does not fit a byte`);
    });
  const required = (name: "bootloader" | "tee" | "snp" | "microcode"): number | undefined => {
    if (!certificate.extensions.has(AMD_EXTENSION[name])) {
      failures.push(failure("snp-extension", AMD_EXTENSION[name], "missing", name));
    }
    return octet(name);
  };
  const fmc = octet("fmc");
  const bootloader = required("bootloader");
  const tee = required("tee");
  const snp = required("snp");
  const microcode = required("microcode");
  const hardwareId = certificate.extensions.get(AMD_EXTENSION.hardwareId)?.value;
  const extensions = {
    productName: read("productName", (der) => der.text()),
    hasFmc: fmc !== undefined,
    hardwareId: hardwareId === undefined ? undefined : toHex(hardwareId),
    cspId: read("cspId", (der) => der.text()),
  };
  if (bootloader === undefined || tee === undefined || snp === undefined) {
    return { extensions: undefined, failures };
  }
  if (microcode === undefined) return { extensions: undefined, failures };
  const tcb = { fmc: fmc ?? 0, bootloader, tee, snp, microcode };
  return { extensions: { ...extensions, tcb }, failures };
}

/** The product line that a product name (`Milan-B0`) begins with. */
export function productLineOfName(name: string): SnpProductLine | undefined {
  switch (name.split("-")[0]) {
    case "Milan":
      return "Milan";
    case "Genoa":
      return "Genoa";
    case "Turin":
      return "Turin";
    default:
      return undefined;
  }
}

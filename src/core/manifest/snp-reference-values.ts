/** Reference values for AMD SEV-SNP: what a report must say to match one set of the manifest. */
import type { Sha256 } from "../brand.ts";
import {
  type Fields,
  type Reader,
  boolean,
  integer,
  list,
  object,
  oneOf,
  text,
} from "../json/index.ts";
import { ALLOW_LIST, hex } from "./reference-value-readers.ts";

/** AMD's processor generations that are supported: they differ in root key and TCB layout. */
export const SNP_PRODUCT_LINES = ["Milan", "Genoa", "Turin"] as const;
/** One of {@link SNP_PRODUCT_LINES}. */
export type SnpProductLine = (typeof SNP_PRODUCT_LINES)[number];

/** Security version numbers of the firmware parts, 0 to 255 each. `fmc` exists on Turin only and is 0 elsewhere. */
export interface SnpTcb {
  readonly fmc: number;
  readonly bootloader: number;
  readonly tee: number;
  readonly snp: number;
  readonly microcode: number;
}

/** Keys that sign reports: of the chip, or loaded by the cloud provider. */
const SNP_SIGNING_KEYS = ["vcek", "vlek"] as const;
/** One of {@link SNP_SIGNING_KEYS}. */
export type SnpSigningKey = (typeof SNP_SIGNING_KEYS)[number];

/** What the guest's own policy may allow and must demand. */
export interface SnpGuestPolicyRules {
  /** @default false */
  readonly allowDebug: boolean;
  /** Never honoured for the coordinator role. @default false */
  readonly allowMigrationAgent: boolean;
  /** @default false */
  readonly allowCxl: boolean;
  /** @default true */
  readonly allowSmt: boolean;
  /** @default false, like the following ones */
  readonly requireSingleSocket: boolean;
  readonly requireAes256Xts: boolean;
  readonly requireRaplDisabled: boolean;
  readonly requireCiphertextHiding: boolean;
  readonly requirePageSwapDisabled: boolean;
  /** The firmware interface version that the guest must insist on. @default 0.0 */
  readonly minimumAbi: { readonly major: number; readonly minor: number };
}

/** Facts of the host that `platform_info` reports, each by its bit. */
export const SNP_PLATFORM_INFO_BITS = {
  smt: 0,
  tsme: 1,
  ecc: 2,
  raplDisabled: 3,
  ciphertextHiding: 4,
  aliasCheckComplete: 5,
  tio: 7,
} as const;
/** A named bit of `platform_info`. */
export type SnpPlatformFact = keyof typeof SNP_PLATFORM_INFO_BITS;

/** One set for SEV-SNP. Byte strings are lower-case hex. `undefined` leaves a value unchecked. */
export interface SnpReferenceValues {
  readonly platform: "snp";
  /** SHA-256 of the simulated root's SPKI: makes this a development set. */
  readonly developmentRoot: Sha256 | undefined;
  /** Launch measurement, 48 bytes. */
  readonly measurement: string;
  /** Least TCB by product line. A line that is not listed is refused. */
  readonly minimumTcb: ReadonlyMap<SnpProductLine, SnpTcb>;
  /** Privilege level of the software that asked for the report. @default 0 */
  readonly vmpl: number;
  readonly guestPolicy: SnpGuestPolicyRules;
  /** Facts that must be as given. @default none */
  readonly platformInfo: ReadonlyMap<SnpPlatformFact, boolean>;
  /** Accept firmware that the host can still roll back (current above committed). @default false */
  readonly allowProvisionalFirmware: boolean;
  /** Refuse evidence without a current revocation list of the vendor's root. @default false */
  readonly requireRevocationCheck: boolean;
  /** @default both */
  readonly signingKeys: readonly SnpSigningKey[];
  /** Cloud providers' ids as in the VLEK, if only some are acceptable. */
  readonly cspIds: readonly string[] | undefined;
  /** Chip ids, 64 bytes each, if only some machines are acceptable. */
  readonly chipIds: readonly string[] | undefined;
  /** @default 0 */
  readonly minimumGuestSvn: number;
  /** 16 bytes each. */
  readonly familyId: string | undefined;
  readonly imageId: string | undefined;
  /** SHA-384 digests of the keys that signed the guest's id block. */
  readonly idKeyDigest: string | undefined;
  readonly authorKeyDigest: string | undefined;
}

/** Reads the fields of a set beside `platform`. */
export function readSnpReferenceValues(
  fields: Fields,
  developmentRoot: Sha256 | undefined,
): SnpReferenceValues | undefined {
  const measurement = fields.required("measurement", hex(48));
  const minimumTcb = fields.required("minimumTcb", minimumTcbByLine);
  const rest = {
    vmpl: fields.optional("vmpl", integer({ min: 0, max: 3 })) ?? 0,
    guestPolicy: fields.optional("guestPolicy", guestPolicyRules) ?? DEFAULT_GUEST_POLICY_RULES,
    platformInfo: fields.optional("platformInfo", platformFacts) ?? new Map(),
    allowProvisionalFirmware: fields.optional("allowProvisionalFirmware", boolean) ?? false,
    requireRevocationCheck: fields.optional("requireRevocationCheck", boolean) ?? false,
    signingKeys: fields.optional("signingKeys", signingKeys) ?? SNP_SIGNING_KEYS,
    cspIds: fields.optional("cspIds", cspIds),
    chipIds: fields.optional("chipIds", list(hex(64), ALLOW_LIST)),
    minimumGuestSvn: fields.optional("minimumGuestSvn", integer({ min: 0, max: 0xffff_ffff })) ?? 0,
    familyId: fields.optional("familyId", hex(16)),
    imageId: fields.optional("imageId", hex(16)),
    idKeyDigest: fields.optional("idKeyDigest", hex(48)),
    authorKeyDigest: fields.optional("authorKeyDigest", hex(48)),
  };
  if (measurement === undefined || minimumTcb === undefined) return undefined;
  return { platform: "snp", developmentRoot, measurement, minimumTcb, ...rest };
}

const DEFAULT_GUEST_POLICY_RULES: SnpGuestPolicyRules = {
  allowDebug: false,
  allowMigrationAgent: false,
  allowCxl: false,
  allowSmt: true,
  requireSingleSocket: false,
  requireAes256Xts: false,
  requireRaplDisabled: false,
  requireCiphertextHiding: false,
  requirePageSwapDisabled: false,
  minimumAbi: { major: 0, minor: 0 },
};

const octet = integer({ min: 0, max: 255 });

const signingKeys = list(oneOf(SNP_SIGNING_KEYS), { min: 1, max: SNP_SIGNING_KEYS.length });

const cspIds = list<string>(
  text("1 to 128 printable ASCII characters", (id) => /^[\x20-\x7e]{1,128}$/.test(id)),
  ALLOW_LIST,
);

const minimumTcbByLine: Reader<ReadonlyMap<SnpProductLine, SnpTcb>> = (value, path, faults) => {
  const lines = object((fields) => {
    const found = new Map<SnpProductLine, SnpTcb>();
    for (const line of SNP_PRODUCT_LINES) {
      const tcb = fields.optional(line, tcbOf(line));
      if (tcb !== undefined) found.set(line, tcb);
    }
    return found;
  })(value, path, faults);
  if (lines?.size !== 0) return lines;
  faults.add(path, `must have at least one of ${SNP_PRODUCT_LINES.join(", ")}`);
  return undefined;
};

function tcbOf(line: SnpProductLine): Reader<SnpTcb> {
  return object((fields) => {
    const fmc = line === "Turin" ? fields.required("fmc", octet) : 0;
    const bootloader = fields.required("bootloader", octet);
    const tee = fields.required("tee", octet);
    const snp = fields.required("snp", octet);
    const microcode = fields.required("microcode", octet);
    if (fmc === undefined || bootloader === undefined || tee === undefined) return undefined;
    if (snp === undefined || microcode === undefined) return undefined;
    return { fmc, bootloader, tee, snp, microcode };
  });
}

const guestPolicyRules = object<SnpGuestPolicyRules>((fields) => {
  const flag = (name: Exclude<keyof SnpGuestPolicyRules, "minimumAbi">): boolean =>
    fields.optional(name, boolean) ?? DEFAULT_GUEST_POLICY_RULES[name];
  return {
    allowDebug: flag("allowDebug"),
    allowMigrationAgent: flag("allowMigrationAgent"),
    allowCxl: flag("allowCxl"),
    allowSmt: flag("allowSmt"),
    requireSingleSocket: flag("requireSingleSocket"),
    requireAes256Xts: flag("requireAes256Xts"),
    requireRaplDisabled: flag("requireRaplDisabled"),
    requireCiphertextHiding: flag("requireCiphertextHiding"),
    requirePageSwapDisabled: flag("requirePageSwapDisabled"),
    minimumAbi: fields.optional("minimumAbi", abi) ?? DEFAULT_GUEST_POLICY_RULES.minimumAbi,
  };
});

const abi = object((fields) => {
  const major = fields.required("major", octet);
  const minor = fields.required("minor", octet);
  return major === undefined || minor === undefined ? undefined : { major, minor };
});

const platformFacts = object<ReadonlyMap<SnpPlatformFact, boolean>>((fields) => {
  const facts = new Map<SnpPlatformFact, boolean>();
  for (const fact of Object.keys(SNP_PLATFORM_INFO_BITS) as SnpPlatformFact[]) {
    const required = fields.optional(fact, boolean);
    if (required !== undefined) facts.set(fact, required);
  }
  return facts;
});

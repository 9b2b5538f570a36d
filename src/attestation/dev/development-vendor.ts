/**
 * The development platform: a simulated AMD with its own root, that signs real-format SEV-SNP reports with whatever
 * measurement it is asked for. Everything that reads them is the production verifier.
 *
 * **Security:** proves nothing about where a process runs. Its root counts only where a manifest's set names it as
 * `developmentRoot`, and only in a process started with `--insecure-dev-attestation`. Whoever reads the folder can
 * forge evidence under this root, and under no other.
 */
import { type KeyObject, createPrivateKey } from "node:crypto";
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../../core/assert.ts";
import { toBase64 } from "../../core/base64.ts";
import type { Sha256 } from "../../core/brand.ts";
import { toHex, utf8 } from "../../core/bytes.ts";
import { type Fault, QuorateError } from "../../core/errors.ts";
import {
  FaultSink,
  type Reader,
  base64Bytes,
  object,
  oneOf,
  parseJson,
  text,
} from "../../core/json/index.ts";
import { CERTIFICATE_BYTES_MAX, DEVELOPMENT_VENDOR_BYTES_MAX } from "../../core/limits.ts";
import { sha256 } from "../../crypto/hash.ts";
import { parseCertificate } from "../../crypto/x509-view.ts";
import type { Evidence } from "../evidence.ts";
import { REPORT_DATA_BYTES } from "../report-data.ts";
import { readAmdExtensions } from "../snp/amd-extensions.ts";
import { encodeCertificateTable } from "../snp/certificate-table.ts";
import { SIMULATED_TCB, type SimulatedChain, makeSimulatedChain } from "./simulated-chain.ts";
import { signSnpReport, writeSnpReport } from "./snp-report-writer.ts";

/** What a simulated guest claims to be. */
export interface SimulatedGuest {
  /** 48 bytes in hex. */
  readonly measurement: string;
  /** SHA-256 of its policy document: the host data. */
  readonly policyHash: Sha256;
  /** 64 bytes. */
  readonly reportData: Uint8Array;
}

/** A simulated vendor, ready to sign. */
export interface DevelopmentVendor {
  /** SHA-256 of the SNP root's SPKI: the `developmentRoot` of reference-value sets. */
  readonly rootFingerprint: Sha256;
  /** SNP evidence of a simulated guest, with the whole chain in its certificate table. */
  issue(guest: SimulatedGuest): Promise<Evidence>;
}

/**
 * Makes a simulated vendor in a folder that must not exist yet: one file, mode 0600, with the endorsement key and
 * its chain. The keys of root and intermediate are forgotten.
 *
 * Fails with `already-exists` if the folder exists.
 */
export async function createDevelopmentVendor(folder: string): Promise<DevelopmentVendor> {
  const chain = await makeSimulatedChain();
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    throw new QuorateError("already-exists", `${folder} exists already`, {
      hint: "name a folder that does not exist; manifests pin the root that is in the old one",
      cause,
    });
  }
  const path = join(folder, SNP_FILE);
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(encode(chain));
    await file.sync();
  } finally {
    await file.close();
  }
  return vendorOf(chain, path);
}

/**
 * Loads the vendor that {@link createDevelopmentVendor} made.
 *
 * Fails with `not-found` or `invalid-argument`.
 */
export async function loadDevelopmentVendor(folder: string): Promise<DevelopmentVendor> {
  const path = join(folder, SNP_FILE);
  let content: Uint8Array;
  try {
    content = await readFile(path);
  } catch (cause) {
    throw new QuorateError("not-found", `no simulated vendor in ${folder}`, {
      hint: "make one with: quorate keygen dev-platform --out FOLDER",
      cause,
    });
  }
  return vendorOf(decode(content, path), path);
}

const SNP_FILE = "simulated-snp-vendor.json";
const FORMAT = "quorate/simulated-snp-vendor/v1";
function vendorOf(chain: SimulatedChain, path: string): DevelopmentVendor {
  const ark = parseCertificate(chain.ark);
  const vcek = parseCertificate(chain.vcek);
  if (!ark.ok || !vcek.ok) throw damaged(path, []);
  const chipId = readAmdExtensions(vcek.value).extensions?.hardwareId;
  if (chipId === undefined) throw damaged(path, []);
  const certificates = encodeCertificateTable([
    { kind: "vcek", data: chain.vcek },
    { kind: "ask", data: chain.ask },
    { kind: "ark", data: chain.ark },
  ]);
  return {
    rootFingerprint: sha256(ark.value.spki),
    async issue(guest) {
      assert(guest.reportData.length === REPORT_DATA_BYTES, "report data has 64 bytes");
      const report = writeSnpReport(simulatedReport(guest, chipId));
      const quote = await signSnpReport(report, chain.vcekKey);
      return { platform: "snp", quote, certificates };
    },
  };
}

/** A report of version 3 as a Milan machine with firmware 1.55.29 writes it. */
function simulatedReport(guest: SimulatedGuest, chipId: string) {
  const { bootloader, tee, snp, microcode } = SIMULATED_TCB;
  const tcb = toHex(Uint8Array.of(bootloader, tee, 0, 0, 0, 0, snp, microcode));
  const firmware = [29, 55, 1] as const;
  return {
    version: 3,
    guestSvn: 0,
    // SMT allowed (16), the bit that must be one (17), firmware interface 0.31 at least.
    policy: 0x3_001fn,
    familyId: "",
    imageId: "",
    vmpl: 0,
    signatureAlgorithm: 1,
    platformInfo: 0x25n,
    keyFlags: 0,
    reportData: toHex(guest.reportData),
    measurement: guest.measurement,
    hostData: guest.policyHash,
    idKeyDigest: "",
    authorKeyDigest: "",
    cpuid: { family: 0x19, model: 1, stepping: 1 },
    chipId,
    currentTcb: tcb,
    reportedTcb: tcb,
    committedTcb: tcb,
    launchTcb: tcb,
    currentFirmware: firmware,
    committedFirmware: firmware,
  };
}

function encode(chain: SimulatedChain): Uint8Array {
  const key = chain.vcekKey.export({ format: "der", type: "pkcs8" });
  const document = {
    format: FORMAT,
    warning: "INSECURE: whoever reads this file can forge evidence under its root",
    ark: toBase64(chain.ark),
    ask: toBase64(chain.ask),
    vcek: toBase64(chain.vcek),
    vcekKey: toBase64(key),
  };
  return utf8(`${JSON.stringify(document, undefined, 2)}\n`);
}

function decode(content: Uint8Array, path: string): SimulatedChain {
  const faults = new FaultSink();
  const value = parseJson(content, DEVELOPMENT_VENDOR_BYTES_MAX, faults);
  const chain = value === undefined ? undefined : chainReader(value, "$", faults);
  if (chain !== undefined && faults.count === 0) return chain;
  throw damaged(path, faults.list());
}

const der = base64Bytes({ min: 1, max: CERTIFICATE_BYTES_MAX });

const chainReader = object<SimulatedChain>((fields) => {
  fields.required("format", oneOf([FORMAT]));
  fields.optional(
    "warning",
    text("a string", () => true),
  );
  const ark = fields.required("ark", der);
  const ask = fields.required("ask", der);
  const vcek = fields.required("vcek", der);
  const vcekKey = fields.required("vcekKey", privateKey);
  if (ark === undefined || ask === undefined || vcek === undefined) return undefined;
  return vcekKey === undefined ? undefined : { ark, ask, vcek, vcekKey };
});

const privateKey: Reader<KeyObject> = (value, path, faults) => {
  const bytes = der(value, path, faults);
  if (bytes === undefined) return undefined;
  try {
    return createPrivateKey({ key: Buffer.from(bytes), format: "der", type: "pkcs8" });
  } catch {
    faults.add(path, "must be a private key in PKCS #8");
    return undefined;
  }
};

function damaged(path: string, faults: readonly Fault[]): QuorateError {
  return new QuorateError("invalid-argument", `${path} is damaged`, {
    faults,
    hint: "make a new simulated vendor, and name its root in the manifest",
  });
}

/**
 * Intel's judgement of a platform: TCB level, TDX module and quoting enclave, each by TCB info or QE identity
 * (the TCB level check of Intel's quote verification library).
 */
import { equalBytes, toHex } from "../../core/bytes.ts";
import { type Failure, failure } from "../failure.ts";
import type { EnclaveReport } from "./enclave-report.ts";
import type { PckExtension } from "./pck-extension.ts";
import type { QeIdentity } from "./qe-identity.ts";
import type { IsvSvnLevel, ModuleSigner, TcbInfo } from "./tcb-info.ts";
import type { TcbAssessment } from "./tcb-status.ts";
import type { TdBody } from "./td-body.ts";

/** An assessment, or the reasons why there is none. */
export interface Assessed {
  readonly assessment: TcbAssessment | undefined;
  readonly failures: readonly Failure[];
}

/** The first level whose every security version the platform reaches. */
export function assessPlatform(tcbInfo: TcbInfo, pck: PckExtension, body: TdBody): Assessed {
  // A module with a version of its own is judged by its identity; its SVNs (0 and 1) are not comparable then.
  const firstTdxComponent = moduleVersion(body) > 0 ? 2 : 0;
  const tdxSvns = [...body.teeTcbSvn];
  const assessment = tcbInfo.tcbLevels.find(
    (level) =>
      reaches(pck.components, level.sgxComponents, 0) &&
      pck.pceSvn >= level.pceSvn &&
      reaches(tdxSvns, level.tdxComponents, firstTdxComponent),
  );
  if (assessment !== undefined) return { assessment, failures: [] };
  const found = `CPUSVN ${pck.components.join(".")}, PCESVN ${pck.pceSvn}, TDX SVN ${tdxSvns.join(".")}`;
  const expected = `one of ${tcbInfo.tcbLevels.length} levels`;
  return { assessment: undefined, failures: [failure("tdx-tcb-level", expected, found)] };
}

/**
 * The TDX module against the identity of its generation, `TDX_01` and so on. Modules of generation 0 have no
 * security version of their own: signer and attributes are checked, the platform's level says the rest.
 */
export function assessModule(tcbInfo: TcbInfo, body: TdBody): Assessed {
  const version = moduleVersion(body);
  if (version === 0) {
    const failures = signerFailures(tcbInfo.tdxModule, body);
    return { assessment: { status: "UpToDate", advisories: [] }, failures };
  }
  const id = `TDX_${version.toString(16).toUpperCase().padStart(2, "0")}`;
  const identity = tcbInfo.tdxModuleIdentities.find((candidate) => candidate.id === id);
  if (identity === undefined) {
    const known = tcbInfo.tdxModuleIdentities.map((candidate) => candidate.id).join(", ");
    const unknown = failure("tdx-module-unknown", known === "" ? "an identity" : known, id);
    return { assessment: undefined, failures: [unknown] };
  }
  const svn = body.teeTcbSvn[0] ?? 0;
  const assessment = firstLevel(identity.tcbLevels, svn);
  const failures = [...signerFailures(identity, body)];
  if (assessment === undefined) {
    failures.push(failure("tdx-module-svn", lowest(identity.tcbLevels), svn, id));
  }
  return { assessment, failures };
}

/** The quoting enclave against its identity. */
export function assessQuotingEnclave(identity: QeIdentity, report: EnclaveReport): Assessed {
  const failures: Failure[] = [];
  if (!equalBytes(report.mrSigner, identity.mrSigner)) {
    failures.push(failure("tdx-qe-signer", toHex(identity.mrSigner), toHex(report.mrSigner)));
  }
  if (report.isvProdId !== identity.isvProdId) {
    failures.push(failure("tdx-qe-product", identity.isvProdId, report.isvProdId));
  }
  const { miscSelect, miscSelectMask, attributes, attributesMask } = identity;
  if (!equalMasked(report.miscSelect, miscSelect, miscSelectMask)) {
    failures.push(
      failure(
        "tdx-qe-miscselect",
        masked(miscSelect, miscSelectMask),
        masked(report.miscSelect, miscSelectMask),
      ),
    );
  }
  if (!equalMasked(report.attributes, attributes, attributesMask)) {
    failures.push(
      failure(
        "tdx-qe-attributes",
        masked(attributes, attributesMask),
        masked(report.attributes, attributesMask),
      ),
    );
  }
  // Intel's mask covers this bit; a mask that did not must not let a debug enclave through.
  if (((report.attributes[0] ?? 0) & ENCLAVE_DEBUG) !== 0) {
    failures.push(failure("tdx-qe-debug", "attribute bit 1 clear", "set"));
  }
  const assessment = firstLevel(identity.tcbLevels, report.isvSvn);
  if (assessment === undefined) {
    failures.push(failure("tdx-qe-svn", lowest(identity.tcbLevels), report.isvSvn));
  }
  return { assessment, failures };
}

const ENCLAVE_DEBUG = 0x02;

function moduleVersion(body: TdBody): number {
  return body.teeTcbSvn[1] ?? 0;
}

function reaches(svns: readonly number[], level: readonly number[], from: number): boolean {
  return level.every((required, index) => index < from || (svns[index] ?? 0) >= required);
}

function firstLevel(levels: readonly IsvSvnLevel[], svn: number): IsvSvnLevel | undefined {
  return levels.find(({ isvSvn }) => svn >= isvSvn);
}

function lowest(levels: readonly IsvSvnLevel[]): string {
  return `from ${Math.min(...levels.map(({ isvSvn }) => isvSvn))} up`;
}

function signerFailures(identity: ModuleSigner, body: TdBody): readonly Failure[] {
  const failures: Failure[] = [];
  if (!equalBytes(body.mrSignerSeam, identity.mrSigner)) {
    failures.push(failure("tdx-module-signer", toHex(identity.mrSigner), toHex(body.mrSignerSeam)));
  }
  const { attributes, attributesMask } = identity;
  if (!equalMasked(body.seamAttributes, attributes, attributesMask)) {
    failures.push(
      failure(
        "tdx-module-attributes",
        masked(attributes, attributesMask),
        masked(body.seamAttributes, attributesMask),
      ),
    );
  }
  return failures;
}

function equalMasked(a: Uint8Array, b: Uint8Array, mask: Uint8Array): boolean {
  return masked(a, mask) === masked(b, mask);
}

/** Hex of the bits that count. */
function masked(bytes: Uint8Array, mask: Uint8Array): string {
  return toHex(bytes.map((byte, index) => byte & (mask[index] ?? 0)));
}

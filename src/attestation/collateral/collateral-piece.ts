/**
 * One piece of collateral: what answers one need, with the time until which it is of use.
 *
 * **Security:** form is checked here so that garbage is neither kept nor served; nothing is proved. Verifiers do that.
 */
import { toHex } from "../../core/bytes.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { parseRevocationList } from "../../crypto/revocation-list.ts";
import { parseCertificate } from "../../crypto/x509-view.ts";
import { parseQeIdentity } from "../tdx/qe-identity.ts";
import { parseTcbInfo } from "../tdx/tcb-info.ts";
import { type Collateral, NO_COLLATERAL } from "../verification.ts";
import type { CollateralNeed } from "./collateral-need.ts";

/** Collateral of the form that its need wants. */
export interface CollateralPiece {
  readonly collateral: Collateral;
  /** Milliseconds since the Unix epoch: when its first part expires. */
  readonly expiresAt: number;
}

/** The piece that `collateral` is for `need`; the error says in words why it is none. */
export function pieceFor(
  need: CollateralNeed,
  collateral: Collateral,
): Result<CollateralPiece, string> {
  const expiries: number[] = [];
  for (const der of collateral.certificates) {
    const certificate = parseCertificate(der);
    if (!certificate.ok) return err(`not a certificate: ${certificate.error.message}`);
    expiries.push(certificate.value.notAfter);
  }
  for (const der of collateral.revocationLists) {
    const list = parseRevocationList(der);
    if (!list.ok) return err(`not a revocation list: ${list.error.message}`);
    expiries.push(list.value.nextUpdate);
  }
  for (const document of collateral.tcbInfos) {
    const tcbInfo = parseTcbInfo(document);
    if (!tcbInfo.ok) return err(`not TCB info: ${tcbInfo.error}`);
    const fmspc = toHex(tcbInfo.value.value.fmspc);
    if (need.kind === "tdx-tcb-info" && fmspc !== need.fmspc) return err(`about FMSPC ${fmspc}`);
    expiries.push(tcbInfo.value.value.nextUpdate);
  }
  for (const document of collateral.qeIdentities) {
    const identity = parseQeIdentity(document);
    if (!identity.ok) return err(`not a QE identity: ${identity.error}`);
    expiries.push(identity.value.value.nextUpdate);
  }
  const wanted = WANTED[need.kind];
  if (collateral[wanted].length === 0) return err(`no ${need.kind} in it`);
  return ok({ collateral, expiresAt: Math.min(...expiries) });
}

/** True for certificates of machines and authorities, which no service changes before they expire. */
export function isLasting(need: CollateralNeed): boolean {
  return WANTED[need.kind] === "certificates";
}

/** All pieces in one heap, without repetitions. */
export function mergeCollateral(pieces: readonly Collateral[]): Collateral {
  const merged = (list: keyof Collateral): readonly Uint8Array[] => [
    ...new Map(
      pieces
        .flatMap((piece) => piece[list])
        .map((item) => [Buffer.from(item).toString("latin1"), item]),
    ).values(),
  ];
  if (pieces.length === 0) return NO_COLLATERAL;
  return {
    certificates: merged("certificates"),
    revocationLists: merged("revocationLists"),
    tcbInfos: merged("tcbInfos"),
    qeIdentities: merged("qeIdentities"),
  };
}

/** The list that holds what a need is about; the others may hold its issuers. */
const WANTED: Readonly<Record<CollateralNeed["kind"], keyof Collateral>> = {
  "snp-vcek": "certificates",
  "snp-chain": "certificates",
  "snp-crl": "revocationLists",
  "tdx-tcb-info": "tcbInfos",
  "tdx-qe-identity": "qeIdentities",
  "tdx-pck-crl": "revocationLists",
  "tdx-root-crl": "revocationLists",
};

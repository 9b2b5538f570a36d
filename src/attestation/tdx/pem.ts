/** PEM certificate chains (RFC 7468, strict form), as quotes and Intel's servers carry them. */
import { fromBase64 } from "../../core/base64.ts";
import { COLLATERAL_ITEMS_MAX } from "../../core/limits.ts";
import { err, ok, type Result } from "../../core/result.ts";

/**
 * The DER certificates of a PEM text: blocks with nothing but line ends between them. The error is for people.
 *
 * **Security:** nothing is skipped over, so that no byte of a chain is without meaning.
 */
export function decodePemChain(pem: Uint8Array): Result<readonly Uint8Array[], string> {
  // Latin-1 never fails, and the pattern admits ASCII only.
  const text = Buffer.from(pem.buffer, pem.byteOffset, pem.length).toString("latin1");
  const certificates: Uint8Array[] = [];
  const block = new RegExp(BLOCK);
  for (let end = 0; end < text.length; end = block.lastIndex) {
    if (certificates.length === COLLATERAL_ITEMS_MAX) {
      return err(`more than ${COLLATERAL_ITEMS_MAX} certificates`);
    }
    const body = block.exec(text)?.[1];
    if (body === undefined) return err(`no certificate block at byte ${end}`);
    const der = fromBase64(body.replace(/[\r\n]/g, ""));
    if (der === undefined) return err(`certificate ${certificates.length} is not base64`);
    certificates.push(der);
  }
  return certificates.length === 0 ? err("no certificate") : ok(certificates);
}

/** Sticky; every repetition ends at a line end, so matching is linear. */
const BLOCK =
  /-----BEGIN CERTIFICATE-----\r?\n((?:[A-Za-z0-9+/=]{1,76}\r?\n)+)-----END CERTIFICATE-----(?:\r?\n)*/y;

/** The root of trust for TDX: the key of Intel's SGX Root CA. */
import type { Sha256 } from "../../core/brand.ts";

/**
 * SHA-256 of the root's SPKI, a P-256 key.
 *
 * Computed from the certificate that Intel publishes at
 * `https://certificates.trustedservices.intel.com/Intel_SGX_Provisioning_Certification_RootCA.cer` (subject key
 * identifier 22650cd65a9d3489f383b49552bf501b392706ac, valid 2018-05-21 to 2049-12-31). A test compares it with
 * two independent copies of the certificate.
 *
 * **Security:** whoever holds the key behind another value here can forge every TDX quote.
 */
export const INTEL_SGX_ROOT_KEY =
  "a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e" as Sha256;

/** AMD's root keys (ARK), pinned. */
import type { Sha256 } from "../../core/brand.ts";
import type { SnpProductLine } from "../../core/manifest/snp-reference-values.ts";

/**
 * SHA-256 of the SPKI of each product line's ARK, whose certificates AMD publishes at
 * `https://kdsintf.amd.com/vcek/v1/<line>/cert_chain`; the chains of VCEK and VLEK end in the same key. The hashes
 * were taken from the certificates that virtee/sev carries and agree with those in google/go-sev-guest.
 */
export const AMD_ROOT_KEYS: Readonly<Record<SnpProductLine, Sha256>> = {
  Milan: "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9" as Sha256,
  Genoa: "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831" as Sha256,
  Turin: "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08" as Sha256,
};

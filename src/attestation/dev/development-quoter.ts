/** The quoter of a simulated guest. */
import type { Sha256 } from "../../core/brand.ts";
import type { Evidence } from "../evidence.ts";
import { OneAtATime } from "../one-at-a-time.ts";
import type { PlatformDescription, QuoteOptions, Quoter } from "../quoter.ts";
import type { DevelopmentVendor } from "./development-vendor.ts";

/** Issues evidence of one simulated guest under a simulated vendor's root. */
export class DevelopmentQuoter implements Quoter {
  readonly platform: PlatformDescription = {
    id: "snp",
    development: true,
    provider: "simulated",
  };
  readonly #vendor: DevelopmentVendor;
  readonly #guest: { readonly measurement: string; readonly policyHash: Sha256 };
  readonly #requests = new OneAtATime();

  /** @param guest what the process claims to be: measurement (48 bytes in hex) and policy hash. */
  constructor(
    vendor: DevelopmentVendor,
    guest: { readonly measurement: string; readonly policyHash: Sha256 },
  ) {
    this.#vendor = vendor;
    this.#guest = guest;
  }

  quote(reportData: Uint8Array, options: QuoteOptions = {}): Promise<Evidence> {
    return this.#requests.run(options, () => this.#vendor.issue({ ...this.#guest, reportData }));
  }
}

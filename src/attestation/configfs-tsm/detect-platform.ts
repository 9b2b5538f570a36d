/** Which platform does this process run on? Asked once, at start. */
import type { Quoter } from "../quoter.ts";
import { KernelReportFiles, TSM_REPORT_FOLDER } from "./report-files.ts";
import { TsmQuoter, detectTsmPlatform } from "./tsm-quoter.ts";

/**
 * The quoter of the TEE that the kernel knows; `undefined` outside one.
 *
 * Fails with `platform-unavailable` if there is a TEE that this process cannot use.
 *
 * @param folder the kernel's report folder. @default TSM_REPORT_FOLDER
 */
export async function detectPlatform(
  folder: string = TSM_REPORT_FOLDER,
): Promise<Quoter | undefined> {
  const files = new KernelReportFiles(folder);
  const platform = await detectTsmPlatform(files);
  return platform === undefined ? undefined : new TsmQuoter(platform, files);
}

/** `quorate recover`: a share owner gives its share to one coordinator instance that proved what it is. */
import { createPublicKey } from "node:crypto";
import { Command } from "commander";
import { shareSubmissionInfo } from "../../authority/user-recovery.ts";
import { QuorateError } from "../../core/errors.ts";
import { parseShares } from "../../core/history/index.ts";
import { unwrap } from "../../core/result.ts";
import { decryptShare, hpkeSeal, keyIdOf } from "../../crypto/index.ts";
import { readPrivateKey } from "../approval-file.ts";
import { type ConnectOptions, withCoordinator } from "../coordinator-client.ts";
import { type Io, type OutputFormat, printResult } from "../io.ts";
import { connectFlags, flag, outputFlag } from "../options.ts";
import { readLastSeen, requireContinuity } from "../trust.ts";
import { provedHistory } from "./verify.ts";

interface RecoverOptions extends ConnectOptions {
  readonly shareKey: string;
  readonly verified: string;
  readonly force: boolean;
  readonly output: OutputFormat;
}

export function recoverCommand(io: Io): Command {
  const command = new Command("recover")
    .description("submit your share of the seed to a restarted coordinator")
    .addOption(
      flag("--share-key <file>", "your share owner's private key (PEM)").makeOptionMandatory(),
    )
    .addOption(
      flag(
        "--verified <folder>",
        "what quorate verify wrote the last time you looked",
      ).makeOptionMandatory(),
    )
    .addOption(
      flag(
        "--force",
        "recover although another coordinator is ready; its group is left behind",
      ).default(false),
    )
    .addOption(outputFlag())
    .addHelpText(
      "after",
      `
The encrypted share is fetched from the coordinator's history, decrypted here, and encrypted again to the key of the one
instance whose evidence was verified. A store that was rolled back behind what you verified is refused.

One ready coordinator gives the secrets to the others by itself, so shares are refused while one is in reach. --force is
for the case that it must not: the recovery opens a new epoch and supersedes what that one enforces.

Example:
  quorate recover --share-key alice-share.key.pem --verified verified
`,
    );
  for (const option of connectFlags()) command.addOption(option);
  return command.action(async (options: RecoverOptions) => {
    const privateKey = await readPrivateKey(options.shareKey);
    const seen = await readLastSeen(options.verified);
    if (seen === undefined) {
      throw new QuorateError("not-found", `nothing was verified into ${options.verified} yet`, {
        hint: "copy the folder of the last quorate verify here; without it a rolled-back store could not be recognised",
      });
    }
    await withCoordinator(io, options, async (client) => {
      const { attested, history } = await provedHistory(client, {
        owner: [],
        lineage: seen.lineage,
      });
      requireContinuity(history, seen);
      await client.requireCoordinator(attested, history.manifest);

      const keyId = keyIdOf(createPublicKey(privateKey));
      const { shares } = history.record;
      const entry =
        shares === null
          ? undefined
          : unwrap(parseShares(history.documentOf(shares))).shares.find(({ key }) => key === keyId);
      if (entry === undefined) {
        throw new QuorateError(
          "not-found",
          `${options.shareKey} is not the key of a share owner of the enforced manifest`,
        );
      }
      const share = unwrap(await decryptShare(entry, privateKey, history.lineage));
      const info = shareSubmissionInfo(history.lineage, attested.instance.id);
      const sealed = await hpkeSeal(attested.instance.hpkeKey, info, share);
      share.dispose();
      const response = await client.user.recover(
        {
          instanceId: attested.instance.id,
          verifiedRecord: seen.recordHash,
          keyId,
          encryptedShare: unwrap(sealed),
          force: options.force,
        },
        client.call,
      );
      const { received, threshold, recovered } = response;
      printResult(io, options.output, {
        text: recovered
          ? `share of ${entry.name} accepted: ${received} of ${threshold}. Recovered: the coordinator is ready under a new epoch.`
          : `share of ${entry.name} accepted: ${received} of ${threshold}. Waiting for ${threshold - received} more.`,
        value: { name: entry.name, received, threshold, recovered },
      });
    });
  });
}

/** `quorate verify`, `get` and `history`: what is enforced, proved by evidence, chain and continuity. */
import path from "node:path";
import { Command } from "commander";
import { type Evidence, formatEvidenceFile } from "../../attestation/index.ts";
import { QuorateError } from "../../core/errors.ts";
import { replaceFile } from "../../config/files.ts";
import type { VerifiedHistory } from "../../history/verified-history.ts";
import { Mode } from "../../gen/quorate/userapi/v1/user_pb.ts";
import { certificatesPem } from "../../pki/index.ts";
import {
  type AttestedAnswer,
  type ConnectOptions,
  type CoordinatorClient,
  withCoordinator,
} from "../coordinator-client.ts";
import { type Io, note, type OutputFormat, printResult } from "../io.ts";
import { modeText } from "../mode-text.ts";
import { connectFlags, flag, outputFlag, pinFlags } from "../options.ts";
import {
  hasPins,
  type PinOptions,
  readLastSeen,
  requireContinuity,
  requirePins,
  writeLastSeen,
} from "../trust.ts";

interface VerifyOptions extends ConnectOptions, PinOptions {
  readonly out: string;
  readonly output: OutputFormat;
}

interface GetOptions extends ConnectOptions, PinOptions {
  readonly out?: string;
  readonly shares?: string;
  readonly output: OutputFormat;
}

export function verifyCommand(io: Io): Command {
  const command = new Command("verify")
    .description("prove to yourself which manifest is enforced, now")
    .addOption(
      flag(
        "--out <folder>",
        "write manifests and CA certificates there, and what was seen for the next time",
      ).default("verified"),
    )
    .addOption(outputFlag())
    .addHelpText(
      "after",
      `
Checks, in this order: the answer is fresh and bound to this connection; the whole history, signature by signature, with
every manifest's approvals; who founded it (--owner or --lineage); that it contains what was seen the last time; that the
coordinator's evidence is that of a coordinator of the enforced manifest. Nothing is written unless everything holds.

Example:
  quorate verify --out verified --owner alice.pub.pem --owner bob.pub.pem --owner carol.pub.pem --threshold 2
`,
    );
  for (const option of [...pinFlags(), ...connectFlags()]) command.addOption(option);
  return command.action(async (options: VerifyOptions) => {
    const seen = await readLastSeen(options.out);
    if (seen === undefined && !hasPins(options)) {
      note(
        io,
        "warning: first visit without --owner or --lineage: this proves a genuine coordinator, not that it is yours",
      );
    }
    await withCoordinator(io, options, async (client) => {
      const { attested, history } = await provedHistory(client, options);
      requireContinuity(history, seen);
      const { verdict, evidence } = await client.requireCoordinator(attested, history.manifest);
      await writeFolder(options.out, history, evidence);
      const { record, lineage, recordHash } = history;
      const mode = modeText(attested.mode);
      const isReady = attested.mode === Mode.READY;
      const insecure = verdict.claims?.development === true;
      printResult(io, options.output, {
        text: [
          `verified: ${attested.instance.name}, instance ${attested.instance.id}${insecure ? " (simulated evidence: INSECURE)" : ""}`,
          `state:      ${mode}${isReady ? "" : " (nothing is issued under this manifest until it is ready)"}`,
          `manifest:   ${record.manifest} (generation ${record.generation}, epoch ${record.epoch})`,
          `record:     ${recordHash} of ${history.links.length}, made ${record.createdAt}`,
          `lineage:    ${lineage}`,
          `continuity: ${seen === undefined ? "first visit" : `contains what was seen last time (generation ${seen.generation}, epoch ${seen.epoch})`}`,
          `written to: ${options.out}`,
        ].join("\n"),
        value: {
          instance: attested.instance.id,
          name: attested.instance.name,
          mode,
          lineage,
          record: recordHash,
          manifest: record.manifest,
          generation: record.generation,
          epoch: record.epoch,
          records: history.links.length,
          firstVisit: seen === undefined,
          development: insecure,
          folder: options.out,
        },
      });
    });
  });
}

export function getCommand(io: Io): Command {
  const command = new Command("get")
    .description(
      "fetch the enforced manifest, verified like quorate verify, or the encrypted seed shares",
    )
    .addOption(
      flag("--out <file>", "where to write the manifest").default(undefined, "standard output"),
    )
    .addOption(flag("--shares <file>", "write the encrypted seed shares there"))
    .addOption(outputFlag());
  for (const option of [...pinFlags(), ...connectFlags()]) command.addOption(option);
  return command.action(async (options: GetOptions) => {
    await withCoordinator(io, options, async (client) => {
      const { attested, history } = await provedHistory(client, options);
      await client.requireCoordinator(attested, history.manifest);
      const { manifest, shares } = history.record;
      if (options.shares !== undefined) {
        if (shares === null)
          throw new QuorateError("not-found", "the enforced manifest names no share owners");
        await replaceFile(options.shares, history.documentOf(shares), 0o644);
      }
      const bytes = history.documentOf(manifest);
      if (options.out === undefined) {
        // The manifest is JSON itself, and its bytes are what was approved: nothing is put around it.
        io.stdout.write(bytes);
        return;
      }
      await replaceFile(options.out, bytes, 0o644);
      const { generation, epoch } = history.record;
      printResult(io, options.output, {
        text: `manifest: ${options.out} (${manifest}, generation ${generation}, epoch ${epoch})`,
        value: { file: options.out, manifest, generation, epoch },
      });
    });
  });
}

export function historyCommand(io: Io): Command {
  const command = new Command("history")
    .description("list the verified history, oldest record first")
    .addOption(outputFlag());
  for (const option of [...pinFlags(), ...connectFlags()]) command.addOption(option);
  return command.action(async (options: ConnectOptions & PinOptions & { output: OutputFormat }) => {
    await withCoordinator(io, options, async (client) => {
      const { history } = await provedHistory(client, options);
      const records = history.links.map(({ head: { hash, record } }) => ({
        generation: record.generation,
        epoch: record.epoch,
        kind: record.kind,
        createdAt: record.createdAt,
        author: record.author.name,
        manifest: record.manifest,
        record: hash,
      }));
      const lines = records.map(
        (each) =>
          `${String(each.generation).padStart(3)} ${String(each.epoch).padStart(3)}  ${each.kind.padEnd(8)}  ${each.createdAt}  ` +
          `manifest ${each.manifest.slice(0, 12)}…  record ${each.record.slice(0, 12)}…`,
      );
      printResult(io, options.output, {
        text: ["gen epo  kind      made", ...lines].join("\n"),
        value: { lineage: history.lineage, records },
      });
    });
  });
}

/** The history that the coordinator's signed answer ends in, founded by whom the flags trust. */
export async function provedHistory(
  client: CoordinatorClient,
  pins: PinOptions,
): Promise<{ attested: AttestedAnswer; history: VerifiedHistory }> {
  const attested = await client.attest();
  if (attested.headRecord.length === 0) {
    throw new QuorateError("not-ready", "no manifest has been set yet", {
      hint: "set one with quorate set",
    });
  }
  const history = await client.history(attested);
  await requirePins(history, pins);
  return { attested, history };
}

async function writeFolder(
  folder: string,
  history: VerifiedHistory,
  evidence: Evidence,
): Promise<void> {
  const { record } = history;
  const write = (name: string, bytes: Uint8Array | string): Promise<void> =>
    replaceFile(path.join(folder, name), bytes, 0o644);
  await write("root-ca.pem", certificatesPem(history.documentOf(record.rootCaCertificate)));
  await write("mesh-ca.pem", certificatesPem(history.documentOf(record.meshCaCertificate)));
  await write("manifest.json", history.documentOf(record.manifest));
  await write("evidence.json", formatEvidenceFile(evidence));
  for (const { head, lastApproved } of history.links) {
    const manifest = history.documents.get(head.record.manifest);
    if (head.hash !== lastApproved || manifest === undefined) continue;
    await write(
      path.join("manifests", `${String(head.record.generation).padStart(6, "0")}.json`),
      manifest,
    );
  }
  for (const hash of history.manifest.policies.keys())
    await write(path.join("policies", `${hash}.json`), history.documentOf(hash));
  // Last: what was seen counts only once everything else is in place.
  await writeLastSeen(folder, history);
}

/** `quorate status`: in what state a coordinator is, and what to do about it. */
import { setTimeout as delay } from "node:timers/promises";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Command } from "commander";
import { formatDuration } from "../../config/duration.ts";
import { type GetStatusResponse, Mode } from "../../gen/quorate/userapi/v1/user_pb.ts";
import { Platform } from "../../gen/quorate/common/v1/evidence_pb.ts";
import { EXIT } from "../exit-codes.ts";
import { type ConnectOptions, withCoordinator } from "../coordinator-client.ts";
import { type Io, type OutputFormat, printResult } from "../io.ts";
import { modeText } from "../mode-text.ts";
import { connectFlags, flag, outputFlag } from "../options.ts";
import { setExitCode } from "../run.ts";

const WATCH_MILLIS = 1_000;

export function statusCommand(io: Io): Command {
  const command = new Command("status")
    .description("show a coordinator's state (its own words: quorate verify proves)")
    .addOption(flag("--watch", "show it again every second, until interrupted").default(false))
    .addOption(flag("--check", "end with code 7 unless it is ready").default(false))
    .addOption(outputFlag());
  for (const option of connectFlags()) command.addOption(option);
  return command.action(
    async (
      options: ConnectOptions & { watch: boolean; check: boolean; output: OutputFormat },
      action: Command,
    ) => {
      await withCoordinator(io, options, async (client) => {
        for (;;) {
          // Each look has the whole time: a watch goes on for as long as somebody watches.
          const bounds = { signal: io.signal, timeoutMs: options.timeout };
          const status = await client.user.getStatus({}, bounds);
          printResult(io, options.output, {
            text: statusText(status, io.now()),
            value: statusJson(status),
          });
          if (options.check && status.mode !== Mode.READY) setExitCode(action, EXIT.notReady);
          if (!options.watch || io.signal.aborted) return;
          await delay(WATCH_MILLIS, undefined, { signal: io.signal }).catch(() => undefined);
          if (io.signal.aborted) return;
        }
      });
    },
  );
}

function statusText(status: GetStatusResponse, now: number): string {
  const { instance, head, recovery, store, platform, startedAt } = status;
  const rows: [string, string][] = [
    ["state", modeText(status.mode)],
    [
      "coordinator",
      `${instance?.name ?? "?"}, instance ${instance?.id ?? "?"}, version ${status.version}`,
    ],
    [
      "platform",
      `${Platform[platform?.platform ?? 0]?.toLowerCase() ?? "?"}${platform?.development === true ? " (simulated: INSECURE)" : ""}`,
    ],
  ];
  if (startedAt !== undefined)
    rows.push(["running for", formatDuration(now - timestampMs(startedAt))]);
  if (head !== undefined) {
    rows.push([
      "generation",
      `${head.generation}, epoch ${head.epoch}, recoveries ${head.recoveryCount}`,
    ]);
    rows.push(
      ["manifest", head.manifestHash],
      ["record", head.recordHash],
      ["lineage", head.lineage],
    );
  }
  rows.push(["store", `${store?.description ?? "?"}: ${store?.condition ?? "?"}`]);
  if (recovery !== undefined) {
    rows.push([
      "recovery",
      `${recovery.sharesReceived} of ${recovery.sharesThreshold} shares; history verified to generation ${recovery.lastVerifiedGeneration}`,
    ]);
  }
  if (status.suspended !== "") rows.push(["not issuing", status.suspended]);
  if (status.hint !== "") rows.push(["next step", status.hint]);
  return rows.map(([name, value]) => `${`${name}:`.padEnd(13)} ${value}`).join("\n");
}

function statusJson(status: GetStatusResponse): unknown {
  const { instance, head, recovery, store, platform, startedAt } = status;
  return {
    mode: modeText(status.mode),
    name: instance?.name,
    instance: instance?.id,
    version: status.version,
    startedAt: startedAt === undefined ? undefined : new Date(timestampMs(startedAt)).toISOString(),
    platform: Platform[platform?.platform ?? 0]?.toLowerCase(),
    development: platform?.development,
    head:
      head === undefined
        ? null
        : {
            lineage: head.lineage,
            record: head.recordHash,
            generation: Number(head.generation),
            epoch: Number(head.epoch),
            manifest: head.manifestHash,
            recoveryCount: Number(head.recoveryCount),
          },
    store: { description: store?.description, condition: store?.condition },
    recovery:
      recovery === undefined
        ? null
        : {
            lastVerifiedGeneration: Number(recovery.lastVerifiedGeneration),
            received: recovery.sharesReceived,
            threshold: recovery.sharesThreshold,
          },
    suspended: status.suspended,
    hint: status.hint,
  };
}

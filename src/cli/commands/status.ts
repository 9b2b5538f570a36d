/** `quorate status`: in what state a coordinator is, and what to do about it. */
import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import { Mode } from "../../gen/quorate/userapi/v1/user_pb.ts";
import { EXIT } from "../exit-codes.ts";
import { type ConnectOptions, withCoordinator } from "../coordinator-client.ts";
import { type Io, type OutputFormat, printJsonLine, printResult } from "../io.ts";
import { connectFlags, flag, outputFlag } from "../options.ts";
import { setExitCode } from "../run.ts";
import { Screen } from "../status/screen.ts";
import { statusJson } from "../status/status-json.ts";
import { statusText } from "../status/status-text.ts";

const WATCH_MILLIS = 1_000;

export function statusCommand(io: Io): Command {
  const command = new Command("status")
    .description(
      "show the state of a coordinator and its peers (its own words: quorate verify proves)",
    )
    .addOption(
      flag(
        "--watch",
        "show it again every second, until interrupted; one JSON document a line with -o json",
      ).default(false),
    )
    .addOption(flag("--check", "end with code 7 unless it is ready").default(false))
    .addOption(outputFlag());
  for (const option of connectFlags()) command.addOption(option);
  return command.action(
    async (
      options: ConnectOptions & { watch: boolean; check: boolean; output: OutputFormat },
      action: Command,
    ) => {
      const screen = new Screen(io.stdout);
      await withCoordinator(io, options, async (client) => {
        for (;;) {
          // Each look has the whole time: a watch goes on for as long as somebody watches.
          const bounds = { signal: io.signal, timeoutMs: options.timeout };
          const status = await client.user.getStatus({}, bounds);
          if (options.watch && options.output === "json") printJsonLine(io, statusJson(status));
          else if (options.watch) screen.show(statusText(status, io.now()));
          else {
            const text = statusText(status, io.now());
            printResult(io, options.output, { text, value: statusJson(status) });
          }
          if (options.check && status.mode !== Mode.READY) setExitCode(action, EXIT.notReady);
          if (!options.watch || io.signal.aborted) return;
          await delay(WATCH_MILLIS, undefined, { signal: io.signal }).catch(() => undefined);
          if (io.signal.aborted) return;
        }
      });
    },
  );
}

/** `quorate demo` and `quorate dev`: Quorate without hardware, with simulated evidence. */
import path from "node:path";
import { Command } from "commander";
import { DEFAULT_MESH_PORT, DEFAULT_USER_PORT } from "../../config/ports.ts";
import { runDemo } from "../demo/demo.ts";
import { runDev } from "../demo/dev.ts";
import type { Io } from "../io.ts";
import { flag } from "../options.ts";

export function demoCommand(io: Io): Command {
  return new Command("demo")
    .description("show the whole story in seconds, with real processes and simulated evidence")
    .addOption(flag("--keep", "leave the folder for a look").default(false))
    .addOption(flag("--verbose", "show every command that is run").default(false))
    .action((options: { keep: boolean; verbose: boolean }) => runDemo(io, options));
}

export function devCommand(io: Io): Command {
  return new Command("dev")
    .description("leave a coordinator running to try things on, with simulated evidence. INSECURE")
    .addOption(
      flag("--folder <folder>", "where its keys, manifest and store are kept").default(
        "quorate-dev",
      ),
    )
    .addOption(
      flag("--user-address <address>", "where people and their tools connect").default(
        `127.0.0.1:${DEFAULT_USER_PORT}`,
      ),
    )
    .addOption(
      flag("--mesh-address <address>", "where attested workloads connect").default(
        `127.0.0.1:${DEFAULT_MESH_PORT}`,
      ),
    )
    .action((options: { folder: string; userAddress: string; meshAddress: string }) =>
      runDev(io, path.resolve(options.folder), {
        user: options.userAddress,
        mesh: options.meshAddress,
      }),
    );
}

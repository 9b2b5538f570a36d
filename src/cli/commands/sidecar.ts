/** `quorate sidecar`: keeps a workload's key, certificate, trust bundle and secret fresh. */
import { Command } from "commander";
import { type Address, formatAddress, parseAddress } from "../../config/address.ts";
import { formatDuration } from "../../config/duration.ts";
import { DEFAULT_MESH_PORT } from "../../config/ports.ts";
import { POLICY_DOCUMENT_BYTES_MAX } from "../../core/limits.ts";
import { QuorateError } from "../../core/errors.ts";
import {
  type CoordinatorPins,
  parsePolicyDocument,
} from "../../core/policy-document/policy-document.ts";
import { readInputFile } from "../../config/files.ts";
import { parseOwnerKey } from "../../crypto/index.ts";
import { createLog, LOG_LEVELS, type LogLevel } from "../../observability/log.ts";
import { notifyWorkload } from "../../sidecar/notify.ts";
import { writeCredentials } from "../../sidecar/output-folder.ts";
import { keepRenewed } from "../../sidecar/renewal.ts";
import { Sidecar } from "../../sidecar/sidecar.ts";
import { collateralFlags, type CollateralOptions, openCollateral } from "../collateral.ts";
import { inPlainWords } from "../connect-failure.ts";
import { type Io, type OutputFormat, printResult } from "../io.ts";
import { flag, outputFlag, timeoutFlag } from "../options.ts";
import { openPlatform, platformFlags, type PlatformOptions } from "../platform.ts";

interface SidecarFlags extends PlatformOptions, CollateralOptions {
  readonly mesh: Address;
  readonly policy: string;
  readonly out: string;
  readonly once: boolean;
  readonly hook?: string;
  readonly signalPid?: string;
  readonly signal: NodeJS.Signals;
  readonly timeout: number;
  readonly logLevel: LogLevel;
  readonly output: OutputFormat;
}

const SIGNALS = ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGTERM"] as const;

export function sidecarCommand(io: Io): Command {
  const fallback = { host: "127.0.0.1", port: DEFAULT_MESH_PORT };
  const command = new Command("sidecar")
    .description("obtain a workload's certificate and secret, and keep them fresh")
    .addOption(
      flag("--mesh <address>", "meshapi of the coordinator")
        .argParser((text) => parseAddress(text, fallback))
        .default(fallback, `127.0.0.1:${DEFAULT_MESH_PORT}`),
    )
    .addOption(
      flag(
        "--policy <file>",
        "the workload's measured policy document: it names the coordinators to accept",
      ).makeOptionMandatory(),
    )
    .addOption(flag("--out <folder>", "where the workload finds its files").default("quorate-tls"))
    .addOption(flag("--once", "obtain once and end; a refusal ends with code 4").default(false))
    .addOption(
      flag("--hook <command>", "run this after every change; QUORATE_CREDENTIALS names the folder"),
    )
    .addOption(
      flag(
        "--signal-pid <pid>",
        "signal this process (or the one in this file) after every change",
      ),
    )
    .addOption(flag("--signal <name>", "which signal").choices(SIGNALS).default("SIGHUP"))
    .addOption(timeoutFlag("90s"))
    .addOption(flag("--log-level <level>", "how much to log").choices(LOG_LEVELS).default("info"))
    .addOption(outputFlag())
    .addHelpText(
      "after",
      `
Writes tls.key, tls.crt, trust-bundle.pem, mesh-ca.pem, root-ca.pem and secret, all replaced in one step. Trust
mesh-ca.pem to accept the present manifest only, root-ca.pem to accept future ones too.

Renews at half of the lifetime and whenever the manifest changes; retries with growing delays.
`,
    );
  for (const option of [...platformFlags("workload"), ...collateralFlags()])
    command.addOption(option);
  return command.action((options: SidecarFlags) => runSidecar(io, options));
}

async function runSidecar(io: Io, options: SidecarFlags): Promise<void> {
  const log = createLog({
    level: options.logLevel,
    format: io.interactive ? "text" : "json",
    destination: io.stderr,
  });
  const sidecar = new Sidecar({
    mesh: options.mesh,
    pins: await readPins(options.policy),
    quoter: await openPlatform(io, options),
    collateral: openCollateral(options, log),
    allowDevelopment: options.insecureDevAttestation !== undefined,
    timeoutMs: options.timeout,
    now: io.now,
  });
  const destination = {
    address: formatAddress(options.mesh),
    flag: "--mesh",
    service: "meshapi",
  } as const;
  const reached = <T>(call: Promise<T>): Promise<T> =>
    call.catch((cause: unknown) => {
      throw inPlainWords(cause, destination);
    });
  const renew = async (signal: AbortSignal) => {
    const { credentials, issued } = await reached(sidecar.obtain(signal));
    try {
      await writeCredentials(options.out, credentials);
    } finally {
      credentials.secret?.dispose();
    }
    const { hook, signalPid } = options;
    await notifyWorkload({ hook, pid: signalPid, signal: options.signal }, options.out).catch(
      (error: unknown) => {
        // The credentials are good; the next renewal tells the workload again.
        log.error({ error }, "the workload could not be told");
      },
    );
    return issued;
  };
  try {
    if (options.once) {
      const issued = await renew(io.signal);
      const until = new Date(issued.notAfter).toISOString();
      printResult(io, options.output, {
        text: `credentials: ${options.out}\nvalid until: ${until}\nrecord:      ${issued.recordHash}`,
        value: {
          folder: options.out,
          notAfter: until,
          renewAt: new Date(issued.renewAt).toISOString(),
          record: issued.recordHash,
        },
      });
      return;
    }
    await keepRenewed(
      {
        renew: async (signal) => {
          const issued = await renew(signal);
          log.info(
            {
              folder: options.out,
              record: issued.recordHash,
              renewIn: formatDuration(issued.renewAt - io.now()),
            },
            "credentials renewed",
          );
          return issued;
        },
        watch: (moved, signal) => reached(sidecar.watch(moved, signal)),
        failed: (what, error, retryMillis) =>
          log.warn({ error, retryIn: `${retryMillis}ms` }, `${what} failed`),
        now: io.now,
        random: Math.random,
      },
      io.signal,
    );
    log.info("stopped");
  } finally {
    sidecar.close();
  }
}

async function readPins(file: string): Promise<CoordinatorPins> {
  const bytes = await readInputFile(file, "policy document", POLICY_DOCUMENT_BYTES_MAX);
  const parsed = parsePolicyDocument(bytes, parseOwnerKey);
  if (!parsed.ok)
    throw new QuorateError("invalid-argument", `the policy document ${file} is not valid`, {
      faults: parsed.error,
    });
  const pins = parsed.value.coordinator;
  if (pins !== undefined) return pins;
  throw new QuorateError(
    "invalid-argument",
    `the policy document ${file} does not say which coordinators to accept`,
    {
      hint: "make it with quorate policy workload",
    },
  );
}

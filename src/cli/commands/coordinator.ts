/** `quorate coordinator`: runs one coordinator until it is told to stop. */
import { createWriteStream } from "node:fs";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { Command } from "commander";
import { formatAddress, parseAddress, type Address } from "../../config/address.ts";
import {
  DEFAULT_ADMIN_PORT,
  DEFAULT_MESH_PORT,
  DEFAULT_PEER_PORT,
  DEFAULT_USER_PORT,
} from "../../config/ports.ts";
import { QuorateError } from "../../core/errors.ts";
import { isDnsLabel } from "../../core/manifest/index.ts";
import { AuditLog } from "../../observability/audit.ts";
import { createLog, LOG_LEVELS, type LogLevel } from "../../observability/log.ts";
import { Coordinator } from "../../services/coordinator.ts";
import { openStore } from "../../store/open-store.ts";
import { collateralFlags, type CollateralOptions, openCollateral } from "../collateral.ts";
import { etcdFlags, type EtcdOptions, readEtcdAccess } from "../etcd-flags.ts";
import type { Io } from "../io.ts";
import { flag } from "../options.ts";
import { openPlatform, platformFlags, type PlatformOptions } from "../platform.ts";
import { VERSION } from "../version.ts";

interface CoordinatorFlags extends PlatformOptions, CollateralOptions, EtcdOptions {
  readonly name: string;
  readonly store: string;
  readonly userAddress: Address;
  readonly meshAddress: Address;
  readonly peerAddress: Address;
  readonly peer: readonly Address[];
  readonly adminAddress: Address | undefined;
  readonly auditLog?: string;
  readonly logLevel: LogLevel;
  readonly logFormat?: "json" | "text";
}

const ANY_HOST = "0.0.0.0";

export function coordinatorCommand(io: Io): Command {
  const command = new Command("coordinator")
    .description("run a coordinator")
    .addOption(
      flag("--name <name>", "stable name, as the manifest lists it")
        .argParser(parseName)
        .default("coordinator-0"),
    )
    .addOption(
      flag(
        "--store <address>",
        "where the history is kept: file:PATH, etcds://HOST:PORT/PREFIX, etcd:// without TLS, memory:",
      ).default("file:quorate-store"),
    )
    .addOption(
      addressFlag(
        "--user-address <address>",
        "where people and their tools connect",
        ANY_HOST,
        DEFAULT_USER_PORT,
      ),
    )
    .addOption(
      addressFlag(
        "--mesh-address <address>",
        "where attested workloads connect",
        ANY_HOST,
        DEFAULT_MESH_PORT,
      ),
    )
    .addOption(
      addressFlag(
        "--peer-address <address>",
        "where other coordinators connect",
        ANY_HOST,
        DEFAULT_PEER_PORT,
      ),
    )
    .addOption(
      flag(
        "--peer <address>",
        "another coordinator's --peer-address, or a DNS name that stands for several (repeatable, or separated by commas)",
      )
        .argParser(peerAddresses)
        .default([], "none"),
    )
    .addOption(
      flag("--admin-address <address>", "where probes and metrics are served, or none")
        .argParser((text) =>
          text === "none"
            ? undefined
            : parseAddress(text, { host: "127.0.0.1", port: DEFAULT_ADMIN_PORT }),
        )
        .default(
          { host: "127.0.0.1", port: DEFAULT_ADMIN_PORT },
          `127.0.0.1:${DEFAULT_ADMIN_PORT}`,
        ),
    )
    .addOption(
      flag(
        "--policy <file>",
        "the coordinator's policy document (simulated TEE only: a real one carries its hash)",
      ),
    )
    .addOption(
      flag("--audit-log <file>", "append who set, got and recovered what, one JSON object a line"),
    )
    .addOption(flag("--log-level <level>", "how much to log").choices(LOG_LEVELS).default("info"))
    .addOption(
      flag("--log-format <format>", "how to log")
        .choices(["json", "text"])
        .default(undefined, "text on a terminal, else json"),
    )
    .addHelpText(
      "after",
      `
A coordinator needs a TEE (AMD SEV-SNP or Intel TDX, seen through Linux configfs-tsm). Without one, try it with
simulated evidence: quorate dev does everything, or quorate keygen dev-platform and --insecure-dev-attestation.

It starts uninitialized (set a first manifest with quorate set), or, over a store with a history, awaiting recovery: it
gets its secrets from a ready coordinator (--peer) by itself, and if there is none, share owners run quorate recover. SIGTERM lets running calls finish; a second signal does not wait.
`,
    );
  for (const option of [...etcdFlags(), ...platformFlags("coordinator"), ...collateralFlags()])
    command.addOption(option);
  return command.action((options: CoordinatorFlags) => runCoordinator(io, options));
}

async function runCoordinator(io: Io, options: CoordinatorFlags): Promise<void> {
  const format = options.logFormat ?? (io.interactive ? "text" : "json");
  const log = createLog({ level: options.logLevel, format, destination: io.stderr });
  const etcd = await readEtcdAccess(options.store, options, log);
  const audit = await openAuditLog(options.auditLog);
  try {
    const quoter = await openPlatform(io, options);
    if (quoter.platform.development) log.warn("INSECURE: attestation is simulated");
    const coordinator = await Coordinator.start({
      name: options.name,
      store: await openStore(options.store, { signal: io.signal, ...etcd }),
      quoter,
      collateral: openCollateral(options, log),
      allowDevelopment: options.insecureDevAttestation !== undefined,
      userAddress: options.userAddress,
      meshAddress: options.meshAddress,
      peerAddress: options.peerAddress,
      peers: options.peer,
      adminAddress: options.adminAddress,
      log,
      audit: new AuditLog(audit, io.now),
      version: VERSION,
      now: io.now,
    });
    const { userAddress, meshAddress, peerAddress, adminAddress, mode } = coordinator;
    log.info(
      {
        user: formatAddress(userAddress),
        mesh: formatAddress(meshAddress),
        peer: formatAddress(peerAddress),
        ...(adminAddress === undefined ? {} : { admin: formatAddress(adminAddress) }),
        mode,
        version: VERSION,
      },
      "listening",
    );
    if (!io.signal.aborted) await once(io.signal, "abort");
    log.info("stopping");
    await coordinator.stop();
    log.info("stopped");
  } finally {
    audit?.end();
  }
}

async function openAuditLog(file: string | undefined): Promise<Writable | undefined> {
  if (file === undefined) return undefined;
  const stream = createWriteStream(file, { flags: "a", mode: 0o600 });
  try {
    await once(stream, "open");
  } catch (cause) {
    throw new QuorateError(
      "invalid-argument",
      `the audit log ${file} cannot be opened: ${(cause as Error).message}`,
      { cause },
    );
  }
  return stream;
}

function addressFlag(flags: string, description: string, host: string, port: number) {
  const fallback = { host, port };
  return flag(flags, description)
    .argParser((text) => parseAddress(text, fallback))
    .default(fallback, formatAddress(fallback));
}

/** Those that were given before, and the ones in `text`. */
function peerAddresses(text: string, earlier: readonly Address[]): readonly Address[] {
  const fallback = { host: "127.0.0.1", port: DEFAULT_PEER_PORT };
  return [...earlier, ...text.split(",").map((each) => parseAddress(each.trim(), fallback))];
}

function parseName(text: string): string {
  if (isDnsLabel(text)) return text;
  throw new QuorateError("usage", `"${text}" is not a coordinator's name`, {
    hint: "use lower-case letters, digits and hyphens",
  });
}

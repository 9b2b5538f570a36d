/** `quorate dev`: a coordinator with everything set up, kept running, and the commands to try on it. */
import { once } from "node:events";
import path from "node:path";
import { QuorateError } from "../../core/errors.ts";
import { type Io, note } from "../io.ts";
import { type Addresses, PEOPLE, Workbench } from "./workbench.ts";

/** Sets the folder up on the first run, recovers the coordinator from its shares on later ones, and waits for a signal. */
export async function runDev(io: Io, folder: string, listen: Addresses): Promise<void> {
  // Not the caller's signal: a set-up that is interrupted half-way would leave half a folder.
  const bench = new Workbench(folder, new AbortController().signal, (line) =>
    note(io, `$ ${line}`),
  );
  const isNew = !bench.exists;
  if (isNew) await bench.prepare(["web", "api"], ["stranger"]);
  const { process, addresses } = await bench.startCoordinator(listen);
  try {
    const user = bench.userFlags(addresses);
    const pins = [
      ...PEOPLE.flatMap((person) => ["--owner", `${person}.pub.pem`]),
      "--threshold",
      "2",
    ];
    const { mode } = JSON.parse(await bench.run("status", "-o", "json", ...user)) as {
      mode: string;
    };
    if (mode === "uninitialized") await bench.approveAndSet("manifest.json", addresses, undefined);
    if (mode === "awaiting-recovery") {
      for (const person of PEOPLE.slice(0, 2)) {
        await bench.run(
          "recover",
          "--share-key",
          `${person}-share.key.pem`,
          "--verified",
          "verified",
          ...user,
        );
      }
    }
    await bench.run("verify", "--out", "verified", ...pins, ...user);
    io.stdout.write(instructions(bench, addresses));
    if (!io.signal.aborted) {
      await Promise.race([once(io.signal, "abort"), process.ended]);
    }
    if (!io.signal.aborted)
      throw new QuorateError(
        "unavailable",
        `the coordinator ended by itself:\n${process.lastLines()}`,
      );
  } finally {
    await process.stop();
    note(io, `stopped; quorate dev --folder ${path.relative("", folder) || "."} goes on from here`);
  }
}

function instructions(bench: Workbench, addresses: Addresses): string {
  const quorate = "npx quorate";
  const line = (args: readonly string[]): string => `  ${quorate} ${args.join(" ")}\n`;
  const user = bench.userFlags(addresses);
  return `
A coordinator is running: userapi ${addresses.user}, meshapi ${addresses.mesh}.
Attestation is simulated: INSECURE, for trying things out only. Ctrl-C stops it.

Try, from ${bench.folder}:

${line(["status", ...user])}${line(["verify", "--out", "verified", ...user])}${line(["history", ...user])}\
${line(bench.sidecarFlags("web", addresses, "web-tls"))}${line(bench.sidecarFlags("stranger", addresses, "stranger-tls"))}
A new manifest needs two of ${PEOPLE.join(", ")}: edit a copy of manifest.json, then quorate manifest diff, approve, set.
`;
}

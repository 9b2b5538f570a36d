/** `quorate demo`: the main job from first manifest to disaster recovery, with real processes, in plain words. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { QuorateError } from "../../core/errors.ts";
import { type Io, note } from "../io.ts";
import type { RunningCommand } from "./child.ts";
import { converse, type Conversation } from "./mutual-tls.ts";
import { type Addresses, PEOPLE, Workbench } from "./workbench.ts";

const ANY_PORT: Addresses = { user: "127.0.0.1:0", mesh: "127.0.0.1:0" };

export interface DemoOptions {
  /** Leave the folder for a look. */
  readonly keep: boolean;
  /** Show every command that is run. */
  readonly verbose: boolean;
}

/** Runs the demonstration; throws if anything is not as it should be. */
export async function runDemo(io: Io, options: DemoOptions): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "quorate-demo-"));
  const started = io.now();
  const demo = new Demo(io, folder, options);
  try {
    await demo.run();
    io.stdout.write(
      `\nDone in ${((io.now() - started) / 1000).toFixed(1)} s. Everything above ran as real processes on this machine.\n`,
    );
  } finally {
    await demo.stop();
    if (options.keep) note(io, `The folder stays: ${folder}`);
    else await rm(folder, { recursive: true, force: true });
  }
}

class Demo {
  readonly #io: Io;
  readonly #bench: Workbench;
  #coordinator: { process: RunningCommand; addresses: Addresses } | undefined;
  #step = 0;

  constructor(io: Io, folder: string, options: DemoOptions) {
    this.#io = io;
    this.#bench = new Workbench(folder, io.signal, (line) => {
      if (options.verbose) this.#say(`    $ ${line}`);
    });
  }

  async run(): Promise<void> {
    await this.#prepare();
    await this.#setFirstManifest();
    await this.#issueCertificates();
    await this.#verifyAsDataOwner();
    await this.#recoverFromShares();
    await this.#updateManifest();
  }

  async stop(): Promise<void> {
    await this.#coordinator?.process.stop();
  }

  async #prepare(): Promise<void> {
    this.#heading("Keys, policies and a manifest");
    await this.#bench.prepare(["web", "api"], ["stranger"]);
    this.#say(
      `  ${PEOPLE.join(", ")} own the manifest (2 of 3 must approve) and one share of the seed each (2 of 3 recover).`,
    );
    this.#say("  The manifest admits two workloads, web and api, and one coordinator.");
    this.#say(
      "  Attestation is simulated: real SNP report format and checks, but a made-up vendor. INSECURE by design.",
    );
  }

  async #setFirstManifest(): Promise<void> {
    this.#heading("A coordinator starts, and the owners set the manifest");
    this.#coordinator = await this.#bench.startCoordinator(ANY_PORT);
    this.#say(
      `  userapi ${this.#addresses.user}, meshapi ${this.#addresses.mesh}, state: ${await this.#mode()}`,
    );
    await this.#bench.approveAndSet("manifest.json", this.#addresses, undefined);
    this.#say(
      `  alice and bob approved, alice verified the coordinator's evidence and set it. State: ${await this.#mode()}`,
    );
  }

  async #issueCertificates(): Promise<void> {
    this.#heading("Workloads prove themselves and get certificates");
    for (const name of ["web", "api"]) {
      await this.#bench.run(...this.#bench.sidecarFlags(name, this.#addresses, `${name}-tls`));
      this.#say(
        `  ${name}: attested inside its TLS session, certificate, trust bundle and secret written to ${name}-tls/`,
      );
    }
    const talk = await this.#converse("web-tls", "api-tls");
    this.#expect(talk.ok, `web and api talk mutual TLS: ${reason(talk)}`);
    if (talk.ok) this.#say(`  mutual TLS: ${talk.client} ⇄ ${talk.server}`);
    const refused = await this.#bench.attempt(
      ...this.#bench.sidecarFlags("stranger", this.#addresses, "stranger-tls"),
    );
    this.#expect(refused.code === 4, "the stranger is refused");
    this.#say("  stranger, which is not in the manifest, is refused:");
    this.#quote(refused.stderr);
  }

  async #verifyAsDataOwner(): Promise<void> {
    this.#heading("A data owner proves to itself what is enforced");
    this.#quote(
      await this.#bench.run("verify", "--out", "verified", ...this.#pins(), ...this.#user()),
    );
  }

  async #recoverFromShares(): Promise<void> {
    this.#heading(
      "The coordinator is killed (SIGKILL); the secrets are gone; two share owners bring them back",
    );
    await this.#coordinator?.process.kill();
    this.#coordinator = await this.#bench.startCoordinator(ANY_PORT);
    this.#say(`  restarted over the same store. State: ${await this.#mode()}`);
    for (const person of ["bob", "carol"]) {
      this.#quote(
        await this.#bench.run(
          "recover",
          "--share-key",
          `${person}-share.key.pem`,
          "--verified",
          "verified",
          ...this.#user(),
        ),
      );
    }
    this.#say(`  State: ${await this.#mode()}`);
    const before = await readFile(path.join(this.#bench.folder, "web-tls", "secret"));
    await this.#bench.run(...this.#bench.sidecarFlags("web", this.#addresses, "web-tls-2"));
    const after = await readFile(path.join(this.#bench.folder, "web-tls-2", "secret"));
    this.#expect(before.equals(after), "the workload secret survived");
    this.#say("  web asked again: a new mesh CA, the same workload secret as before the crash.");
  }

  async #updateManifest(): Promise<void> {
    this.#heading("The owners update the manifest: api leaves, and every old certificate with it");
    await this.#bench.run("verify", "--out", "verified", ...this.#pins(), ...this.#user());
    await this.#bench.run(...this.#bench.sidecarFlags("api", this.#addresses, "api-tls-2"));
    await this.#bench.writeManifest("manifest-2.json", ["web"]);
    this.#quote(await this.#bench.run("manifest", "diff", "manifest.json", "manifest-2.json"));
    await this.#bench.approveAndSet("manifest-2.json", this.#addresses, { verified: "verified" });
    await this.#bench.run(...this.#bench.sidecarFlags("web", this.#addresses, "web-tls-3"));
    const old = await this.#converse("api-tls-2", "web-tls-3");
    this.#expect(!old.ok, "the certificate of before the update is refused");
    this.#say(
      `  web's new trust no longer holds the old mesh CA; api's old certificate is refused (${reason(old)})`,
    );
    this.#quote(await this.#bench.run("history", ...this.#user()));
  }

  get #addresses(): Addresses {
    if (this.#coordinator === undefined)
      throw new QuorateError("internal", "no coordinator was started");
    return this.#coordinator.addresses;
  }

  #user(): readonly string[] {
    return this.#bench.userFlags(this.#addresses);
  }

  #pins(): readonly string[] {
    return [...PEOPLE.flatMap((person) => ["--owner", `${person}.pub.pem`]), "--threshold", "2"];
  }

  async #mode(): Promise<string> {
    const status = JSON.parse(await this.#bench.run("status", "-o", "json", ...this.#user())) as {
      mode: string;
    };
    return status.mode;
  }

  #converse(client: string, server: string): Promise<Conversation> {
    return converse(
      {
        credentials: path.join(this.#bench.folder, client),
        trust: path.join(this.#bench.folder, server),
      },
      { credentials: path.join(this.#bench.folder, server) },
    );
  }

  #heading(text: string): void {
    this.#step += 1;
    this.#say(`\n${this.#step}. ${text}`);
  }

  #say(text: string): void {
    this.#io.stdout.write(`${text}\n`);
  }

  #quote(text: string): void {
    for (const line of text.trimEnd().split("\n")) this.#say(`     ${line}`);
  }

  #expect(condition: boolean, what: string): void {
    if (!condition) throw new QuorateError("internal", `the demonstration failed: ${what}`);
  }
}

function reason(conversation: Conversation): string {
  return conversation.ok ? "it went well" : conversation.reason;
}

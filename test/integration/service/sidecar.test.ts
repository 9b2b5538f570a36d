import { execFile, spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { lstat, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { connect, createServer, type TLSSocket } from "node:tls";
import { once } from "node:events";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "./processes.ts";
import { manifest, type RunningCoordinator, workloadPolicy, World } from "./world.ts";

const execute = promisify(execFile);
let world: World;
let coordinator: RunningCoordinator;
let renewal: Readonly<Record<string, unknown>>;

beforeAll(async () => {
  world = await World.create();
  coordinator = await world.coordinator();
  await world.set("manifest.json", coordinator.user, "genesis");
  await world.verify(coordinator.user);
  const web = world.sidecarArguments(coordinator.mesh, "web", "web-tls", "--once");
  const api = world.sidecarArguments(coordinator.mesh, "api", "api-tls", "--once");
  const [issued] = await Promise.all([
    world.json(...web, "--hook", "echo noise"),
    world.ok(...api),
  ]);
  renewal = issued;
});
afterAll(() => world.close());

async function text(...names: string[]): Promise<string> {
  return readFile(world.file(...names), "utf8");
}

describe("the sidecar's files", () => {
  it("are complete, and secrets are readable by their owner alone", async () => {
    const modes: Record<string, number> = {};
    for (const name of await readdir(world.file("web-tls")))
      if (!name.startsWith(".."))
        modes[name] = (await stat(world.file("web-tls", name))).mode & 0o777;
    expect(modes).toEqual({
      "tls.key": 0o600,
      "tls.crt": 0o644,
      "trust-bundle.pem": 0o644,
      "mesh-ca.pem": 0o644,
      "root-ca.pem": 0o644,
      secret: 0o600,
    });
    expect((await stat(world.file("web-tls"))).mode & 0o777).toBe(0o700);
    expect((await readFile(world.file("web-tls", "secret"))).length).toBe(32);
    expect(await text("web-tls", "secret")).not.toBe(await text("api-tls", "secret"));
  });

  it("hold a chain that OpenSSL accepts with each of the three trust files", async () => {
    const leaf = world.file("web-tls", "tls.crt");
    for (const file of ["mesh-ca.pem", "root-ca.pem", "trust-bundle.pem"]) {
      const trust = ["-CAfile", world.file("web-tls", file), "-untrusted", leaf];
      const { stdout } = await execute("openssl", ["verify", "-x509_strict", ...trust, leaf]);
      expect(stdout).toBe(`${leaf}: OK\n`);
    }
    // The verifier's folder and the sidecar's name the same authorities.
    expect(await text("web-tls", "root-ca.pem")).toBe(await text("verified", "root-ca.pem"));
    expect(await text("web-tls", "mesh-ca.pem")).toBe(await text("verified", "mesh-ca.pem"));
  });

  it("carry mutual TLS between two workloads, each seeing the other's SPIFFE id", async () => {
    const files = async (folder: string) => ({
      key: await text(folder, "tls.key"),
      cert: await text(folder, "tls.crt"),
      ca: await text(folder, "mesh-ca.pem"),
    });
    const own = { ...(await files("api-tls")), requestCert: true, minVersion: "TLSv1.3" } as const;
    const server = createServer(own).listen(0, "127.0.0.1");
    const seen = once(server, "secureConnection") as Promise<[TLSSocket]>;
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const client = connect({ ...(await files("web-tls")), port, servername: "api" });
    await once(client, "secureConnect");
    const [peer] = await seen;
    expect(peer.authorized).toBe(true);
    expect(peer.getPeerCertificate().subjectaltname).toContain("URI:spiffe://test.example/web");
    expect(client.getPeerCertificate().subjectaltname).toContain("URI:spiffe://test.example/api");
    client.destroy();
    peer.destroy();
    server.close();
  });

  it("are announced as one JSON document, whatever a hook prints", () => {
    expect(renewal).toMatchObject({ folder: "web-tls", record: expect.any(String) as unknown });
  });

  it("are to be renewed around half of the lifetime that the manifest gives", async () => {
    const expires = Date.parse(String(renewal["notAfter"]));
    const left = expires - Date.parse(String(renewal["renewAt"]));
    // Half of 300 s, give or take a tenth of the whole.
    expect(left).toBeGreaterThanOrEqual(119_000);
    expect(left).toBeLessThanOrEqual(181_000);
    const leaf = new X509Certificate(await text("web-tls", "tls.crt"));
    expect(Date.parse(leaf.validTo)).toBe(expires);
  });

  it("are never put over somebody else's", async () => {
    await mkdir(world.file("taken"));
    await writeFile(world.file("taken", "tls.key"), "mine");
    const args = world.sidecarArguments(coordinator.mesh, "web", "taken", "--once");
    const { code, stderr } = await world.run(...args);
    expect(code).toBe(1);
    expect(stderr).toContain("was not made by the sidecar");
    expect(await text("taken", "tls.key")).toBe("mine");
  });
});

describe("the sidecar refuses, with code 4 and without a file,", () => {
  const refusal = async (policy: string, measurement = "web"): Promise<string> => {
    const args = world.sidecarArguments(coordinator.mesh, policy, `${policy}-tls`, "--once");
    const as = args.map((arg, at) => (args[at - 1] === "--dev-measurement" ? measurement : arg));
    const { code, stdout, stderr } = await world.run(...as);
    expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
    await expect(lstat(world.file(`${policy}-tls`))).rejects.toThrow("ENOENT");
    return stderr;
  };

  /** A manifest's workload whose document pins other coordinators than the one that runs. */
  const admitted = async (names: string[]): Promise<void> => {
    await world.verify(coordinator.user);
    await world.batch(manifest("pins.json", ["web", "api", ...names]));
    await world.set("pins.json", coordinator.user, "verified");
    await world.verify(coordinator.user);
  };

  it("a coordinator whose history other owners founded, or of another lineage, or of other code", async () => {
    const strangers = ["--owner", "eve.pub.pem", "--owner", "mallory.pub.pem", "--threshold", "1"];
    await world.batch(
      ["keygen", "owner", "--out", "eve"],
      ["keygen", "owner", "--out", "mallory"],
      ["keygen", "dev-platform", "--out", "other-vendor"],
      workloadPolicy("founders", strangers),
      workloadPolicy("lineage", ["--lineage", "ab".repeat(32)]),
      ["policy", "coordinator", "--out", "c3.json", "--description", "another one"],
      [
        ...["policy", "workload", "--out", "code.policy.json", "--coordinator-policy", "c3.json"],
        ...["--owner", "alice.pub.pem", "--dev-platform", "other-vendor"],
      ],
    );
    await admitted(["founders", "lineage", "code"]);
    expect(await refusal("founders", "founders")).toContain(
      "the pinned owners did not found: 0 of the 1 needed owners approved",
    );
    expect(await refusal("lineage", "lineage")).toContain("another lineage than the pinned one");
    const code = await refusal("code", "code");
    expect(code).toContain("error: the coordinator is not one that this workload's policy accepts");
    expect(code).toContain("policy-unknown: ");
  });

  it("to serve a workload whose document or code the manifest does not name", async () => {
    const document = await refusal("stranger", "stranger");
    expect(document).toContain("policy-unknown: The manifest has no policy of this hash");
    const { code, stderr } = await world.run(
      ...world
        .sidecarArguments(coordinator.mesh, "web", "code-tls", "--once")
        .map((arg, at, all) => (all[at - 1] === "--dev-measurement" ? "other-code" : arg)),
    );
    expect(code).toBe(4);
    expect(stderr).toContain("measurement-mismatch: ");
  });
});

describe("a sidecar that goes on", () => {
  it("renews when the manifest moves, tells the workload by hook and signal, and ends on SIGTERM", async () => {
    // Any program that counts the signals it gets.
    await writeFile(
      world.file("workload.sh"),
      'trap "echo hup >> hups" HUP; echo $$ > workload.pid; while :; do sleep 0.05; done\n',
    );
    const workload = spawn("bash", ["workload.sh"], { cwd: world.folder, stdio: "ignore" });
    await eventually("a workload", () => stat(world.file("workload.pid")).catch(() => undefined));
    const hook = 'cat "$QUORATE_CREDENTIALS/tls.crt" > seen.$(ls seen.* 2>/dev/null | wc -l)';
    const sidecar = world.start(
      world.sidecarArguments(
        coordinator.mesh,
        "web",
        "live-tls",
        ...["--hook", hook, "--signal-pid", "workload.pid", "--signal", "SIGHUP"],
      ),
    );
    const first = await sidecar.logged("credentials renewed");
    const before = new X509Certificate(await text("live-tls", "tls.crt"));
    await world.verify(coordinator.user);
    await world.batch(manifest("moved.json", ["web"]));
    await world.set("moved.json", coordinator.user, "verified");
    const second = await sidecar.logged("credentials renewed", 2);
    expect(second["record"]).not.toBe(first["record"]);
    const after = new X509Certificate(await text("live-tls", "tls.crt"));
    expect(after.publicKey.equals(before.publicKey)).toBe(false);
    expect(after.checkIssued(new X509Certificate(await text("live-tls", "mesh-ca.pem")))).toBe(
      true,
    );
    expect(before.checkIssued(new X509Certificate(await text("live-tls", "mesh-ca.pem")))).toBe(
      false,
    );

    // The hook met each complete set; the set of before is gone.
    await eventually("two hooks", () => stat(world.file("seen.1")).catch(() => undefined));
    expect(new X509Certificate(await text("seen.0")).serialNumber).toBe(before.serialNumber);
    await eventually("two signals", async () =>
      (await text("hups").catch(() => "")).startsWith("hup\nhup\n"),
    );
    expect(
      (await readdir(world.file("live-tls"))).filter((name) => name.startsWith("..set")),
    ).toHaveLength(1);

    // api left with that manifest: it is refused from now on, with the reason, and keeps what it had.
    const excluded = world.sidecarArguments(coordinator.mesh, "api", "api-tls", "--once");
    const { code, stderr } = await world.run(...excluded);
    expect(code).toBe(4);
    expect(stderr).toContain("policy-unknown: ");
    expect(await text("api-tls", "tls.key")).toContain("PRIVATE KEY");

    sidecar.signal("SIGTERM");
    expect(await sidecar.ended).toBe(0);
    workload.kill("SIGKILL");
    await once(workload, "close");
  });

  it("lets a running hook finish after a signal; a second signal does not wait", async () => {
    const hook = "touch hooked; while [ ! -e go ]; do sleep 0.05; done";
    const start = async () => {
      await rm(world.file("hooked"), { force: true });
      const args = world.sidecarArguments(coordinator.mesh, "web", "hook-tls", "--hook", hook);
      const sidecar = world.start(args);
      await eventually("a hook", () => stat(world.file("hooked")).catch(() => undefined));
      sidecar.signal("SIGTERM");
      return sidecar;
    };
    const impatient = await start();
    await eventually("an end without the hook's", () => {
      // Two signals that are sent at once may arrive as one.
      impatient.signal("SIGTERM");
      return impatient.exitCode !== null;
    });
    expect(impatient.exitCode).toBe(130);
    const patient = await start();
    await writeFile(world.file("go"), "");
    expect(await patient.ended).toBe(0);
    await impatient.ended;
  });

  it("keeps trying while the coordinator is away, and renews after its recovery", async () => {
    const sidecar = world.start(world.sidecarArguments(coordinator.mesh, "web", "patient-tls"));
    const first = await sidecar.logged("credentials renewed");
    await coordinator.process.kill();
    await sidecar.logged("watch failed");
    const port = ["--mesh-address", coordinator.mesh];
    coordinator = await world.coordinator("store", ...port);
    expect(coordinator.mode).toBe("awaiting-recovery");
    expect((await world.recover(coordinator.user, "alice")).code).toBe(0);
    expect((await world.recover(coordinator.user, "carol")).code).toBe(0);
    const second = await sidecar.logged("credentials renewed", 2);
    expect(second["record"]).not.toBe(first["record"]);
    expect(sidecar.entries("renewal failed").length).toBeLessThan(20);
    sidecar.signal("SIGINT");
    expect(await sidecar.ended).toBe(0);
  });
});

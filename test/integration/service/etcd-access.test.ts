/** A coordinator over an etcd that asks for client certificates and a password, set up as docs/operating.md says. */
import { spawnSync } from "node:child_process";
import { chmod, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CERTIFICATE_USER, makeEtcdCertificates } from "../../support/etcd-certificates.ts";
import { EtcdCluster, etcdMissing } from "../store/etcd-process.ts";
import type { Finished } from "./processes.ts";
import { World } from "./world.ts";

const PAGE = await readFile(path.join(import.meta.dirname, "../../../docs/operating.md"), "utf8");
const [SET_UP = "", EXAMPLE = ""] = [...PAGE.matchAll(/^```bash\n([^]*?)^```$/gm)].map(
  ([, block]) => block,
);
/** Store operations give up after 5 s; the rest is for starting the process on a busy machine. */
const REFUSAL_MILLIS_MAX = 15_000;
const TLS = ["--etcd-ca", "ca.pem", "--etcd-cert", "client.pem", "--etcd-key", "client.key"];
const LOGIN = ["--etcd-user", "quorate-mesh", "--etcd-password-file", "etcd.password"];

describe.skipIf(etcdMissing())(
  "a coordinator over an etcd with client certificates and users",
  () => {
    let world: World;
    let etcd: EtcdCluster;
    let endpoint: string;
    const everyLine: string[] = [];

    beforeAll(async () => {
      world = await World.create();
      makeEtcdCertificates(world.folder);
      etcd = await EtcdCluster.start(1, {
        authority: world.file("ca.pem"),
        certificate: world.file("etcd.pem"),
        privateKey: world.file("etcd.key"),
      });
      endpoint = etcd.endpoints[0]!;
      shell(SET_UP);
      await writeFile(world.file("wrong.password"), "guessed\n", { mode: 0o600 });
    });
    afterAll(async () => {
      await world.close();
      await etcd.stop();
    });

    /** Runs commands of an administrator of etcd. @returns standard output */
    function shell(script: string): string {
      const { status, stdout, stderr } = spawnSync("bash", ["-euc", script], {
        cwd: world.folder,
        encoding: "utf8",
        env: {
          ...process.env,
          ETCDCTL_API: "3",
          ETCDCTL_ENDPOINTS: endpoint,
          ETCDCTL_CACERT: "ca.pem",
          ETCDCTL_CERT: "etcd.pem",
          ETCDCTL_KEY: "etcd.key",
        },
      });
      if (status !== 0) throw new Error(stderr);
      return stdout;
    }

    /** Flags of a coordinator, beside those that every test gives. Later ones win. */
    const store = (prefix = "mesh", scheme = "etcds"): string[] => [
      ...["--store", `${scheme}://${endpoint}/${prefix}`, "--log-level", "debug"],
    ];

    /** A coordinator that must end by itself, soon. */
    async function refused(...flags: readonly string[]): Promise<Finished> {
      const any = "127.0.0.1:0";
      const start = performance.now();
      const finished = await world
        .start([
          ...["coordinator", "--policy", "coordinator.policy.json"],
          ...["--insecure-dev-attestation", "platform", "--log-format", "json"],
          ...["--user-address", any, "--mesh-address", any, "--peer-address", any],
          ...["--admin-address", any, ...flags],
        ])
        .finished();
      expect(performance.now() - start).toBeLessThan(REFUSAL_MILLIS_MAX);
      everyLine.push(finished.stderr);
      return finished;
    }

    it("works from the first manifest on, and reads the history again after a restart", async () => {
      // The page's flags as they stand, but for the port.
      const [, , ...flags] = EXAMPLE.replaceAll("\\\n", " ")
        .replace("127.0.0.1:2379", endpoint)
        .trim()
        .split(/\s+/);
      expect(flags).toEqual(expect.arrayContaining([...TLS, ...LOGIN]));
      const first = await world.coordinator("", ...flags, "--log-level", "debug");
      expect(first.mode).toBe("uninitialized");
      await world.set("manifest.json", first.user, "genesis");
      const set = await world.verify(first.user);
      expect(set).toMatchObject({ generation: 1, epoch: 1 });
      await first.process.kill();

      await chmod(world.file("etcd.password"), 0o644);
      const second = await world.coordinator("", ...flags, "--log-level", "debug");
      await chmod(world.file("etcd.password"), 0o600);
      expect(second.mode).toBe("awaiting-recovery");
      const { record, lineage } = await world.verify(second.user, "verified-again");
      expect({ record, lineage }).toEqual({ record: set["record"], lineage: set["lineage"] });
      const warned = second.process.lines.filter((line) => line.includes("--etcd-password-file"));
      expect(warned.map((line) => JSON.parse(line) as unknown)).toMatchObject([
        { level: "warn", file: "etcd.password", mode: "0644" },
      ]);
      await second.process.kill();
      everyLine.push(...first.process.lines, ...second.process.lines);

      const user = `--user root:$(cat root.password)`;
      const keys = shell(`etcdctl ${user} get "" --prefix --keys-only`)
        .split(/\s+/)
        .filter(Boolean);
      expect(keys.length).toBeGreaterThan(2);
      for (const key of keys) expect(key).toMatch(/^mesh\/1\//);
    });

    it("is known by its certificate alone where etcd has a user of that name", async () => {
      shell(`
      root="--user root:$(cat root.password)"
      etcdctl $root user add ${CERTIFICATE_USER} --no-password
      etcdctl $root user grant-role ${CERTIFICATE_USER} quorate-mesh
    `);
      const { mode, process } = await world.coordinator("", ...store(), ...TLS);
      expect(mode).toBe("awaiting-recovery");
      await process.kill();
    });

    it("ends at once, and says why, for a wrong password and for a prefix that its role lacks", async () => {
      const login = ["--etcd-user", "quorate-mesh", "--etcd-password-file", "wrong.password"];
      for (const [flags, words] of [
        [[...store(), ...TLS, ...login], "invalid user ID or password"],
        [[...store("mesh2"), ...TLS, ...LOGIN], "permission denied"],
      ] as const) {
        const { code, stderr } = await refused(...flags);
        expect(code).toBe(1);
        expect(stderr).toMatch(new RegExp(`^error: etcd refused: .*${words}`, "m"));
        expect(stderr).toMatch(/^hint: check --etcd-user, --etcd-password-file/m);
      }
    });

    it("ends within seconds, and says why, when either side does not trust the other's certificate", async () => {
      const [, ca, ...client] = TLS;
      const cases = [
        [["--etcd-ca", "other-ca.pem", ...client], /unable to verify the first certificate/],
        [["--etcd-ca", ca!], /alert .*certificate/],
        [[...TLS, "--etcd-server-name", "another.test"], /another\.test/],
      ] as const;
      // Together: each waits for the store's deadline.
      const ends = cases.map(([flags]) => refused(...store(), ...flags, ...LOGIN));
      for (const [index, { code, stderr }] of (await Promise.all(ends)).entries()) {
        expect(code).toBe(3);
        expect(stderr).toMatch(/^error: .*took longer than 5000 ms/m);
        expect(stderr).toMatch(cases[index]![1]);
        expect(stderr).toMatch(/^hint: .*--etcd-ca, --etcd-cert and --etcd-server-name/m);
      }
    });

    it("ends with code 2 for flags that do not fit the store's address", async () => {
      const plain = await refused(...store("mesh", "etcd"), ...TLS);
      expect(plain).toMatchObject({ code: 2 });
      expect(plain.stderr).toMatch(/^hint: write etcds: .*--etcd-ca/m);
      const bare = await refused(...store());
      expect(bare).toMatchObject({ code: 2 });
      expect(bare.stderr).toMatch(/^hint: .*--etcd-ca FILE/m);
    });

    it("never shows the password or the key", async () => {
      const password = (await readFile(world.file("etcd.password"), "utf8")).trim();
      expect(password).toMatch(/^[0-9a-f]{48}$/);
      const [, keyLine = ""] = (await readFile(world.file("client.key"), "utf8")).split("\n");
      const said = everyLine.join("\n");
      expect(said).toContain("listening");
      expect(said).toContain("etcd refused");
      for (const secret of [password, "guessed", keyLine]) expect(said).not.toContain(secret);
    });
  },
);

import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type EtcdAccess, type EtcdOptions, readEtcdAccess } from "../../../src/cli/etcd-flags.ts";
import { createLog } from "../../../src/observability/log.ts";
import { openStore } from "../../../src/store/open-store.ts";
import { linesInto } from "../../fixtures/mesh.ts";
import { makeEtcdCertificates } from "../../support/etcd-certificates.ts";

const PASSWORD = "correct horse: battery,staple";
const TLS_STORE = "etcds://etcd.test:2379/mesh";
const PLAIN_STORE = "etcd://etcd.test:2379/mesh";

let folder: string;
const file = (name: string): string => path.join(folder, name);
const text = (name: string): Promise<string> => readFile(file(name), "utf8");
let logged: string[];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "quorate-etcd-flags-"));
  makeEtcdCertificates(folder);
  const encrypt = ["pkcs8", "-topk8", "-in", "client.key", "-passout", "pass:x", "-out"];
  expect(spawnSync("openssl", [...encrypt, "encrypted.key"], { cwd: folder }).status).toBe(0);
  const ca = await text("ca.pem");
  const files = {
    password: `${PASSWORD}\n`,
    "windows.password": `${PASSWORD}\r\n`,
    "bare.password": PASSWORD,
    "empty.password": "\n",
    "two-lines.password": `${PASSWORD}\nsecond\n`,
    "large.password": "p".repeat(2000),
    "binary.password": new Uint8Array([0xff, 0xfe]),
    "bundle.pem": `${ca}${await text("other-ca.pem")}`,
    "cut-off.pem": `${ca}${ca.slice(0, -40)}`,
    "no-certificate.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
  };
  for (const [name, content] of Object.entries(files))
    await writeFile(file(name), content, { mode: 0o600 });
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(() => {
  logged = [];
});

/** Options as the command line gives them, with files of the folder. */
function options(names: EtcdOptions): EtcdOptions {
  const notFiles = ["etcdUser", "etcdServerName"];
  return Object.fromEntries(
    Object.entries(names as Record<string, string>).map(([option, value]) => [
      option,
      notFiles.includes(option) ? value : file(value),
    ]),
  );
}

function read(store: string, names: EtcdOptions): Promise<EtcdAccess> {
  const log = createLog({ level: "debug", format: "json", destination: linesInto(logged) });
  return readEtcdAccess(store, options(names), log);
}

const CLIENT = { etcdCert: "client.pem", etcdKey: "client.key" };
const LOGIN = { etcdUser: "quorate", etcdPasswordFile: "password" };

describe("the flags for etcd", () => {
  it("ask for nothing of a store that needs nothing", async () => {
    for (const store of ["memory:", "file:store", PLAIN_STORE])
      expect(await read(store, {})).toEqual({ etcdTls: undefined, etcdLogin: undefined });
    expect(logged).toEqual([]);
  });

  it("become what the store takes, and nothing of it shows in the store's description", async () => {
    const names = { etcdCa: "bundle.pem", ...CLIENT, etcdServerName: "etcd.test", ...LOGIN };
    const access = await read(TLS_STORE, names);
    expect(access).toEqual({
      etcdTls: {
        certificateAuthorities: await text("bundle.pem"),
        client: { certificate: await text("client.pem"), privateKey: await text("client.key") },
        serverName: "etcd.test",
      },
      etcdLogin: { user: "quorate", password: PASSWORD },
    });
    expect(logged).toEqual([]);
    const store = await openStore(TLS_STORE, access);
    expect(store.description).toBe("etcd etcd.test:2379, prefix mesh");
    await store.close();
  });

  it.each(["password", "windows.password", "bare.password"])(
    "read a password with or without a line end from %s",
    async (etcdPasswordFile) => {
      const { etcdLogin } = await read(TLS_STORE, { etcdCa: "ca.pem", ...LOGIN, etcdPasswordFile });
      expect(etcdLogin?.password).toBe(PASSWORD);
    },
  );

  it.each<[what: string, store: string, names: EtcdOptions, message: RegExp, hint: RegExp]>([
    ["a file store with a user", "file:s", LOGIN, /^--etcd-user .*no etcd/, /--store etcds:/],
    ["a store in memory with TLS", "memory:", { etcdCa: "ca.pem" }, /^--etcd-ca/, /leave it out/],
    [
      "a certificate alone",
      TLS_STORE,
      { etcdCa: "ca.pem", etcdCert: "client.pem" },
      /^--etcd-cert is given without --etcd-key/,
      /neither/,
    ],
    [
      "a key alone",
      TLS_STORE,
      { etcdCa: "ca.pem", etcdKey: "client.key" },
      /^--etcd-key is given without --etcd-cert/,
      /neither/,
    ],
    [
      "a user alone",
      PLAIN_STORE,
      { etcdUser: "quorate" },
      /^--etcd-user .*without --etcd-password-file/,
      /neither/,
    ],
    [
      "a password alone",
      PLAIN_STORE,
      { etcdPasswordFile: "password" },
      /^--etcd-password-file .*without --etcd-user/,
      /neither/,
    ],
    ["an empty user", PLAIN_STORE, { ...LOGIN, etcdUser: "" }, /--etcd-user is empty/, /name/],
    [
      "a client certificate without authorities",
      TLS_STORE,
      CLIENT,
      /--etcd-cert needs --etcd-ca/,
      /--etcd-ca FILE/,
    ],
    [
      "a server name without authorities",
      TLS_STORE,
      { etcdServerName: "x" },
      /--etcd-server-name needs/,
      /--etcd-ca FILE/,
    ],
    [
      "a server name that is an address",
      TLS_STORE,
      { etcdCa: "ca.pem", etcdServerName: "https://x" },
      /not a DNS name/,
      /without scheme/,
    ],
    [
      "missing authorities",
      TLS_STORE,
      { etcdCa: "none.pem" },
      /^--etcd-ca .*none.pem .*no such file/,
      /PEM file with the certificates/,
    ],
    ["a folder as authorities", TLS_STORE, { etcdCa: "." }, /--etcd-ca .*folder/, /PEM/],
    [
      "a key as authorities",
      TLS_STORE,
      { etcdCa: "ca.key" },
      /holds no certificate/,
      /authorities/,
    ],
    [
      "authorities cut off",
      TLS_STORE,
      { etcdCa: "cut-off.pem" },
      /certificate 2 is malformed/,
      /authorities/,
    ],
    [
      "a certificate that is none",
      TLS_STORE,
      { etcdCa: "ca.pem", ...CLIENT, etcdCert: "no-certificate.pem" },
      /--etcd-cert .*certificate 1 is malformed/,
      /intermediates/,
    ],
    [
      "a missing key",
      TLS_STORE,
      { etcdCa: "ca.pem", ...CLIENT, etcdKey: "none.key" },
      /--etcd-key .*no such file/,
      /private key/,
    ],
    [
      "a certificate as key",
      TLS_STORE,
      { etcdCa: "ca.pem", ...CLIENT, etcdKey: "client.pem" },
      /no private key/,
      /not encrypted/,
    ],
    [
      "an encrypted key",
      TLS_STORE,
      { etcdCa: "ca.pem", ...CLIENT, etcdKey: "encrypted.key" },
      /no private key/,
      /not encrypted/,
    ],
    [
      "another certificate's key",
      TLS_STORE,
      { etcdCa: "ca.pem", ...CLIENT, etcdKey: "etcd.key" },
      /does not belong/,
      /first certificate/,
    ],
    [
      "a missing password",
      PLAIN_STORE,
      { ...LOGIN, etcdPasswordFile: "none" },
      /--etcd-password-file .*no such file/,
      /nothing but the password/,
    ],
    [
      "an empty password",
      PLAIN_STORE,
      { ...LOGIN, etcdPasswordFile: "empty.password" },
      /is empty/,
      /nothing but/,
    ],
    [
      "a password of two lines",
      PLAIN_STORE,
      { ...LOGIN, etcdPasswordFile: "two-lines.password" },
      /several lines/,
      /nothing but/,
    ],
    [
      "a file too large for a password",
      PLAIN_STORE,
      { ...LOGIN, etcdPasswordFile: "large.password" },
      /larger than 1024 bytes/,
      /nothing but/,
    ],
    [
      "a password that is no text",
      PLAIN_STORE,
      { ...LOGIN, etcdPasswordFile: "binary.password" },
      /not UTF-8/,
      /nothing but/,
    ],
  ])("refuse %s with a hint", async (_what, store, names, message, hint) => {
    const refused = await read(store, names).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "usage",
      message: expect.stringMatching(message) as string,
      hint: expect.stringMatching(hint) as string,
    });
    expect(JSON.stringify([refused, String(refused), logged])).not.toContain(PASSWORD);
  });

  it("warn about a key and a password that others may read", async () => {
    await chmod(file("client.key"), 0o640);
    await chmod(file("password"), 0o604);
    await read(TLS_STORE, { etcdCa: "ca.pem", ...CLIENT, ...LOGIN });
    await chmod(file("client.key"), 0o600);
    await chmod(file("password"), 0o600);
    expect(logged.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { level: "warn", flag: "--etcd-key", file: file("client.key"), mode: "0640" },
      { level: "warn", flag: "--etcd-password-file", file: file("password"), mode: "0604" },
    ]);
    expect(logged.join("\n")).not.toContain(PASSWORD);
  });

  it("warn about a password that goes over plain connections", async () => {
    await read(TLS_STORE, LOGIN);
    expect(logged).toEqual([]);
    await read(PLAIN_STORE, LOGIN);
    expect(logged).toEqual([expect.stringContaining("plain connections")]);
  });
});

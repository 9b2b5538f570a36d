/** How a coordinator knows its etcd and is known to it: flags that name files, and what these hold. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { stat } from "node:fs/promises";
import type { Option } from "commander";
import { readInputText } from "../config/files.ts";
import { QuorateError } from "../core/errors.ts";
import { CERTIFICATE_FILE_BYTES_MAX, ETCD_PASSWORD_BYTES_MAX } from "../core/limits.ts";
import type { Logger } from "../observability/log.ts";
import type { OpenStoreOptions } from "../store/open-store.ts";
import { flag } from "./options.ts";

/** What the flags of {@link etcdFlags} were given. */
export interface EtcdOptions {
  readonly etcdCa?: string;
  readonly etcdCert?: string;
  readonly etcdKey?: string;
  readonly etcdServerName?: string;
  readonly etcdUser?: string;
  readonly etcdPasswordFile?: string;
}

/** What {@link openStore} needs beside the store's address. */
export type EtcdAccess = Pick<OpenStoreOptions, "etcdTls" | "etcdLogin">;

/** Flag of each option, for messages. */
const FLAGS = {
  etcdCa: "--etcd-ca",
  etcdCert: "--etcd-cert",
  etcdKey: "--etcd-key",
  etcdServerName: "--etcd-server-name",
  etcdUser: "--etcd-user",
  etcdPasswordFile: "--etcd-password-file",
} as const satisfies Record<keyof EtcdOptions, string>;

export function etcdFlags(): readonly Option[] {
  return [
    flag(
      "--etcd-ca <file>",
      "certificates of the authorities that etcd's servers are known by (PEM; for etcds://)",
    ),
    flag("--etcd-cert <file>", "client certificate for etcd, with its chain (PEM)"),
    flag("--etcd-key <file>", "the client certificate's private key (PEM, not encrypted)"),
    flag(
      "--etcd-server-name <name>",
      "DNS name that the certificates of etcd's servers hold, if it is not their address",
    ),
    flag("--etcd-user <name>", "user of etcd, if it has authentication enabled"),
    flag("--etcd-password-file <file>", "holds that user's password and nothing else"),
  ];
}

/**
 * Reads and checks the files that the flags name. A key or password that not only its owner may read is warned about, as
 * is a password that goes to etcd in the clear.
 *
 * **Security:** neither the key nor the password is in any log line or error.
 *
 * @param store as {@link openStore} takes it
 * @throws QuorateError `usage` for flags that don't go together or don't fit the store, and for files that can't be
 * read or hold something else
 */
export async function readEtcdAccess(
  store: string,
  options: EtcdOptions,
  log: Logger,
): Promise<EtcdAccess> {
  requireEtcd(store, options);
  requireBoth(options, "etcdCert", "etcdKey");
  requireBoth(options, "etcdUser", "etcdPasswordFile");
  const etcdTls = await readTls(options, log);
  const etcdLogin = await readLogin(options, log);
  if (etcdLogin !== undefined && store.startsWith("etcd:"))
    log.warn("the password for etcd goes over plain connections: use etcds:// and --etcd-ca");
  return { etcdTls, etcdLogin };
}

async function readTls(options: EtcdOptions, log: Logger): Promise<EtcdAccess["etcdTls"]> {
  const { etcdCa, etcdCert, etcdKey, etcdServerName: serverName } = options;
  if (etcdCa === undefined) {
    const alone = given(options, ["etcdCert", "etcdKey", "etcdServerName"]);
    if (alone === undefined) return undefined;
    throw usage(
      `${alone} needs --etcd-ca`,
      "give --etcd-ca FILE, the authorities that etcd's servers are known by",
    );
  }
  const certificateAuthorities = await readText("etcdCa", etcdCa, CERTIFICATE_FILE_BYTES_MAX);
  certificatesIn("etcdCa", etcdCa, certificateAuthorities);
  const client =
    etcdCert === undefined || etcdKey === undefined
      ? undefined
      : await readClient(etcdCert, etcdKey, log);
  if (serverName !== undefined && !DNS_NAME.test(serverName))
    throw usage(
      `--etcd-server-name "${serverName}" is not a DNS name`,
      "give the name alone, without scheme and port",
    );
  return { certificateAuthorities, client, serverName };
}

async function readClient(
  certificateFile: string,
  keyFile: string,
  log: Logger,
): Promise<{ readonly certificate: string; readonly privateKey: string }> {
  const certificate = await readText("etcdCert", certificateFile, CERTIFICATE_FILE_BYTES_MAX);
  const [leaf] = certificatesIn("etcdCert", certificateFile, certificate);
  const privateKey = await readText("etcdKey", keyFile, CERTIFICATE_FILE_BYTES_MAX);
  if (leaf?.checkPrivateKey(privateKeyIn(keyFile, privateKey)) !== true)
    throw usage(
      `--etcd-key ${keyFile} does not belong to the certificate in ${certificateFile}`,
      "give the key of the first certificate in that file",
    );
  await warnIfShared("etcdKey", keyFile, log);
  return { certificate, privateKey };
}

async function readLogin(options: EtcdOptions, log: Logger): Promise<EtcdAccess["etcdLogin"]> {
  const { etcdUser: user, etcdPasswordFile: file } = options;
  if (user === undefined || file === undefined) return undefined;
  if (user === "") throw usage("--etcd-user is empty", "give the user's name");
  const text = await readText("etcdPasswordFile", file, ETCD_PASSWORD_BYTES_MAX);
  const password = text.replace(/\r?\n$/, "");
  if (password === "" || /[\r\n]/.test(password))
    throw usage(
      `--etcd-password-file ${file} ${password === "" ? "is empty" : "has several lines"}`,
      EXPECTED.etcdPasswordFile,
    );
  await warnIfShared("etcdPasswordFile", file, log);
  return { user, password };
}

function requireEtcd(store: string, options: EtcdOptions): void {
  if (/^etcds?:/.test(store)) return;
  const unfit = given(options, Object.keys(FLAGS) as (keyof EtcdOptions)[]);
  if (unfit === undefined) return;
  throw usage(
    `${unfit} is given, but the store is no etcd`,
    `leave it out (the environment counts too), or give --store etcds://HOST:PORT/PREFIX`,
  );
}

function requireBoth(options: EtcdOptions, one: keyof EtcdOptions, other: keyof EtcdOptions): void {
  if ((options[one] === undefined) === (options[other] === undefined)) return;
  const [present, missing] = options[one] === undefined ? [other, one] : [one, other];
  throw usage(
    `${FLAGS[present]} is given without ${FLAGS[missing]}`,
    `give ${FLAGS[one]} and ${FLAGS[other]}, or neither`,
  );
}

/** Flag of the first of these options that was given. */
function given(options: EtcdOptions, names: readonly (keyof EtcdOptions)[]): string | undefined {
  const name = names.find((each) => options[each] !== undefined);
  return name && FLAGS[name];
}

/** Options that name a file, and what it must hold. */
const EXPECTED = {
  etcdCa: "name a PEM file with the certificates of the authorities of etcd's servers",
  etcdCert: "name a PEM file with the client certificate, and its intermediates behind it",
  etcdKey: "name a PEM file with the client certificate's private key, not encrypted",
  etcdPasswordFile: "name a file with nothing but the password of etcd's user, on one line",
} as const;

async function readText(
  name: keyof typeof EXPECTED,
  file: string,
  bytesMax: number,
): Promise<string> {
  try {
    return await readInputText(file, FLAGS[name], bytesMax);
  } catch (cause) {
    if (cause instanceof QuorateError) throw usage(cause.message, EXPECTED[name]);
    throw cause;
  }
}

/** All certificates of a PEM file, at least one. */
function certificatesIn(
  name: "etcdCa" | "etcdCert",
  file: string,
  text: string,
): readonly X509Certificate[] {
  // A block that is cut off is found too, and is then no certificate.
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*(?:-----END CERTIFICATE-----)?/g);
  if (blocks === null) throw usage(`${FLAGS[name]} ${file} holds no certificate`, EXPECTED[name]);
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw usage(`${FLAGS[name]} ${file}: certificate ${index + 1} is malformed`, EXPECTED[name]);
    }
  });
}

function privateKeyIn(file: string, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    // Also for an encrypted key: nobody is there to type its passphrase when a coordinator restarts.
    throw usage(`--etcd-key ${file} holds no private key that can be used`, EXPECTED.etcdKey);
  }
}

const GROUP_AND_OTHERS = 0o077;

async function warnIfShared(
  name: "etcdKey" | "etcdPasswordFile",
  file: string,
  log: Logger,
): Promise<void> {
  const { mode } = await stat(file);
  if ((mode & GROUP_AND_OTHERS) === 0) return;
  log.warn(
    { flag: FLAGS[name], file, mode: (mode & 0o777).toString(8).padStart(4, "0") },
    "a secret's file is open to others than its owner: chmod 600",
  );
}

const DNS_NAME = /^[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*$/;

function usage(message: string, hint: string): QuorateError {
  return new QuorateError("usage", message, { hint });
}

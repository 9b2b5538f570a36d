/** The folder in which a workload finds its key, certificates and secret. */
import { randomBytes } from "node:crypto";
import { lstat, mkdir, open, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { QuorateError } from "../core/errors.ts";
import { Secret } from "../crypto/index.ts";

/** One consistent set of files. */
export interface Credentials {
  /** PKCS#8 PEM. */
  readonly privateKey: string;
  /** PEM: leaf, then the intermediate. */
  readonly certificateChain: string;
  /** PEM: everything to trust (root and mesh CA). */
  readonly trustBundle: string;
  /** PEM: trust this alone to accept the present manifest only. */
  readonly meshCa: string;
  /** PEM: trust this to accept future manifests of the lineage too. */
  readonly rootCa: string;
  /** The workload secret; absent if the policy names none. */
  readonly secret: Secret | undefined;
}

const FILES = {
  "tls.key": { mode: 0o600, of: (set: Credentials) => set.privateKey },
  "tls.crt": { mode: 0o644, of: (set: Credentials) => set.certificateChain },
  "trust-bundle.pem": { mode: 0o644, of: (set: Credentials) => set.trustBundle },
  "mesh-ca.pem": { mode: 0o644, of: (set: Credentials) => set.meshCa },
  "root-ca.pem": { mode: 0o644, of: (set: Credentials) => set.rootCa },
  secret: { mode: 0o600, of: (set: Credentials) => set.secret },
} as const;

/** The link through which every file is reached; renaming a new link over it switches all files at once. */
const CURRENT = "..current";
const SET_PREFIX = "..set-";

/**
 * Puts a new set of credentials in place in one step, the way Kubernetes updates mounted secrets: the files are links
 * through one link to a folder, and that one link is replaced by `rename(2)`. A workload that reads a key and a
 * certificate through an opened folder, or a crash at any moment, meets one set, whole.
 *
 * **Security:** key and secret have mode 0600 from the first byte, in a folder of mode 0700.
 * @throws QuorateError `invalid-argument` if the folder holds a file of ours that is not a link, or cannot be written.
 */
export async function writeCredentials(folder: string, set: Credentials): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const name = `${SET_PREFIX}${randomBytes(8).toString("hex")}`;
    await mkdir(path.join(folder, name), { mode: 0o700 });
    for (const [file, { mode, of }] of Object.entries(FILES)) {
      const content = of(set);
      if (content === undefined) continue;
      const handle = await open(path.join(folder, name, file), "wx", mode);
      try {
        await (content instanceof Secret
          ? content.use((bytes) => handle.writeFile(bytes))
          : handle.writeFile(content));
        await handle.sync();
      } finally {
        await handle.close();
      }
    }
    await replaceLink(folder, CURRENT, name);
    for (const [file, { of }] of Object.entries(FILES)) {
      if (of(set) === undefined) await removeLink(folder, file);
      else await replaceLink(folder, file, path.join(CURRENT, file));
    }
    await removeOldSets(folder, name);
  } catch (cause) {
    if (cause instanceof QuorateError) throw cause;
    throw new QuorateError(
      "invalid-argument",
      `credentials cannot be written to ${folder}: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
        hint: "choose a folder that this user can write, with room for a few small files",
      },
    );
  }
}

async function replaceLink(folder: string, name: string, target: string): Promise<void> {
  const file = path.join(folder, name);
  if (await isOurLink(file)) {
    if ((await readlink(file)) === target) return;
  }
  const temporary = path.join(folder, `${name}.${randomBytes(6).toString("hex")}.tmp`);
  await symlink(target, temporary);
  await rename(temporary, file);
}

async function removeLink(folder: string, name: string): Promise<void> {
  const file = path.join(folder, name);
  if (await isOurLink(file)) await rm(file);
}

/** False if there is nothing; refuses what is not a link, because replacing it would destroy somebody's file. */
async function isOurLink(file: string): Promise<boolean> {
  const stat = await lstat(file).catch((cause: unknown) => {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw cause;
  });
  if (stat === undefined) return false;
  if (stat.isSymbolicLink()) return true;
  throw new QuorateError("invalid-argument", `${file} exists and was not made by the sidecar`, {
    hint: "choose an empty folder for the sidecar",
  });
}

async function removeOldSets(folder: string, current: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith(SET_PREFIX) && name !== current)
      await rm(path.join(folder, name), { recursive: true, force: true });
  }
}

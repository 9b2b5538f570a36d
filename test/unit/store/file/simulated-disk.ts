/**
 * What a disk may hold after a power cut: the file operations of a traced run, of which only those that `fsync`
 * confirmed are certain to have survived.
 *
 * The rules are those of POSIX and no kinder: the bytes of a file are certain after an fsync of the file, its names
 * after an fsync of their folder; of the rest any part may be there, names in any order.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

/** One step of a traced run. Paths are relative to the traced folder; `claim` notes what the store promised. */
export type Step =
  | { readonly kind: "folder"; readonly name: string }
  | { readonly kind: "create"; readonly name: string; readonly inode: number }
  | { readonly kind: "write"; readonly inode: number; readonly bytes: Uint8Array }
  | { readonly kind: "sync-file"; readonly inode: number }
  | { readonly kind: "sync-folder"; readonly name: string }
  | { readonly kind: "link"; readonly inode: number; readonly name: string }
  | { readonly kind: "rename"; readonly inode: number; readonly from: string; readonly to: string }
  | { readonly kind: "unlink"; readonly name: string }
  | { readonly kind: "claim"; readonly claim: string };

/** A change of one name: to an inode, to a folder, or to nothing. */
type NameChange = { readonly name: string; readonly to: number | "folder" | undefined };

/** Chooses whether something that was not confirmed survived all the same. */
export type Luck = () => boolean;

/** Makes, in `target`, a state that the disk may be in after a power cut behind the given steps. */
export function materialise(steps: readonly Step[], luck: Luck, target: string): void {
  const written = new Map<number, Uint8Array>();
  const syncedFiles = new Set<number>();
  const names = new Map<string, number | "folder">();
  let pending: NameChange[] = [];
  const apply = ({ name, to }: NameChange): void => {
    if (to === undefined) names.delete(name);
    else names.set(name, to);
  };

  for (const step of steps) {
    switch (step.kind) {
      case "folder":
        pending.push({ name: step.name, to: "folder" });
        break;
      case "create":
        // The file system may give a removed file's inode number to a new one.
        written.delete(step.inode);
        syncedFiles.delete(step.inode);
        pending.push({ name: step.name, to: step.inode });
        break;
      case "link":
        pending.push({ name: step.name, to: step.inode });
        break;
      case "rename":
        pending.push({ name: step.to, to: step.inode }, { name: step.from, to: undefined });
        break;
      case "unlink":
        pending.push({ name: step.name, to: undefined });
        break;
      case "write":
        written.set(step.inode, step.bytes);
        syncedFiles.delete(step.inode);
        break;
      case "sync-file":
        syncedFiles.add(step.inode);
        break;
      case "sync-folder":
        for (const change of pending.filter(({ name }) => path.dirname(name) === step.name))
          apply(change);
        pending = pending.filter(({ name }) => path.dirname(name) !== step.name);
        break;
      case "claim":
        break;
    }
  }
  for (const change of pending) if (luck()) apply(change);

  for (const [name, to] of [...names].sort(([a], [b]) => a.length - b.length)) {
    // A name in a folder whose own name did not survive is lost with it.
    if (path.dirname(name) !== "." && names.get(path.dirname(name)) !== "folder") continue;
    if (to === "folder") mkdirSync(path.join(target, name), { mode: 0o700 });
    else writeFileSync(path.join(target, name), survivingBytes(to));
  }

  function survivingBytes(inode: number): Uint8Array {
    const bytes = written.get(inode) ?? new Uint8Array();
    if (syncedFiles.has(inode) || luck()) return bytes;
    return bytes.subarray(0, bytes.length >> 1);
  }
}

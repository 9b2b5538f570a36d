import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { UserRecovery } from "../../src/authority/user-recovery.ts";
import { formatAddress } from "../../src/config/address.ts";
import { QuorateError } from "../../src/core/errors.ts";
import { ALICE, MeshWorld } from "../fixtures/mesh.ts";
import { setOverApi, startCoordinator } from "../fixtures/running.ts";
import { ScriptedStore } from "../fixtures/scripted-store.ts";
import { inProcess } from "./in-process.ts";

/** A restarted coordinator, and what Alice needs to submit her share to it. */
async function restarted() {
  const world = await MeshWorld.create();
  const first = await startCoordinator(world);
  await setOverApi(first, world.manifest());
  await first.coordinator.stop();
  const { coordinator, user } = await startCoordinator(
    world,
    new ScriptedStore(first.store.backing),
  );
  const folder = await mkdtemp(path.join(tmpdir(), "quorate-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const key = path.join(folder, "alice-share.key.pem");
  await writeFile(key, ALICE.shareKey.export({ type: "pkcs8", format: "pem" }));
  const connect = [
    ...["-c", formatAddress(coordinator.userAddress), "--accept-insecure-dev-attestation"],
  ];
  const verified = path.join(folder, "verified");
  const { head } = await user.getStatus({});
  const pins = ["--lineage", head?.lineage ?? ""];
  const { code, stderr } = await inProcess(["verify", "--out", verified, ...pins, ...connect]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return ["recover", "--share-key", key, "--verified", verified, ...connect];
}

describe("quorate recover", () => {
  it("is refused while another coordinator is ready, and goes on with --force", async () => {
    const recover = await restarted();
    const submit = Reflect.get(UserRecovery.prototype, "submit");
    // As a coordinator answers that has a ready one in reach.
    const refusing = vi.spyOn(UserRecovery.prototype, "submit").mockImplementation(function (
      this: UserRecovery,
      submission,
    ) {
      if (submission.force) return submit.call(this, submission);
      const hint = "quorate recover --force opens a new epoch";
      throw new QuorateError("already-exists", "coordinator-1 is ready", { hint });
    });
    onTestFinished(() => {
      refusing.mockRestore();
    });
    expect(await inProcess(recover)).toEqual({
      code: 6,
      stdout: "",
      stderr: "error: coordinator-1 is ready\nhint: quorate recover --force opens a new epoch\n",
    });
    const forced = await inProcess([...recover, "--force", "-o", "json"]);
    expect(forced).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(forced.stdout)).toMatchObject({ received: 1, recovered: false });
  });
});

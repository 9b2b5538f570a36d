/** Who gets the mesh's secrets from a coordinator, and when it gives none. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { QuorateError } from "../../../src/core/errors.ts";
import { SeedEngine } from "../../../src/crypto/index.ts";
import { Secret } from "../../../src/crypto/secret.ts";
import { concat } from "../../../src/core/bytes.ts";
import type { RecoverResponse } from "../../../src/gen/quorate/meshapi/v1/mesh_pb.ts";
import { AuditLog } from "../../../src/observability/audit.ts";
import { recoverService } from "../../../src/services/recover-api.ts";
import { failureOf, linesInto, MeshWorld, type TestCoordinator } from "../../fixtures/mesh.ts";

let world: MeshWorld;
beforeAll(async () => {
  world = await MeshWorld.create();
});
afterAll(() => world.close());

let giver: TestCoordinator;
let audited: string[];
beforeEach(async () => {
  giver = await world.ready({ coordinators: ["coordinator-0"] });
  audited = [];
});

/** Asks for the secrets in a session of a peer that proved itself so. */
async function recover(
  asked: { readonly name?: string; readonly head?: string } = {},
  peer: { readonly proof?: string; readonly refused?: QuorateError } = {},
): Promise<RecoverResponse> {
  const audit = new AuditLog(linesInto(audited), () => world.now);
  const { implementation } = recoverService({ authority: giver.authority, audit });
  const handler = implementation["recover"] as (
    request: object,
    context: object,
  ) => Promise<RecoverResponse>;
  const { refused } = peer;
  const requireCoordinator = () =>
    refused === undefined ? Promise.resolve() : Promise.reject(refused);
  const proved = { proof: peer.proof ?? "fresh-quote", claims: { requireCoordinator } };
  return handler(
    {
      name: asked.name ?? "coordinator-0",
      headRecordHash: asked.head ?? giver.history.recordHash,
    },
    { session: { kind: "attested", remote: "192.0.2.1:1", peer: proved } },
  );
}

/** What refused it, with the certainty that nothing was given. */
async function refusal(...asked: Parameters<typeof recover>): Promise<QuorateError> {
  const error = await failureOf(recover(...asked));
  expect(audited).toEqual([]);
  return error;
}

describe("The secrets of a mesh", () => {
  it("are those of the record in force, and giving them is audited", async () => {
    const { seed, salt, meshCaKey, record } = await recover();
    expect(new SeedEngine(Secret.take(concat(seed, salt))).lineage).toBe(giver.history.lineage);
    const key = giver.authority.state!.payload.meshCa.exportPrivateKey();
    expect(key.use((bytes) => Buffer.from(bytes).equals(meshCaKey))).toBe(true);
    expect(record).toEqual(giver.history.head.head.bytes);
    expect(audited.join()).toContain('"secrets-given"');
  });

  it("are not given without a quote that was made for the session", async () => {
    expect(await refusal({}, { proof: "instance" })).toMatchObject({ code: "unauthenticated" });
  });

  it("are not given to whom the manifest does not accept as a coordinator, or does not name", async () => {
    const refused = new QuorateError("attestation-failed", "another measurement");
    expect(await refusal({}, { refused })).toBe(refused);
    const error = await refusal({ name: "coordinator-9" });
    expect(error).toMatchObject({ code: "not-authorised" });
  });

  it("are not given for another head than the caller verified", async () => {
    const error = await refusal({ head: "f".repeat(64) });
    expect(error).toMatchObject({ code: "head-moved" });
  });

  it("are not given while the store shows a fork, or nothing at all", async () => {
    const { backing } = giver.store;
    const { head } = backing;
    backing.head = (await world.ready()).store.backing.head;
    expect(await refusal()).toMatchObject({ code: "fork" });
    backing.head = head;
    expect((await recover()).seed).toHaveLength(64);
    audited = [];
    giver.store.onReadHead = () => Promise.reject(new QuorateError("unavailable", "away"));
    expect(await refusal()).toMatchObject({ code: "unavailable" });
  });

  it("are not given by a coordinator that the history has moved past", async () => {
    const older = giver.history;
    const other = await world.coordinator(giver.store);
    await other.recover();
    const error = await refusal({ head: older.recordHash });
    expect(error).toMatchObject({ code: "recovery-needed" });
  });
});

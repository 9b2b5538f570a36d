/** What counts towards a majority, with peers that answer whatever a test wants. */
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Verdict } from "../../../src/attestation/index.ts";
import type { Enforced } from "../../../src/authority/enforced.ts";
import type { Sha256 } from "../../../src/core/brand.ts";
import { type ErrorCode, QuorateError } from "../../../src/core/errors.ts";
import { StandingSchema } from "../../../src/gen/quorate/peerapi/v1/peer_pb.ts";
import { Mode } from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { type ConnectedPeer, PeerGroup } from "../../../src/recovery/peer-group.ts";
import { parseStanding, type PeerStanding } from "../../../src/recovery/peer-standing.ts";
import { generateInstance } from "../../../src/transport/instance-identity.ts";
import { failureOf, MeshWorld } from "../../fixtures/mesh.ts";
import { ScriptedStore } from "../../fixtures/scripted-store.ts";

const NAMES = ["coordinator-0", "coordinator-1", "coordinator-2"];
const PATIENCE = { reachMs: 20, durableMs: 20 };
const OTHER_RECORD = "f".repeat(64) as Sha256;
/** What else a verdict says is of no interest here. */
const COORDINATOR = { identity: { role: "coordinator" } } as Verdict;

let world: MeshWorld;
/** Enforces a manifest that names {@link NAMES}. */
let state: Enforced;

beforeAll(async () => {
  world = await MeshWorld.create();
  const store = new ScriptedStore();
  const [own] = await Promise.all(
    NAMES.map((name) => world.coordinator(new ScriptedStore(store.backing), { name })),
  );
  // In force, although nobody else ever holds its secrets.
  void own?.genesis(world.manifest({ coordinators: NAMES })).catch(() => undefined);
  state = await vi.waitFor(() => {
    const payload = own?.authority.state?.payload;
    if (payload === undefined) throw new Error("not yet");
    return payload;
  });
});
afterAll(() => world.close());

interface PeerChoices {
  readonly standing?: Partial<PeerStanding>;
  /** @default takes every key */
  readonly refuses?: ErrorCode;
}

/** A coordinator of the manifest that enforces {@link state}. */
async function peer(name: string, { standing, refuses }: PeerChoices = {}): Promise<ConnectedPeer> {
  const { history, recordHash } = state;
  const ready = create(StandingSchema, {
    mode: Mode.READY,
    lineage: history.lineage,
    heldRecord: recordHash,
    heldGeneration: BigInt(history.record.generation),
    heldEpoch: BigInt(history.record.epoch),
  });
  const account: PeerStanding = { ...parseStanding(ready), ...standing };
  return {
    instance: (await generateInstance(name)).keys,
    standing: account,
    judge: () => Promise.resolve(COORDINATOR),
    ask: () => Promise.resolve(account),
    prepare: () =>
      refuses === undefined ? Promise.resolve() : Promise.reject(new QuorateError(refuses, "no")),
  };
}

function groupOf(name: string, ...peers: readonly ConnectedPeer[]): PeerGroup {
  const source = { connected: () => peers, onChange: () => () => undefined };
  return new PeerGroup(name, source, PATIENCE);
}

const agrees = (group: PeerGroup) => group.agreesOnNewest(state.history, state.policy);
const nothingCovered = () => false;

describe("The newest record", () => {
  it("is what a majority of the names holds, or was given to prepare", async () => {
    const holder = await peer("coordinator-1");
    expect(await agrees(groupOf("coordinator-0", holder))).toBe(true);
    const preparedRecords = [state.recordHash];
    const prepared = await peer("coordinator-1", {
      standing: { heldRecord: OTHER_RECORD, preparedRecords },
    });
    expect(await agrees(groupOf("coordinator-0", prepared))).toBe(true);
    const behind = await peer("coordinator-1", { standing: { heldRecord: OTHER_RECORD } });
    expect(await agrees(groupOf("coordinator-0", behind))).toBe(false);
  });

  it("is no longer that of a peer which knows that the history has moved past it", async () => {
    const stale = await peer("coordinator-1", { standing: { mode: "stale" } });
    expect(await agrees(groupOf("coordinator-0", stale))).toBe(false);
  });

  it("counts a name once, and nobody whom the manifest does not name", async () => {
    const behind = { standing: { heldRecord: OTHER_RECORD } };
    const others = await Promise.all([
      peer("coordinator-0"),
      peer("coordinator-9"),
      peer("coordinator-1", behind),
      peer("coordinator-2", behind),
    ]);
    expect(await agrees(groupOf("coordinator-0", ...others))).toBe(false);
    expect(await agrees(groupOf("coordinator-9", await peer("coordinator-1")))).toBe(false);
  });
});

describe("A change is durable", () => {
  it("once a majority of the names hold it, nobody else counted", async () => {
    const one = await peer("coordinator-1");
    await groupOf("coordinator-0", one).awaitDurable(state, nothingCovered);
    const stranger = groupOf("coordinator-9", one);
    const error = await failureOf(stranger.awaitDurable(state, nothingCovered));
    expect(error).toMatchObject({ code: "not-durable" });
    expect(error.message).toContain("1 of 3");
  });
});

describe("A prepared key", () => {
  const prepare = async (...choices: readonly PeerChoices[]): Promise<void> => {
    const peers = choices.map((each, index) => peer(`coordinator-${index + 1}`, each));
    const group = groupOf("coordinator-0", ...(await Promise.all(peers)));
    await group.prepare({ base: state, next: state, documents: [] });
  };

  it("goes to as many as make a majority with the one who made it", async () => {
    await prepare({}, {});
    await prepare({}, { refuses: "deadline-exceeded" });
    await prepare({}, { refuses: "verification-failed" });
  });

  it("goes to nobody where nobody else holds the predecessor", async () => {
    await prepare({ refuses: "recovery-needed" }, { refuses: "not-ready" });
    await prepare({ refuses: "head-moved" });
  });

  it.each(["verification-failed", "deadline-exceeded", "unreachable", "unavailable"] as const)(
    "that nobody took is with its maker alone: no change while peers in session answer %s",
    async (refuses) => {
      const error = await failureOf(prepare({ refuses }, { refuses: "recovery-needed" }));
      expect(error).toMatchObject({ code: "unavailable" });
    },
  );
});

describe("A ready peer", () => {
  it("is also an older instance of one's own name, which holds what this one lacks", async () => {
    const older = await peer("coordinator-0");
    const group = groupOf("coordinator-0", older);
    expect(await group.readyPeer(state.history, state.policy)).toBe("coordinator-0");
    expect(await failureOf(group.requireNoLineage(state))).toMatchObject({
      code: "already-exists",
    });
  });
});

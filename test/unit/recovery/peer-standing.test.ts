import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { PEER_VERSION_CHARACTERS_MAX, PREPARES_MAX } from "../../../src/core/limits.ts";
import { StandingSchema } from "../../../src/gen/quorate/peerapi/v1/peer_pb.ts";
import { Platform } from "../../../src/gen/quorate/common/v1/evidence_pb.ts";
import { Mode } from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { parseStanding, sameStanding } from "../../../src/recovery/peer-standing.ts";

type Fields = MessageInitShape<typeof StandingSchema>;

const HASH = "ab".repeat(32);
const READY: Fields = {
  mode: Mode.READY,
  lineage: "cd".repeat(32),
  heldRecord: HASH,
  heldGeneration: 7n,
  heldEpoch: 2n,
  preparedRecords: ["ef".repeat(32)],
  version: "1.2.3-rc.1",
  platform: { platform: Platform.TDX, development: true },
  lackingDocument: "01".repeat(32),
  suspended: true,
};
const parse = (changes: Fields = {}) =>
  parseStanding(create(StandingSchema, { ...READY, ...changes } as Fields));

/** A value of an open enum that this version does not know. */
const NEWER: unknown = 99;

describe("a peer's account of itself", () => {
  it("is what it says, in our own words", () => {
    expect(parse()).toEqual({
      mode: "ready",
      lineage: "cd".repeat(32),
      heldRecord: HASH,
      heldGeneration: 7,
      heldEpoch: 2,
      preparedRecords: ["ef".repeat(32)],
      version: "1.2.3-rc.1",
      platform: { platform: "tdx", development: true },
      lackingDocument: "01".repeat(32),
      suspended: true,
    });
  });

  it("may have nothing but a mode", () => {
    const account = parseStanding(create(StandingSchema, { mode: Mode.UNINITIALIZED }));
    expect(account).toEqual({
      ...{ mode: "uninitialized", lineage: undefined, heldRecord: undefined },
      ...{ heldGeneration: 0, heldEpoch: 0, preparedRecords: [], version: "", platform: undefined },
      ...{ lackingDocument: undefined, suspended: false },
    });
  });

  it("has every mode of the protocol", () => {
    const modes = [
      Mode.UNINITIALIZED,
      Mode.READY,
      Mode.STALE,
      Mode.AWAITING_RECOVERY,
      Mode.ACTIVATING,
    ];
    expect(modes.map((mode) => parse({ mode }).mode)).toEqual([
      ...["uninitialized", "ready", "stale", "awaiting-recovery", "activating"],
    ]);
  });

  it("may name a platform of a newer version, which is none to us", () => {
    expect(parse({ platform: { platform: NEWER as Platform } }).platform).toBeUndefined();
  });

  it.each<[string, Fields]>([
    ["its mode is unknown", { mode: Mode.UNSPECIFIED }],
    ["its mode is unknown", { mode: NEWER as Mode }],
    ["its lineage is not a hash", { lineage: HASH.toUpperCase() }],
    ["its lacking document is not a hash", { lackingDocument: "all" }],
    ["its record is not a hash", { heldRecord: `${HASH}0` }],
    ["its generation is out of range", { heldGeneration: 0n }],
    ["its generation is out of range", { heldGeneration: 2n ** 53n }],
    ["its epoch is out of range", { heldEpoch: 0n }],
    ["its epoch is out of range", { heldEpoch: 2n ** 64n - 1n }],
    ["its generation is out of range", { mode: Mode.STALE, heldRecord: "" }],
    ["its epoch is out of range", { mode: Mode.STALE, heldRecord: "", heldGeneration: 0n }],
    ["it holds a record of no lineage", { lineage: "" }],
    ["it is ready without a record", { heldRecord: "", heldGeneration: 0n, heldEpoch: 0n }],
    ["a prepared record is not a hash", { preparedRecords: [HASH, ""] }],
    [
      "it names too many prepared records",
      { preparedRecords: Array<string>(PREPARES_MAX + 1).fill(HASH) },
    ],
    ["its version is not a short text", { version: "v".repeat(PEER_VERSION_CHARACTERS_MAX + 1) }],
    ["its version is not a short text", { version: "1.2\u001b[2J" }],
  ])("is refused because %s", (reason, changes) => {
    expect(() => parse(changes)).toThrow(
      expect.objectContaining({
        code: "protocol",
        message: `the peer's account of itself is malformed: ${reason}`,
      }),
    );
  });

  it("is refused if it is missing", () => {
    expect(() => parseStanding(undefined)).toThrow("it is missing");
  });

  it("is the same as another one only if every field is", () => {
    expect(sameStanding(parse(), parse())).toBe(true);
    const others: Fields[] = [
      { mode: Mode.STALE },
      { lineage: "11".repeat(32) },
      { heldRecord: "11".repeat(32) },
      { heldGeneration: 8n },
      { heldEpoch: 3n },
      { preparedRecords: [] },
      { version: "" },
      { platform: { platform: Platform.TDX, development: false } },
    ];
    for (const change of others) expect(sameStanding(parse(), parse(change))).toBe(false);
  });
});

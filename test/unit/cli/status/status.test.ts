import { PassThrough } from "node:stream";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { Screen } from "../../../../src/cli/status/screen.ts";
import { statusJson } from "../../../../src/cli/status/status-json.ts";
import { statusText } from "../../../../src/cli/status/status-text.ts";
import { Platform } from "../../../../src/gen/quorate/common/v1/evidence_pb.ts";
import { GetStatusResponseSchema, Mode } from "../../../../src/gen/quorate/userapi/v1/user_pb.ts";

const NOW = Date.parse("2026-05-04T12:00:00Z");
const RECORD = "0123456789abcdef".repeat(4);
const INSTANCE = "fedcba9876543210".repeat(2);

type Fields = Exclude<MessageInitShape<typeof GetStatusResponseSchema>, { $typeName: string }>;

const status = (fields: Fields = {}) =>
  create(GetStatusResponseSchema, {
    mode: Mode.READY,
    instance: { id: INSTANCE, name: "coordinator-0" },
    version: "1.2.3",
    startedAt: timestampFromMs(NOW - 65_000),
    platform: { platform: Platform.SNP, development: true },
    head: {
      lineage: "ab".repeat(32),
      recordHash: RECORD,
      generation: 3n,
      epoch: 2n,
      manifestHash: "cd".repeat(32),
      recoveryCount: 1n,
    },
    store: { description: "etcd", condition: "fine" },
    ...fields,
  });

const READY_PEER = {
  ...{ address: "10.0.0.2:7778", mode: Mode.READY, name: "coordinator-1", instanceId: INSTANCE },
  ...{ heldRecord: RECORD, generation: 3n, epoch: 2n, version: "1.2.3", problem: "" },
  platform: { platform: Platform.TDX, development: false },
};
const LOST_PEER = { address: "[2001:db8::7]:7778", problem: "the connection is refused" };

describe("The status for people", () => {
  it("shows what a coordinator says of itself, a row each, and no table without peers", () => {
    expect(statusText(status(), NOW)).toBe(
      `state:        ready
coordinator:  coordinator-0, instance ${INSTANCE}, version 1.2.3
platform:     snp (simulated: INSECURE)
running for:  1m 5s
generation:   3, epoch 2, recoveries 1
manifest:     ${"cd".repeat(32)}
record:       ${RECORD}
lineage:      ${"ab".repeat(32)}
store:        etcd: fine`,
    );
  });

  it("shows the other coordinators in an aligned table below", () => {
    const text = statusText(status({ peers: [READY_PEER, LOST_PEER] }), NOW);
    expect(text.split("\n").slice(-4)).toEqual([
      "",
      "peer           address             state         generation/epoch  record        instance  version  problem",
      "coordinator-1  10.0.0.2:7778       ready         3/2               0123456789ab  fedcba98  1.2.3    -",
      "-              [2001:db8::7]:7778  out of reach  -                 -             -         -        the connection is refused",
    ]);
  });

  it.each([
    [{ from: "coordinator-1", millis: 45 }, "from coordinator-1 in 45 ms, 30s ago"],
    [{ from: "", millis: 0 }, "from share owners, 30s ago"],
  ])("says how the secrets came here: %j", (how, words) => {
    const lastRecovery = { ...how, recordHash: RECORD, at: timestampFromMs(NOW - 30_000) };
    expect(statusText(status({ lastRecovery }), NOW)).toContain(
      `recovered:    ${words}, under record 0123456789ab`,
    );
  });

  it("lets no text of a coordinator steer the terminal or break the table", () => {
    const problem = "\u001b[2J\u202eevil\nstate: ready\u0085";
    const text = statusText(
      status({ suspended: problem, version: "1\u0007", peers: [{ ...LOST_PEER, problem }] }),
      NOW,
    );
    expect(text).not.toMatch(/[^\n\x20-\x7e\ufffd]/);
    expect(text.match(/^state:/gm)).toHaveLength(1);
  });
});

describe("The status for programs", () => {
  it("has what a coordinator says of its peers and of its recovery", () => {
    const lastRecovery = { from: "coordinator-1", millis: 45, recordHash: RECORD };
    const value = statusJson(
      status({
        peers: [READY_PEER, LOST_PEER],
        lastRecovery: { ...lastRecovery, at: timestampFromMs(NOW) },
      }),
    );
    expect(JSON.parse(JSON.stringify(value))).toMatchObject({
      mode: "ready",
      name: "coordinator-0",
      head: { record: RECORD, generation: 3, epoch: 2 },
      recovery: null,
      lastRecovery: {
        ...{ from: "coordinator-1", record: RECORD, millis: 45 },
        at: "2026-05-04T12:00:00.000Z",
      },
      peers: [
        {
          ...{ address: "10.0.0.2:7778", name: "coordinator-1", instance: INSTANCE },
          ...{ mode: "ready", record: RECORD, generation: 3, epoch: 2, version: "1.2.3" },
          ...{ platform: "tdx", development: false, problem: "" },
        },
        {
          ...{ address: "[2001:db8::7]:7778", name: null, instance: null, mode: null },
          ...{ record: null, generation: 0, epoch: 0, version: null, platform: null },
          ...{ development: null, problem: "the connection is refused" },
        },
      ],
    });
  });

  it("has no peers and no recovery, rather than no word of them", () => {
    expect(statusJson(status())).toMatchObject({ peers: [], lastRecovery: null });
    const fromOwners = { recordHash: RECORD, at: timestampFromMs(NOW) };
    expect(statusJson(status({ lastRecovery: fromOwners }))).toMatchObject({
      lastRecovery: { from: null, record: RECORD, millis: 0 },
    });
  });
});

describe("A screen", () => {
  function screen(terminal: { readonly isTTY?: boolean; readonly columns?: number }) {
    let written = "";
    const out = new PassThrough().on("data", (chunk: Buffer) => (written += chunk.toString()));
    Object.assign(out, terminal);
    return { screen: new Screen(out), written: () => written };
  }

  it("puts each text in the place of the one before, however many rows that took", () => {
    const terminal = screen({ isTTY: true, columns: 10 });
    // Two rows, one empty row, one row.
    terminal.screen.show(`${"x".repeat(11)}\n\nlast`);
    terminal.screen.show("short");
    terminal.screen.show("again");
    expect(terminal.written()).toBe(
      `${"x".repeat(11)}\n\nlast\n\u001b[4A\r\u001b[Jshort\n\u001b[1A\r\u001b[Jagain\n`,
    );
  });

  it("writes one text below the other where there is no terminal", () => {
    const file = screen({});
    file.screen.show("one");
    file.screen.show("two");
    expect(file.written()).toBe("one\ntwo\n");
  });
});

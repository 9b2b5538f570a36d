import { describe, expect, it } from "vitest";
import { utf8 } from "../../../../src/core/bytes.ts";
import { NO_DATA, type Entry, type Message } from "../../../../src/core/raft/index.ts";
import { Cluster } from "../../../support/raft/cluster.ts";

const envelope = { groupId: "group", from: "a", to: "b", term: 1 } as const;

function entry(term: number, index: number): Entry {
  return { kind: "normal", term, index, data: NO_DATA };
}

const append: Message = {
  ...envelope,
  type: "append",
  previous: { term: 1, index: 2 },
  entries: [entry(1, 3)],
  commit: 2,
  minimumMatch: 0,
};

/** A group of three in which `a` leads term 1 and everything is known to everybody. */
function settled(): Cluster {
  const cluster = new Cluster(["a", "b", "c"]);
  cluster.elect("a");
  return cluster;
}

describe("a message that no correct node sends is an error and changes nothing", () => {
  it.each<{ name: string; message: Message }>([
    { name: "for somebody else", message: { ...append, to: "c" } },
    { name: "from oneself", message: { ...append, from: "b" } },
    { name: "a negative term", message: { ...append, term: -1 } },
    { name: "a fractional term", message: { ...append, term: 1.5 } },
    { name: "no number for a term", message: { ...append, term: Number.NaN } },
    { name: "a gap in its entries", message: { ...append, entries: [entry(1, 4)] } },
    { name: "falling terms", message: { ...append, term: 3, entries: [entry(3, 3), entry(2, 4)] } },
    { name: "an entry of a later term", message: { ...append, entries: [entry(2, 3)] } },
    { name: "another leader of the term", message: { ...append, from: "c" } },
    {
      name: "a changed committed entry",
      message: {
        ...append,
        term: 2,
        previous: { term: 0, index: 1 },
        entries: [entry(2, 2), entry(2, 3)],
      },
    },
    {
      name: "a commit beyond the log",
      message: { ...envelope, type: "heartbeat", commit: 99, readRound: 0, minimumMatch: 0 },
    },
    {
      name: "a round that is no number",
      message: { ...envelope, type: "heartbeat", commit: 0, readRound: Infinity, minimumMatch: 0 },
    },
    {
      name: "a vote for a log of a later term",
      message: {
        ...envelope,
        type: "vote",
        last: { term: 2, index: 9 },
        commit: { term: 0, index: 0 },
        transfer: false,
      },
    },
    {
      name: "a snapshot that ends nowhere",
      message: {
        ...envelope,
        type: "snapshot",
        snapshot: {
          index: 0,
          term: 1,
          data: NO_DATA,
          configuration: settled().node("a").status().configuration,
        },
      },
    },
  ])("$name", ({ message }) => {
    const { raft } = settled().member("b");
    const term = message.term === 2 ? 2 : 1;
    const before = { ...raft.status(), term, vote: undefined, leader: undefined };
    const stepped = raft.step(message);
    expect(stepped.ok).toBe(false);
    if (!stepped.ok) expect(stepped.error.code).toBe("protocol");
    const after = { ...raft.status(), vote: undefined, leader: undefined };
    if (term === 1) expect(after).toEqual(before);
    expect(after.last).toEqual(before.last);
    expect(after.commit).toBe(before.commit);
  });

  it("an acknowledgement of what was never sent", () => {
    const { raft } = settled().member("a");
    const stepped = raft.step({
      ...envelope,
      from: "b",
      to: "a",
      type: "append-accepted",
      index: 99,
    });
    expect(stepped.ok).toBe(false);
    expect(raft.commit).toBe(2);
  });
});

describe("a message of another group", () => {
  it("is dropped and answered with the known head", () => {
    const cluster = settled();
    const { raft } = cluster.member("b");
    raft.setKnownHead(utf8("head"));
    const before = raft.status();
    expect(raft.step({ ...append, groupId: "other", term: 99 }).ok).toBe(true);
    expect(raft.status()).toEqual(before);
    cluster.flush("b");
    expect(cluster.network).toEqual([
      {
        type: "other-group",
        groupId: "group",
        from: "b",
        to: "a",
        term: 0,
        head: utf8("head"),
      },
    ]);
  });

  it("an answer to it is told to the host and never answered", () => {
    const { raft } = settled().member("b");
    raft.step({ ...envelope, groupId: "other", type: "other-group", head: utf8("newer") });
    const ready = raft.ready();
    expect(ready.otherGroups).toEqual([{ from: "a", groupId: "other", head: utf8("newer") }]);
    expect(ready.messages).toEqual([]);
    raft.advance(ready);
  });

  it("a flood of answers is bounded", () => {
    const { raft } = settled().member("b");
    for (let time = 0; time < 1_000; time++) {
      raft.step({ ...envelope, groupId: "other", type: "other-group", head: undefined });
    }
    expect(raft.ready().otherGroups).toHaveLength(16);
  });
});

describe("an append", () => {
  it("at or below the commit index is acknowledged with what it proves, whatever the log has behind", () => {
    const cluster = settled();
    for (const text of ["x", "y", "z"]) cluster.propose("a", text);
    cluster.settle();
    cluster.node("b").compact(4);
    expect(
      cluster.node("b").step({
        ...envelope,
        type: "append",
        previous: { term: 0, index: 1 },
        entries: [entry(1, 2), entry(1, 3)],
        commit: 1,
        minimumMatch: 0,
      }).ok,
    ).toBe(true);
    cluster.flush("b");
    expect(cluster.network).toMatchObject([{ type: "append-accepted", index: 3 }]);
    expect(cluster.node("b").commit).toBe(5);
  });

  it("that reaches over the commit index brings only what is new", () => {
    const cluster = settled();
    cluster.node("b").step({
      ...envelope,
      type: "append",
      previous: { term: 0, index: 1 },
      entries: [entry(1, 2), entry(1, 3)],
      commit: 9,
      minimumMatch: 0,
    });
    cluster.flush("b");
    expect(cluster.network).toMatchObject([{ type: "append-accepted", index: 3 }]);
    // The commit index follows no further than the message.
    expect(cluster.node("b").commit).toBe(3);
  });
});

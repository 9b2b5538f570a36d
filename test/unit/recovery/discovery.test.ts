import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Address } from "../../../src/config/address.ts";
import { PEER_ADDRESSES_MAX } from "../../../src/core/limits.ts";
import { createLog } from "../../../src/observability/log.ts";
import { Discovery, type Lookup } from "../../../src/recovery/discovery.ts";
import { linesInto } from "../../fixtures/mesh.ts";

type Answer = readonly string[] | Error;

/** A resolver that answers what the test says, and a discovery over it. */
function discover(peers: readonly Address[], names: Record<string, Answer> = {}) {
  const logged: string[] = [];
  const asked: string[] = [];
  const lookup: Lookup = (host) => {
    asked.push(host);
    const answer = names[host] ?? [];
    if (answer instanceof Error) return Promise.reject(answer);
    return Promise.resolve(answer.map((address) => ({ address })));
  };
  const log = createLog({ level: "debug", format: "json", destination: linesInto(logged) });
  const discovery = new Discovery({ peers, log, lookup, lookupMs: 1 });
  onTestFinished(() => discovery.close());
  return { discovery, names, asked, logged };
}

const at = (host: string, port = 7778): Address => ({ host, port });
const dnsError = (code: string) => Object.assign(new Error(`queryA ${code}`), { code });
/** Until two more lookups have been asked for: the answer of the first of them has been taken by then. */
async function nextAnswer(asked: readonly string[], host: string): Promise<void> {
  const count = () => asked.filter((each) => each === host).length;
  const before = count();
  await vi.waitFor(() => expect(count()).toBeGreaterThanOrEqual(before + 2));
}

describe("the addresses of peers", () => {
  it("are there at once where they are given as IP addresses, which are never looked up", () => {
    const { discovery, asked } = discover([at("10.0.0.1"), at("fd00::1", 9), at("10.0.0.1")]);
    expect(discovery.addresses()).toEqual(["10.0.0.1:7778", "[fd00::1]:9"]);
    expect(asked).toEqual([]);
  });

  it("are all those of a name, sorted, in the order of the configuration", async () => {
    const { discovery } = discover([at("mesh"), at("10.0.0.9", 1)], {
      mesh: ["fd00::2", "10.0.0.2", "10.0.0.1"],
    });
    expect(discovery.addresses()).toEqual(["10.0.0.9:1"]);
    await vi.waitFor(() => expect(discovery.addresses()).toHaveLength(4));
    expect(discovery.addresses()).toEqual([
      ...["10.0.0.1:7778", "10.0.0.2:7778", "[fd00::2]:7778", "10.0.0.9:1"],
    ]);
  });

  it("follow the name, and tell changes only", async () => {
    const { discovery, names, asked } = discover([at("mesh")], { mesh: ["10.0.0.1"] });
    const seen: string[] = [];
    discovery.onChange(() => seen.push(discovery.addresses().join()));
    await nextAnswer(asked, "mesh");
    names["mesh"] = ["10.0.0.2", "10.0.0.1"];
    await nextAnswer(asked, "mesh");
    names["mesh"] = ["10.0.0.1", "10.0.0.2"];
    await nextAnswer(asked, "mesh");
    names["mesh"] = [];
    await nextAnswer(asked, "mesh");
    expect(seen).toEqual(["10.0.0.1:7778", "10.0.0.1:7778,10.0.0.2:7778", ""]);
  });

  it("stay while a name can't be looked up, which is logged once for each reason", async () => {
    const { discovery, names, asked, logged } = discover([at("mesh"), at("other")], {
      mesh: ["10.0.0.1"],
      other: ["10.0.0.2"],
    });
    await vi.waitFor(() => expect(discovery.addresses()).toHaveLength(2));
    for (const answer of [dnsError("ENOTFOUND"), dnsError("EAI_AGAIN"), ["10.0.0.3"]]) {
      names["mesh"] = answer;
      await nextAnswer(asked, "mesh");
      await nextAnswer(asked, "mesh");
      const expected = Array.isArray(answer) ? "10.0.0.3:7778" : "10.0.0.1:7778";
      expect(discovery.addresses()).toEqual([expected, "10.0.0.2:7778"]);
    }
    expect(logged.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { level: "warn", host: "mesh", reason: "ENOTFOUND" },
      { level: "warn", host: "mesh", reason: "EAI_AGAIN" },
      { level: "info", host: "mesh", msg: "peers are found again" },
    ]);
  });

  it("are bounded, and always the same ones of too many", async () => {
    const many = Array.from({ length: 200 }, (_, i) => `10.0.${i}.1`);
    const { discovery, names, asked, logged } = discover([at("mesh")], { mesh: many });
    await vi.waitFor(() => expect(discovery.addresses()).toHaveLength(PEER_ADDRESSES_MAX));
    const first = discovery.addresses();
    names["mesh"] = [...many].reverse();
    await nextAnswer(asked, "mesh");
    expect(discovery.addresses()).toBe(first);
    expect(logged.filter((line) => line.includes("too many"))).toHaveLength(1);
  });

  it("can't be configured beyond that bound", () => {
    const many = Array.from({ length: PEER_ADDRESSES_MAX + 1 }, (_, i) => at(`10.0.${i}.1`));
    expect(() => discover(many)).toThrow(expect.objectContaining({ code: "usage" }));
  });

  it("are not followed any more once it is closed, not even by a lookup under way", async () => {
    let answer: (addresses: readonly { readonly address: string }[]) => void = () => undefined;
    let asked = 0;
    const lookup: Lookup = () => {
      asked += 1;
      return new Promise((resolve) => (answer = resolve));
    };
    const log = createLog({ level: "silent", format: "json", destination: linesInto([]) });
    const discovery = new Discovery({ peers: [at("mesh")], log, lookup, lookupMs: 1 });
    discovery.onChange(() => {
      throw new Error("nobody listens any more");
    });
    discovery.close();
    discovery.close();
    answer([{ address: "10.0.0.1" }]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(discovery.addresses()).toEqual([]);
    expect(asked).toBe(1);
  });

  it("come from the system's resolver unless a test says otherwise", async () => {
    const log = createLog({ level: "silent", format: "json", destination: linesInto([]) });
    const discovery = new Discovery({ peers: [at("localhost", 1)], log });
    onTestFinished(() => discovery.close());
    await vi.waitFor(() => expect(discovery.addresses().length).toBeGreaterThan(0));
    for (const address of discovery.addresses())
      expect(["127.0.0.1:1", "[::1]:1"]).toContain(address);
  });
});

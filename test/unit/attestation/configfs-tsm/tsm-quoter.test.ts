import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { equalBytes } from "../../../../src/core/bytes.ts";
import { Prng } from "../../../../src/core/prng.ts";
import { detectPlatform } from "../../../../src/attestation/configfs-tsm/detect-platform.ts";
import { KernelReportFiles } from "../../../../src/attestation/configfs-tsm/report-files.ts";
import {
  TsmQuoter,
  detectTsmPlatform,
} from "../../../../src/attestation/configfs-tsm/tsm-quoter.ts";
import {
  type Operation,
  type SimulatedPlatform,
  SimulatedTsm,
  errno,
} from "../../../support/attestation/simulated-tsm.ts";

const TABLE = new Uint8Array([1, 2, 3]);
/** A "report" is the report data itself behind a byte. */
const SNP: SimulatedPlatform = {
  provider: "sev_guest",
  report: (inblob) => ({ outblob: new Uint8Array([0, ...inblob]), auxblob: TABLE }),
};
const TDX: SimulatedPlatform = {
  provider: "tdx_guest",
  report: (inblob) => ({ outblob: new Uint8Array([0, ...inblob]), auxblob: undefined }),
};
const PAUSES = { shortMs: 1, longMs: 1 };
const DATA = new Uint8Array(64).map((_, index) => index);
const OTHER = new Uint8Array(64).fill(0xee);

function quoterOn(kernel: SimulatedTsm): TsmQuoter {
  const platform = { id: "snp", development: false, provider: kernel.platform.provider } as const;
  return new TsmQuoter(platform, kernel, PAUSES);
}

/** Fails an operation with these codes, one each time, then lets it pass. */
function failing(kernel: SimulatedTsm, operation: Operation, codes: readonly string[]): void {
  const left = [...codes];
  kernel.before = (next) => {
    const code = next === operation ? left.shift() : undefined;
    if (code !== undefined) throw errno(code);
  };
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "a quote",
    (error: unknown) => (error as { code: string }).code,
  );

describe("a quote", () => {
  it("carries our report data and the host's certificate table, and leaves no entry", async () => {
    const kernel = new SimulatedTsm(SNP);
    const evidence = await quoterOn(kernel).quote(DATA);
    expect(evidence).toEqual({
      platform: "snp",
      quote: new Uint8Array([0, ...DATA]),
      certificates: TABLE,
    });
    expect(kernel.entries.size).toBe(0);
    expect(kernel.operations).toEqual([
      "makeEntry",
      "read provider",
      "read generation",
      "write inblob",
      "read outblob",
      "read auxblob",
      "read generation",
      "removeEntry",
    ]);
    expect(kernel.reportsMade).toBe(1);
  });

  it("has no certificates where the platform has no such file", async () => {
    const kernel = new SimulatedTsm(TDX);
    const platform = { id: "tdx", development: false, provider: "tdx_guest" } as const;
    const evidence = await new TsmQuoter(platform, kernel, PAUSES).quote(DATA);
    expect(evidence.platform).toBe("tdx");
    expect(evidence.certificates).toEqual(new Uint8Array(0));
  });

  it("is of the bytes at the time of the call", async () => {
    const data = DATA.slice();
    const pending = quoterOn(new SimulatedTsm(SNP)).quote(data);
    data.fill(9);
    expect((await pending).quote).toEqual(new Uint8Array([0, ...DATA]));
  });

  it("needs exactly 64 bytes", () => {
    expect(() => quoterOn(new SimulatedTsm(SNP)).quote(DATA.subarray(1))).toThrow("64 bytes");
  });

  it("is made one at a time, in order", async () => {
    const kernel = new SimulatedTsm(SNP);
    let entriesMax = 0;
    kernel.before = async () => {
      entriesMax = Math.max(entriesMax, kernel.entries.size);
      await Promise.resolve();
    };
    const quoter = quoterOn(kernel);
    const order: number[] = [];
    await Promise.all(
      [1, 2, 3].map(async (number) => {
        await quoter.quote(new Uint8Array(64).fill(number));
        order.push(number);
      }),
    );
    expect(order).toEqual([1, 2, 3]);
    expect(entriesMax).toBe(1);
  });
});

describe("troubles", () => {
  it.each([
    ["makeEntry", "EBUSY"],
    ["read outblob", "EBUSY"],
    ["read outblob", "EINTR"],
    ["read outblob", "EAGAIN"],
    ["read outblob", "ETIMEDOUT"],
    ["read outblob", "EIO"],
    ["read auxblob", "EIO"],
    ["write inblob", "EBUSY"],
    ["read generation", "EINTR"],
    ["read outblob", "EINVAL"],
  ] as const)("are survived: %s fails with %s three times", async (operation, code) => {
    const kernel = new SimulatedTsm(SNP);
    failing(kernel, operation, [code, code, code]);
    const { quote } = await quoterOn(kernel).quote(DATA);
    expect(quote).toEqual(new Uint8Array([0, ...DATA]));
    expect(kernel.operations.filter((each) => each === operation).length).toBeGreaterThan(3);
    expect(kernel.entries.size).toBe(0);
  });

  it("back off from a host in trouble, twice as long each time", async () => {
    const kernel = new SimulatedTsm(SNP);
    failing(kernel, "read outblob", ["ETIMEDOUT", "EIO", "ETIMEDOUT"]);
    const platform = { id: "snp", development: false, provider: "sev_guest" } as const;
    const quoter = new TsmQuoter(platform, kernel, { shortMs: 1, longMs: 20 });
    const start = performance.now();
    await quoter.quote(DATA);
    expect(performance.now() - start).toBeGreaterThan(20 + 40 + 80 - 5);
  });

  it("end after a bounded number of attempts, saying the last error", async () => {
    const kernel = new SimulatedTsm(SNP);
    failing(
      kernel,
      "read outblob",
      Array.from({ length: 99 }, () => "EBUSY"),
    );
    await expect(quoterOn(kernel).quote(DATA)).rejects.toMatchObject({
      code: "quote-unavailable",
      details: { lastError: "EBUSY" },
    });
    expect(kernel.operations.filter((each) => each === "makeEntry")).toHaveLength(8);
  });

  it.each([
    ["read outblob", "ENOTTY"],
    ["makeEntry", "EACCES"],
    ["read provider", "EACCES"],
    ["read outblob", "EMSGSIZE"],
  ] as const)("are permanent: %s fails with %s", async (operation, code) => {
    const kernel = new SimulatedTsm(SNP);
    failing(kernel, operation, [code]);
    expect(await codeOf(quoterOn(kernel).quote(DATA))).toBe("platform-unavailable");
    expect(kernel.operations.filter((each) => each === "makeEntry")).toHaveLength(1);
    expect(kernel.entries.size).toBe(0);
  });

  it("are a platform that becomes another one, or gives too much", async () => {
    const moved = new SimulatedTsm(SNP);
    const quoter = quoterOn(moved);
    moved.platform = TDX;
    expect(await codeOf(quoter.quote(DATA))).toBe("platform-unavailable");
    const huge = {
      provider: "sev_guest",
      report: () => ({
        outblob: new Uint8Array([...DATA, ...new Uint8Array(40_000)]),
        auxblob: TABLE,
      }),
    };
    expect(await codeOf(quoterOn(new SimulatedTsm(huge)).quote(DATA))).toBe("platform-unavailable");
  });

  it("are a kernel whose generation is no number", async () => {
    const kernel = new SimulatedTsm(SNP);
    const read = kernel.read.bind(kernel);
    kernel.read = async (entry, attribute) =>
      attribute === "generation" ? new Uint8Array([0x78]) : read(entry, attribute);
    expect(await codeOf(quoterOn(kernel).quote(DATA))).toBe("platform-unavailable");
  });

  it("do not include an entry that cannot be removed", async () => {
    const kernel = new SimulatedTsm(SNP);
    failing(kernel, "removeEntry", ["EBUSY"]);
    expect((await quoterOn(kernel).quote(DATA)).quote).toEqual(new Uint8Array([0, ...DATA]));
  });
});

describe("another user of our entries", () => {
  it("who writes between our write and our read makes us try again", async () => {
    const kernel = new SimulatedTsm(SNP);
    let interfered = 0;
    kernel.before = (operation, entry) => {
      if (operation !== "read outblob" || interfered === 2) return;
      interfered += 1;
      kernel.commit(entry!, OTHER);
    };
    const { quote } = await quoterOn(kernel).quote(DATA);
    expect(quote).toEqual(new Uint8Array([0, ...DATA]));
    expect(interfered).toBe(2);
    expect(kernel.reportsMade).toBe(3);
  });

  it("whose write replaces ours, which the kernel loses without a word, is found out", async () => {
    const kernel = new SimulatedTsm(SNP);
    let lost = 0;
    const write = kernel.write.bind(kernel);
    kernel.write = async (entry, attribute, content) => {
      if (lost++ > 0) return write(entry, attribute, content);
      // Two writes of theirs, none of ours: the generation has moved, but by two.
      kernel.commit(entry, OTHER);
      kernel.commit(entry, OTHER);
    };
    expect((await quoterOn(kernel).quote(DATA)).quote).toEqual(new Uint8Array([0, ...DATA]));
    expect(lost).toBe(2);
  });

  it("whose single write stands for a lost one of ours is found out by the bytes", async () => {
    const kernel = new SimulatedTsm(SNP);
    let lost = 0;
    const write = kernel.write.bind(kernel);
    kernel.write = async (entry, attribute, content) => {
      if (lost++ > 0) return write(entry, attribute, content);
      kernel.commit(entry, OTHER);
    };
    expect((await quoterOn(kernel).quote(DATA)).quote).toEqual(new Uint8Array([0, ...DATA]));
    expect(kernel.reportsMade).toBe(2);
  });

  it("who does anything at any time never gets a quote of other bytes returned", async () => {
    const seen = { quotes: 0, refusals: 0, foreignReports: 0 };
    for (let seed = 1; seed <= 300; seed++) {
      const random = new Prng(seed);
      const kernel = new SimulatedTsm({
        provider: "sev_guest",
        report: (inblob) => {
          if (equalBytes(inblob, OTHER)) seen.foreignReports += 1;
          return { outblob: new Uint8Array([0, ...inblob]), auxblob: TABLE };
        },
      });
      kernel.before = (_operation, entry) => {
        if (entry === undefined || !random.chance(0.15)) return;
        const action = random.int(0, 3);
        if (action === 0) kernel.commit(entry, OTHER);
        if (action === 1) kernel.commit(entry, new Uint8Array(65));
        if (action === 2) kernel.entries.delete(entry);
        if (action === 3) throw errno(random.pick(["EBUSY", "EINTR", "EIO"]));
      };
      try {
        const { quote } = await quoterOn(kernel).quote(DATA);
        expect(quote, `seed ${seed}`).toEqual(new Uint8Array([0, ...DATA]));
        seen.quotes += 1;
      } catch (error) {
        expect((error as { code: string }).code, `seed ${seed}`).toBe("quote-unavailable");
        seen.refusals += 1;
      }
    }
    expect(seen.quotes).toBeGreaterThan(250);
    expect(seen.foreignReports).toBeGreaterThan(20);
  });
});

describe("deadlines", () => {
  const hanging = (): { kernel: SimulatedTsm; release: () => void } => {
    const kernel = new SimulatedTsm(SNP);
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    kernel.before = (operation) => (operation === "read outblob" ? released : undefined);
    return { kernel, release };
  };

  it("end the wait for a read that blocks, and the next request waits for its end", async () => {
    const { kernel, release } = hanging();
    const quoter = quoterOn(kernel);
    expect(await codeOf(quoter.quote(DATA, { timeoutMs: 30 }))).toBe("deadline-exceeded");
    const next = quoter.quote(OTHER);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(kernel.entries.size).toBe(1);
    release();
    expect((await next).quote).toEqual(new Uint8Array([0, ...OTHER]));
    expect(kernel.entries.size).toBe(0);
  });

  it("hold while waiting for earlier requests, which then never run", async () => {
    const { kernel, release } = hanging();
    const quoter = quoterOn(kernel);
    const first = quoter.quote(DATA);
    expect(await codeOf(quoter.quote(OTHER, { timeoutMs: 20 }))).toBe("deadline-exceeded");
    release();
    await first;
    await quoter.quote(DATA);
    expect(kernel.reportsMade).toBe(2);
  });

  it("tell a caller's abort from a timeout", async () => {
    const { kernel, release } = hanging();
    const quoter = quoterOn(kernel);
    const controller = new AbortController();
    const pending = codeOf(quoter.quote(DATA, { signal: controller.signal }));
    controller.abort();
    expect(await pending).toBe("cancelled");
    release();
    expect(await codeOf(quoter.quote(DATA, { signal: controller.signal }))).toBe("cancelled");
  });

  it("hold between attempts too", async () => {
    const kernel = new SimulatedTsm(SNP);
    failing(
      kernel,
      "read outblob",
      Array.from({ length: 99 }, () => "EIO"),
    );
    const platform = { id: "snp", development: false, provider: "sev_guest" } as const;
    const quoter = new TsmQuoter(platform, kernel, { shortMs: 1, longMs: 10_000 });
    expect(await codeOf(quoter.quote(DATA, { timeoutMs: 30 }))).toBe("deadline-exceeded");
  });

  it("are not the only bound: too many requests are refused at once", async () => {
    const { kernel, release } = hanging();
    const quoter = quoterOn(kernel);
    const waiting = Array.from({ length: 64 }, () => quoter.quote(DATA));
    expect(await codeOf(quoter.quote(DATA))).toBe("resource-exhausted");
    release();
    await Promise.all(waiting);
    expect(await codeOf(quoter.quote(DATA))).toBe("a quote");
  });
});

describe("the platform", () => {
  it.each([
    [SNP, { id: "snp", development: false, provider: "sev_guest" }],
    [TDX, { id: "tdx", development: false, provider: "tdx_guest" }],
    [{ ...SNP, provider: "arm_cca_guest" }, undefined],
  ])("is told by its provider", async (platform, expected) => {
    const kernel = new SimulatedTsm(platform);
    expect(await detectTsmPlatform(kernel)).toEqual(expected);
    expect(kernel.entries.size).toBe(0);
  });

  it("is absent where there is no report folder", async () => {
    expect(await detectPlatform(join(tmpdir(), "no-such-folder", "report"))).toBeUndefined();
  });

  it("is unavailable where the folder cannot be used", async () => {
    const kernel = new SimulatedTsm(SNP);
    failing(kernel, "makeEntry", ["EACCES"]);
    expect(await codeOf(detectTsmPlatform(kernel))).toBe("platform-unavailable");
    failing(kernel, "read provider", ["ENXIO"]);
    expect(await codeOf(detectTsmPlatform(kernel))).toBe("platform-unavailable");
  });
});

describe("the kernel's files", () => {
  it("are made, written without truncation in one write, read and removed", async () => {
    const folder = await mkdtemp(join(tmpdir(), "quorate-tsm-"));
    try {
      const files = new KernelReportFiles(folder);
      const entry = await files.makeEntry();
      expect(await readdir(folder)).toHaveLength(1);
      // The kernel makes the attributes; a plain folder stands for it.
      await expect(files.write(entry, "inblob", DATA)).rejects.toMatchObject({ code: "ENOENT" });
      await writeFile(join(entry, "inblob"), new Uint8Array(70).fill(1));
      await files.write(entry, "inblob", DATA);
      const content = new Uint8Array(await readFile(join(entry, "inblob")));
      expect(content).toEqual(new Uint8Array([...DATA, 1, 1, 1, 1, 1, 1]));
      expect(new Uint8Array(await files.read(entry, "inblob"))).toEqual(content);
      await rm(join(entry, "inblob"));
      await files.removeEntry(entry);
      expect(await readdir(folder)).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

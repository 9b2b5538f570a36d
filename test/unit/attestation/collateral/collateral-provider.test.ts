import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CertificateCache } from "../../../../src/attestation/certificate-cache.ts";
import { CollateralFolder } from "../../../../src/attestation/collateral/collateral-folder.ts";
import { needName, needsOf } from "../../../../src/attestation/collateral/collateral-need.ts";
import {
  CachingCollateralProvider,
  type CollateralOrigins,
} from "../../../../src/attestation/collateral/collateral-provider.ts";
import { HttpCollateralSource } from "../../../../src/attestation/collateral/http-source.ts";
import { pckExtension, pemChain } from "../../../../src/attestation/dev/intel-writer.ts";
import { SIMULATED_PCK } from "../../../../src/attestation/dev/simulated-intel.ts";
import { encodeCertificateTable } from "../../../../src/attestation/snp/certificate-table.ts";
import { verifySnp } from "../../../../src/attestation/snp/verify-snp.ts";
import { verifyTdx } from "../../../../src/attestation/tdx/verify-tdx.ts";
import { type Collateral, NO_COLLATERAL } from "../../../../src/attestation/verification.ts";
import { utf8 } from "../../../../src/core/bytes.ts";
import { COLLATERAL_AGE_MAX_MS, COLLATERAL_RETRY_MS } from "../../../../src/core/limits.ts";
import {
  makeEvidence,
  NOW as SNP_NOW,
  vendorKeys,
} from "../../../support/attestation/snp-vendor.ts";
import {
  body,
  type CollateralServer,
  startCollateralServer,
} from "../../../support/attestation/collateral-server.ts";
import {
  DAY,
  type MadeTdxEvidence,
  makeTdxEvidence,
  NOW,
} from "../../../support/attestation/tdx-vendor.ts";

const TDX = await makeTdxEvidence();
const PATHS = {
  tcbInfo: "/tdx/certification/v4/tcb?fmspc=514d55000000",
  qeIdentity: "/tdx/certification/v4/qe/identity",
  pckCrl: "/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
  rootCrl: "/sgx/certification/v4/rootcacrl",
};

let server: CollateralServer;
let folder: string;
let now: number;

beforeEach(async () => {
  server = await startCollateralServer();
  folder = await mkdtemp(join(tmpdir(), "quorate-collateral-"));
  now = NOW;
});

afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

/** Serves collateral as a PCS does; the root's list in hex, as a PCCS does. */
function serve(collateral: Collateral): void {
  const chain = encodeURIComponent(Buffer.from(pemChain(collateral.certificates)).toString());
  const [pckCrl, rootCrl] = collateral.revocationLists;
  server.answer(PATHS.tcbInfo, body(collateral.tcbInfos[0]!, { "TCB-Info-Issuer-Chain": chain }));
  server.answer(
    PATHS.qeIdentity,
    body(collateral.qeIdentities[0]!, { "SGX-Enclave-Identity-Issuer-Chain": chain }),
  );
  server.answer(PATHS.pckCrl, body(pckCrl!));
  server.answer(PATHS.rootCrl, body(utf8(Buffer.from(rootCrl!).toString("hex"))));
}

function provider(origins: CollateralOrigins = {}, timeoutMs = 5_000): CachingCollateralProvider {
  const source = new HttpCollateralSource({ pcs: `${server.url}/` }, timeoutMs);
  return new CachingCollateralProvider({ source, clock: () => now, ...origins });
}

async function failuresWith(
  collateral: Collateral,
  made: MadeTdxEvidence = TDX,
): Promise<string[]> {
  const context = { collateral, now, developmentRoots: new Set([made.root]) };
  const { failures } = await verifyTdx(made.evidence, {
    ...context,
    cache: new CertificateCache(),
  });
  return failures.map(({ code }) => code);
}

describe("collateral for TDX", () => {
  it("comes from a PCS, and is what the verifier needs", async () => {
    serve(TDX.collateral);
    const { collateral, problems } = await provider().get(TDX.evidence);
    expect(problems).toEqual([]);
    expect(await failuresWith(collateral)).toEqual([]);
    expect(server.asked.toSorted()).toEqual(Object.values(PATHS).toSorted());
  });

  it("is fetched once for many at the same time, and then kept as the same object", async () => {
    serve(TDX.collateral);
    const shared = provider();
    const answers = await Promise.all(Array.from({ length: 20 }, () => shared.get(TDX.evidence)));
    expect(server.asked).toHaveLength(4);
    const objects = new Set([...answers, await shared.get(TDX.evidence)].map((a) => a.collateral));
    expect(objects.size).toBe(1);
  });

  it("takes the root's list from a URL of its own if one is given", async () => {
    serve(TDX.collateral);
    server.answer("/IntelSGXRootCA.der", body(TDX.collateral.revocationLists[1]!));
    const endpoints = { pcs: server.url, rootCrl: `${server.url}/IntelSGXRootCA.der` };
    const source = new HttpCollateralSource(endpoints);
    const { collateral } = await provider({ source }).get(TDX.evidence);
    expect(await failuresWith(collateral)).toEqual([]);
    expect(server.asked).toContain("/IntelSGXRootCA.der");
  });

  it("is not asked for if the evidence cannot be read", async () => {
    const evidence = { ...TDX.evidence, quote: utf8("no quote") };
    const { collateral, problems } = await provider().get(evidence);
    expect(problems).toEqual([]);
    expect(collateral.tcbInfos).toEqual([]);
    expect(server.asked).toEqual([]);
  });
});

describe("a service with faults", () => {
  const garbage = body(utf8("<html>sign in to the wireless network</html>"));
  it.each([
    [
      "answers 500",
      (_: unknown, r: { writeHead(s: number): { end(): void } }) => r.writeHead(500).end(),
      "collateral-unavailable",
    ],
    [
      "redirects",
      (_: unknown, r: { writeHead(s: number, h: object): { end(): void } }) =>
        r.writeHead(302, { location: "/elsewhere" }).end(),
      "collateral-unavailable",
    ],
    ["answers never", () => undefined, "collateral-unavailable"],
    [
      "stops in the middle",
      (_: unknown, r: { write(b: string): void; destroy(): void }) => (
        r.write("{"),
        setTimeout(() => r.destroy(), 20)
      ),
      "collateral-unavailable",
    ],
    [
      "answers without an end",
      (_: unknown, r: { write(b: string): void }) => r.write("{"),
      "collateral-unavailable",
    ],
    ["answers with garbage", garbage, "collateral-invalid"],
    ["answers with nothing", body(new Uint8Array()), "collateral-invalid"],
    ["answers with a flood", body(new Uint8Array(600 * 1024)), "collateral-invalid"],
    ["forgets the issuers", body(TDX.collateral.tcbInfos[0]!), "collateral-invalid"],
    [
      "garbles the issuers",
      body(TDX.collateral.tcbInfos[0]!, { "TCB-Info-Issuer-Chain": "%E0%A4%A" }),
      "collateral-invalid",
    ],
    [
      "sends issuers that are none",
      body(TDX.collateral.tcbInfos[0]!, { "TCB-Info-Issuer-Chain": "issuers" }),
      "collateral-invalid",
    ],
  ] as const)("that %s costs one piece, and says why: %s", async (_, handler, code) => {
    serve(TDX.collateral);
    server.answer(PATHS.tcbInfo, handler as never);
    // Long enough for the other three answers on a busy machine.
    const { collateral, problems } = await provider({}, 1_500).get(TDX.evidence);
    expect(problems.map((problem) => problem.code)).toEqual([code]);
    expect(await failuresWith(collateral)).toEqual(["tdx-tcb-info-missing"]);
    expect(server.asked).not.toContain("/elsewhere");
  });

  it("that serves another processor's TCB info is not believed", async () => {
    serve(TDX.collateral);
    const other = await makeTdxEvidence({
      content: (c) => ({ tcbInfo: { ...c.tcbInfo, fmspc: "00".repeat(6) } }),
    });
    serve({ ...TDX.collateral, tcbInfos: other.collateral.tcbInfos });
    const { problems } = await provider().get(TDX.evidence);
    expect(problems.map(({ message }) => message)).toEqual([
      expect.stringContaining("about FMSPC 000000000000") as string,
    ]);
  });

  it("is not asked again before the retry time, and then is", async () => {
    server.answer(undefined, (_, response) => response.writeHead(503).end());
    const shared = provider();
    await shared.get(TDX.evidence);
    const { problems } = await shared.get(TDX.evidence);
    expect(problems).toHaveLength(4);
    expect(server.asked).toHaveLength(4);
    server.answer(undefined, undefined);
    serve(TDX.collateral);
    now += COLLATERAL_RETRY_MS;
    expect((await shared.get(TDX.evidence)).problems).toEqual([]);
  });

  it("that is not there at all leaves what is cached in use, and afterwards is found again", async () => {
    serve(TDX.collateral);
    const shared = provider();
    const before = await shared.get(TDX.evidence);
    server.answer(undefined, (_, response) => response.writeHead(503).end());
    now += COLLATERAL_AGE_MAX_MS + 1;
    const { collateral, problems } = await shared.get(TDX.evidence);
    expect(collateral).toBe(before.collateral);
    expect(problems).toEqual([]);
    expect(await failuresWith(collateral)).toEqual([]);
    // All that is due was tried in the background.
    await expect.poll(() => server.asked.length).toBe(8);
  });

  it("that stays away until all has expired is named, and the verifier refuses by date", async () => {
    serve(TDX.collateral);
    const shared = provider();
    await shared.get(TDX.evidence);
    server.answer(undefined, (_, response) => response.writeHead(503).end());
    now += 11 * DAY;
    const { collateral, problems } = await shared.get(TDX.evidence);
    expect(problems).toHaveLength(4);
    expect(await failuresWith(collateral)).toContain("tdx-tcb-info-not-current");
  });

  it("that falls back to older collateral changes nothing", async () => {
    serve(TDX.collateral);
    const shared = provider();
    await shared.get(TDX.evidence);
    const older = await makeTdxEvidence({
      content: (c) => ({ tcbInfo: { ...c.tcbInfo, nextUpdate: "2026-06-03T00:00:00Z" } }),
    });
    serve(older.collateral);
    now += COLLATERAL_AGE_MAX_MS + 1;
    await refreshed(shared);
    expect((await shared.get(TDX.evidence)).collateral.tcbInfos).toEqual(TDX.collateral.tcbInfos);
  });

  it("that doesn't answer holds up nobody beyond the caller's own deadline", async () => {
    server.answer(undefined, () => undefined);
    const reason = new Error("enough");
    const abort = new AbortController();
    const waiting = provider({}, 500).get(TDX.evidence, abort.signal);
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  it("is asked for a bounded number of things at a time", async () => {
    server.answer(undefined, () => undefined);
    const shared = provider({}, 500);
    const machines = await Promise.all(
      [1, 2, 3, 4, 5, 6, 7, 8].map((sku) => evidenceOfFamily(sku)),
    );
    const answers = await Promise.all(machines.map((evidence) => shared.get(evidence)));
    const codes = answers.flatMap(({ problems }) => problems.map(({ code }) => code));
    expect(codes).toContain("resource-exhausted");
    expect(server.asked.length).toBe(8);
  });
});

/** Asks until all four pieces were fetched a second time; the pause lets what came be taken in. */
async function refreshed(shared: CachingCollateralProvider): Promise<void> {
  await vi.waitFor(async () => {
    await shared.get(TDX.evidence);
    expect(server.asked).toHaveLength(8);
  });
  await sleep(50);
}

describe("refreshing", () => {
  it("fetches what is due when somebody asks, who does not wait for it", async () => {
    serve(TDX.collateral);
    const shared = provider();
    const before = await shared.get(TDX.evidence);
    expect((await shared.get(TDX.evidence)).collateral).toBe(before.collateral);
    expect(server.asked).toHaveLength(4);
    const newer = await makeTdxEvidence({
      content: (c) => ({ tcbInfo: { ...c.tcbInfo, nextUpdate: "2026-07-01T00:00:00Z" } }),
    });
    serve(newer.collateral);
    now += COLLATERAL_AGE_MAX_MS;
    expect((await shared.get(TDX.evidence)).collateral).toBe(before.collateral);
    await refreshed(shared);
    expect((await shared.get(TDX.evidence)).collateral.tcbInfos).toEqual(newer.collateral.tcbInfos);
    expect(server.asked).toHaveLength(8);
  });
});

describe("the cache folder", () => {
  const withFolder = (): CollateralOrigins => ({ folder: new CollateralFolder(folder) });

  it("outlives the process, and needs no service then", async () => {
    serve(TDX.collateral);
    await provider(withFolder()).get(TDX.evidence);
    await server.close();
    const restarted = provider({ ...withFolder(), source: undefined });
    const { collateral } = await restarted.get(TDX.evidence);
    expect(await failuresWith(collateral)).toEqual([]);
    expect((await readdir(folder)).toSorted()).toEqual([
      "tdx-pck-crl-platform.json",
      "tdx-qe-identity.json",
      "tdx-root-crl.json",
      "tdx-tcb-info-514d55000000.json",
    ]);
  });

  it.each([
    ["is garbage", () => utf8("garbage")],
    ["is cut off", (file: Uint8Array) => file.subarray(0, 500)],
    [
      "holds something else",
      () =>
        utf8(
          '{"format":"quorate/collateral/v1","certificates":[],"revocationLists":[],"tcbInfos":[],"qeIdentities":[]}',
        ),
    ],
  ])("drops a file that %s, and fetches the piece again", async (_, damage) => {
    serve(TDX.collateral);
    await provider(withFolder()).get(TDX.evidence);
    const file = join(folder, "tdx-tcb-info-514d55000000.json");
    await writeFile(file, damage(await readFile(file)));
    const offline = await provider({ ...withFolder(), source: undefined }).get(TDX.evidence);
    expect(offline.problems.map(({ code }) => code)).toEqual(["collateral-unavailable"]);
    expect(await readdir(folder)).toHaveLength(3);
    expect((await provider(withFolder()).get(TDX.evidence)).problems).toEqual([]);
    expect(await readdir(folder)).toHaveLength(4);
  });

  it("makes room by removing the oldest files", async () => {
    const cache = new CollateralFolder(folder);
    const [need] = needsOf(TDX.evidence);
    for (let i = 0; i < 520; i++) {
      const file = join(folder, `old-${i}.json`);
      await writeFile(file, "{}");
      await utimes(file, 1, 1);
    }
    await cache.store(need!, TDX.collateral);
    const files = await readdir(folder);
    expect(files).toHaveLength(512);
    expect(files).toContain(`${needName(need!)}.json`);
  });

  it("that cannot be written is a problem, and no more", async () => {
    serve(TDX.collateral);
    await writeFile(join(folder, "file"), "");
    const broken = new CollateralFolder(join(folder, "file", "below"));
    const { collateral, problems } = await provider({ folder: broken }).get(TDX.evidence);
    expect(new Set(problems.map(({ code }) => code))).toEqual(new Set(["unavailable"]));
    expect(await failuresWith(collateral)).toEqual([]);
  });
});

describe("asking again and again", () => {
  /** True if the promise is settled before anything but microtasks has run. */
  const isImmediate = (promise: Promise<unknown>): Promise<boolean> =>
    Promise.race([
      promise.then(() => true),
      new Promise<boolean>((resolve) => setImmediate(resolve, false)),
    ]);
  const withFolder = (): CollateralOrigins => ({ folder: new CollateralFolder(folder) });

  it("costs microtasks while all is valid, also when it is due and the service hangs", async () => {
    serve(TDX.collateral);
    const shared = provider(withFolder(), 500);
    await shared.get(TDX.evidence);
    expect(await isImmediate(shared.get(TDX.evidence))).toBe(true);
    server.answer(undefined, () => undefined);
    now += COLLATERAL_AGE_MAX_MS + 1;
    expect(await isImmediate(shared.get(TDX.evidence))).toBe(true);
  });

  it("gives the same object when the service has only served the same again", async () => {
    serve(TDX.collateral);
    const shared = provider(withFolder());
    const { collateral } = await shared.get(TDX.evidence);
    now += COLLATERAL_AGE_MAX_MS + 1;
    await refreshed(shared);
    expect((await shared.get(TDX.evidence)).collateral).toBe(collateral);
  });

  it("gives another object once the folder has another file, and never goes back", async () => {
    serve(TDX.collateral);
    const shared = provider(withFolder());
    const { collateral } = await shared.get(TDX.evidence);
    const [older, newer] = await Promise.all(
      ["2026-06-03T00:00:00Z", "2026-07-01T00:00:00Z"].map((nextUpdate) =>
        makeTdxEvidence({ content: (c) => ({ tcbInfo: { ...c.tcbInfo, nextUpdate } }) }),
      ),
    );
    const [need] = needsOf(TDX.evidence);
    const bring = async (brought: Collateral) => {
      await new CollateralFolder(folder).store(need!, brought);
      now += COLLATERAL_RETRY_MS;
      expect(await isImmediate(shared.get(TDX.evidence))).toBe(true);
    };
    await bring({ ...NO_COLLATERAL, tcbInfos: newer!.collateral.tcbInfos });
    const current = async () => (await shared.get(TDX.evidence)).collateral;
    await expect.poll(current).not.toBe(collateral);
    expect((await current()).tcbInfos).toEqual(newer!.collateral.tcbInfos);
    await bring({ ...NO_COLLATERAL, tcbInfos: older!.collateral.tcbInfos });
    await sleep(100);
    expect((await current()).tcbInfos).toEqual(newer!.collateral.tcbInfos);
    expect(server.asked).toHaveLength(4);
  });

  it("tries what is nowhere once in the retry time, and names the same problem meanwhile", async () => {
    const origins = withFolder();
    const loads = vi.spyOn(origins.folder!, "load");
    const shared = provider({ ...origins, source: undefined });
    const [first] = (await shared.get(TDX.evidence)).problems;
    const asked = shared.get(TDX.evidence);
    expect(await isImmediate(asked)).toBe(true);
    expect((await asked).problems[0]).toBe(first);
    expect(loads).toHaveBeenCalledTimes(4);
    now += COLLATERAL_RETRY_MS;
    expect((await shared.get(TDX.evidence)).problems[0]).not.toBe(first);
    expect(loads).toHaveBeenCalledTimes(8);
  });
});

describe("imported files", () => {
  it("serve where there is neither cache nor service", async () => {
    const imported = TDX.collateral;
    const { collateral } = await provider({ imported, source: undefined }).get(TDX.evidence);
    expect(await failuresWith(collateral)).toEqual([]);
  });
});

describe("collateral for SEV-SNP", () => {
  const keys = vendorKeys();
  const snp = async () => {
    now = SNP_NOW;
    return makeEvidence(await keys);
  };
  const chipOf = (quote: Uint8Array) => Buffer.from(quote.subarray(0x1a0, 0x1e0)).toString("hex");

  it("comes from a KDS by chip id and reported TCB", async () => {
    const made = await snp();
    const evidence = { ...made.evidence, certificates: new Uint8Array() };
    const tcb = [...evidence.quote.subarray(0x180, 0x188)];
    const [bl, tee, , , , , firmware, ucode] = tcb.map((svn) => String(svn).padStart(2, "0"));
    const chip = chipOf(evidence.quote);
    const vcek = `/vcek/v1/Milan/${chip}?blSPL=${bl!}&teeSPL=${tee!}&snpSPL=${firmware!}&ucodeSPL=${ucode!}`;
    server.answer(vcek, body(made.leaf));
    server.answer("/vcek/v1/Milan/cert_chain", body(pemChain([made.ask, made.ark])));
    const source = new HttpCollateralSource({ kds: server.url });
    const { collateral, problems } = await provider({ source }).get(evidence);
    expect(server.asked.toSorted()).toEqual(
      [vcek, "/vcek/v1/Milan/cert_chain", "/vcek/v1/Milan/crl"].toSorted(),
    );
    // This vendor has no revocation list, and sets that demand one say so.
    expect(problems.map(({ code }) => code)).toEqual(["collateral-unavailable"]);
    const developmentRoots = new Set([made.root]);
    const context = { collateral, now, developmentRoots, cache: new CertificateCache() };
    expect((await verifySnp(evidence, context)).failures).toEqual([]);
  });

  it("asks for nothing that the host's table has", async () => {
    const { evidence } = await snp();
    expect(needsOf(evidence).map(({ kind }) => kind)).toEqual(["snp-crl"]);
  });

  it("asks for what is left if the table lies outside itself", async () => {
    const { evidence, leaf } = await snp();
    const table = encodeCertificateTable([{ kind: "vcek", data: leaf }]);
    const cut = { ...evidence, certificates: table.subarray(0, -1) };
    expect(needsOf(cut).map(({ kind }) => kind)).toEqual(["snp-vcek", "snp-chain", "snp-crl"]);
  });

  it("never asks for the VCEK of a masked chip, nor for a VLEK", async () => {
    const masked = await makeEvidence(await keys, { report: { chipId: "" }, table: () => [] });
    expect(needsOf(masked.evidence).map(({ kind }) => kind)).toEqual(["snp-chain", "snp-crl"]);
    const vlek = await makeEvidence(await keys, { signingKey: "vlek", table: () => [] });
    expect(needsOf(vlek.evidence)).toEqual([
      { kind: "snp-chain", line: "Milan", signingKey: "vlek" },
      { kind: "snp-crl", line: "Milan", signingKey: "vlek" },
    ]);
  });

  it("asks for Turin's shorter chip id and its FMC", async () => {
    const { evidence } = await makeEvidence(await keys, { line: "Turin", table: () => [] });
    const source = new HttpCollateralSource({ kds: server.url });
    await provider({ source }).get(evidence);
    expect(server.asked).toContainEqual(
      expect.stringMatching(
        /^\/vcek\/v1\/Turin\/[0-9a-f]{16}\?fmcSPL=\d\d&blSPL=\d\d&teeSPL=\d\d&snpSPL=\d\d&ucodeSPL=\d{2,3}$/,
      ),
    );
  });
});

it("a service must have an http URL", () => {
  expect(() => new HttpCollateralSource({ kds: "file:///etc/passwd" })).toThrow("not an http");
});

it("a platform without a service says what to do", async () => {
  const { problems } = await provider({ source: new HttpCollateralSource({}) }).get(TDX.evidence);
  expect(problems.map(({ code, hint }) => [code, hint?.includes("import")])).toEqual(
    new Array(4).fill(["unsupported", true]),
  );
});

async function evidenceOfFamily(sku: number) {
  const fmspc = Uint8Array.of(sku, 0, 0, 0, 0, 0);
  const extensions = [pckExtension({ ...SIMULATED_PCK, fmspc })];
  return (await makeTdxEvidence({ certificates: { pck: { extensions } } })).evidence;
}

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Manifest } from "../../../../src/core/manifest/index.ts";
import { formatEvidenceFile } from "../../../../src/attestation/evidence-file.ts";
import { explainEvidence } from "../../../../src/cli/evidence/explain.ts";
import { inspectEvidence } from "../../../../src/cli/evidence/inspect.ts";
import { type VerifyOptions, verifyEvidence } from "../../../../src/cli/evidence/verify.ts";
import { EXIT } from "../../../../src/cli/exit-codes.ts";
import type { Io } from "../../../../src/cli/io.ts";
import { PROPER_SET, sets } from "../../../support/attestation/policies.ts";
import {
  type MadeEvidence,
  NOW,
  POLICY_HASH,
  makeEvidence,
  vendorKeys,
} from "../../../support/attestation/snp-vendor.ts";
import {
  certificatesIn,
  hasVectors,
  vector,
  vectorsNote,
} from "../../../support/attestation/vectors.ts";

let folder: string;
let made: MadeEvidence;
const path = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quorate-evidence-"));
  made = await makeEvidence(await vendorKeys());
  await writeFile(path("evidence.json"), formatEvidenceFile(made.evidence));
  await writeFile(path("report.bin"), made.evidence.quote);
  for (const name of ["ark", "ask", "leaf"] as const)
    await writeFile(path(`${name}.der`), made[name]);
  const set = { ...PROPER_SET, developmentRoot: made.root };
  await writeFile(path("sets.json"), JSON.stringify({ web: set }));
  await writeFile(path("strict.json"), JSON.stringify({ web: { ...set, minimumGuestSvn: 99 } }));
});
afterAll(() => rm(folder, { recursive: true }));

function recorder(): { io: Io; out: () => string; err: () => string } {
  const chunks = { out: "", err: "" };
  const into = (name: "out" | "err"): Writable =>
    new Writable({
      write(chunk, _encoding, done) {
        chunks[name] += String(chunk);
        done();
      },
    });
  const io: Io = {
    stdin: new PassThrough(),
    stdout: into("out"),
    stderr: into("err"),
    env: {},
    interactive: false,
    signal: new AbortController().signal,
    now: () => NOW,
  };
  return { io, out: () => chunks.out, err: () => chunks.err };
}

const OPTIONS: VerifyOptions = {
  certificates: [],
  collateral: undefined,
  at: NOW,
  policy: undefined,
  reportData: undefined,
  allowDevelopment: true,
  output: "text",
};

describe("evidence inspect", () => {
  it("prints what evidence says, and that nothing is verified", async () => {
    const { io, out, err } = recorder();
    expect(await inspectEvidence(io, [path("evidence.json"), path("report.bin")], OPTIONS)).toBe(
      EXIT.ok,
    );
    expect(out()).toContain("measurement");
    expect(out()).toContain("a5".repeat(48));
    expect(err()).toContain("nothing of this is verified");
  });

  it("ends with another exit code for a report that cannot be read", async () => {
    await writeFile(path("odd.bin"), made.evidence.quote.with(0, 9));
    const { io, out } = recorder();
    const options = { output: "json" } as const;
    expect(await inspectEvidence(io, [path("odd.bin")], options)).toBe(EXIT.untrusted);
    expect(JSON.parse(out())).toMatchObject([
      { platform: "snp", facts: {}, failures: [{ code: "snp-report-version" }] },
    ]);
  });
});

describe("evidence verify", () => {
  it("accepts evidence under a policy", async () => {
    const { io, out } = recorder();
    const options = { ...OPTIONS, policy: path("sets.json") };
    expect(await verifyEvidence(io, [path("evidence.json")], options)).toBe(EXIT.ok);
    expect(out()).toContain(`as workload ${POLICY_HASH} by set web`);
    expect(out()).toContain("INSECURE");
  });

  it("takes certificates apart from the report, in DER and PEM", async () => {
    const pem = `-----BEGIN CERTIFICATE-----\n${Buffer.from(made.leaf)
      .toString("base64")
      .replace(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`;
    await writeFile(path("leaf.pem"), pem);
    const certificates = [path("ark.der"), path("ask.der"), path("leaf.pem")];
    const { io } = recorder();
    const options = { ...OPTIONS, certificates, policy: path("sets.json") };
    expect(await verifyEvidence(io, [path("report.bin")], options)).toBe(EXIT.ok);
  });

  it("gives every reason of a refusal, for programs too", async () => {
    const { io, out } = recorder();
    const options = { ...OPTIONS, policy: path("strict.json"), output: "json" } as const;
    expect(await verifyEvidence(io, [path("evidence.json")], options)).toBe(EXIT.untrusted);
    expect(JSON.parse(out())).toMatchObject([
      {
        accepted: false,
        identity: null,
        claims: { policyHash: POLICY_HASH, report: { policy: "0x3001f" } },
        failures: [{ code: "no-reference-set" }],
        mismatches: [
          {
            referenceSet: "web",
            failures: [{ code: "snp-guest-svn", expected: "at least 99", found: "7" }],
          },
        ],
      },
    ]);
  });

  it("refuses simulated evidence without a policy, or without leave", async () => {
    const without = recorder();
    expect(await verifyEvidence(without.io, [path("evidence.json")], OPTIONS)).toBe(EXIT.untrusted);
    expect(without.out()).toContain("root-untrusted");
    const strict = recorder();
    const options = { ...OPTIONS, policy: path("sets.json"), allowDevelopment: false };
    expect(await verifyEvidence(strict.io, [path("evidence.json")], options)).toBe(EXIT.untrusted);
    expect(strict.out()).toContain("development-not-allowed");
  });

  it("compares the report data if it is told what to expect", async () => {
    const { io, out } = recorder();
    const options = { ...OPTIONS, policy: path("sets.json"), reportData: new Uint8Array(64) };
    expect(await verifyEvidence(io, [path("evidence.json")], options)).toBe(EXIT.untrusted);
    expect(out()).toContain("report-data-mismatch");
  });

  it.each([
    ["a policy that holds no sets", { policy: "report.bin" }, "invalid-argument"],
    ["certificates that are none", { certificates: ["sets.json"] }, "collateral-invalid"],
    ["collateral that is not there", { collateral: "nowhere" }, "not-found"],
    ["collateral that is none", { collateral: "sets.json" }, "collateral-invalid"],
  ])("says so clearly: %s", async (_what, given, code) => {
    const options: VerifyOptions = {
      ...OPTIONS,
      ...("policy" in given && given.policy !== undefined ? { policy: path(given.policy) } : {}),
      ...("certificates" in given && given.certificates !== undefined
        ? { certificates: given.certificates.map(path) }
        : {}),
      ...("collateral" in given && given.collateral !== undefined
        ? { collateral: path(given.collateral) }
        : {}),
    };
    const { io } = recorder();
    await expect(verifyEvidence(io, [path("evidence.json")], options)).rejects.toMatchObject({
      code,
    });
  });
});

describe("manifest explain", () => {
  const manifest = (policies: Manifest["policies"]): Manifest =>
    ({
      policies,
      referenceValues: sets({ web: { ...PROPER_SET, developmentRoot: made.root } }),
    }) as unknown as Manifest;
  const policy = { role: "workload" } as Manifest["policies"] extends ReadonlyMap<unknown, infer P>
    ? P
    : never;
  const options = {
    acceptInsecureDevAttestation: true,
    at: NOW,
    output: "text",
  } as const;

  it("says as whom evidence would be accepted", async () => {
    const { io, out } = recorder();
    const command = new Command();
    const evidence = path("evidence.json");
    await explainEvidence(io, command, manifest(new Map([[POLICY_HASH, policy]])), {
      ...options,
      evidence,
    });
    expect(out()).toContain("accepted");
    expect(command.opts()).toEqual({});
  });

  it("says why it would be refused, and ends with another exit code", async () => {
    const { io, out } = recorder();
    const command = new Command();
    const evidence = path("evidence.json");
    await explainEvidence(io, command, manifest(new Map()), { ...options, evidence });
    expect(out()).toContain("policy-unknown");
    expect(Object.values(command.opts())).toEqual([EXIT.untrusted]);
  });
});

describe.skipIf(!hasVectors)(`real evidence${vectorsNote}`, () => {
  it("is genuine, and proposes the reference values that it matches", async () => {
    await writeFile(path("milan.bin"), vector("microsoft__CCF/milan_attestation.bin"));
    const files = certificatesIn("microsoft__CCF/milan_endorsements.pem");
    const certificates = await Promise.all(
      files.map(async (der, index) => {
        await writeFile(path(`milan-${index}.der`), der);
        return path(`milan-${index}.der`);
      }),
    );
    const { io, out } = recorder();
    const at = Date.parse("2025-06-01T00:00:00Z");
    const options = { ...OPTIONS, certificates, at, output: "json" } as const;
    expect(await verifyEvidence(io, [path("milan.bin")], options)).toBe(EXIT.ok);
    const [result] = JSON.parse(out()) as { genuine: boolean; proposedReferenceValues: unknown }[];
    expect(result?.genuine).toBe(true);
    await writeFile(path("milan.json"), JSON.stringify({ milan: result?.proposedReferenceValues }));
    const again = recorder();
    const policy = path("milan.json");
    expect(
      await verifyEvidence(again.io, [path("milan.bin")], { ...options, policy, output: "text" }),
    ).toBe(EXIT.ok);
    expect(again.out()).not.toContain("INSECURE");
  });
});

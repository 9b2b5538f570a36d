import { describe, expect, it } from "vitest";
import { commands, inProcess } from "./in-process.ts";

const HASH = "ab".repeat(32);
const ETCD = "etcds://localhost:2379/mesh";
/** Wrong calls that the parser must find, whatever else is given. */
const WRONG: readonly (readonly [what: string, args: readonly string[]])[] = [
  ["no command", []],
  ["an unknown command", ["bogus"]],
  ["a group without its command", ["keygen"]],
  ["an unknown flag", ["status", "--bogus"]],
  ["an argument too many", ["status", "now"]],
  ["a duration without a unit", ["status", "--timeout", "5"]],
  ["an address with a space", ["status", "-c", "a b"]],
  ["a port that is none", ["status", "-c", "host:65536"]],
  ["an unknown output format", ["status", "-o", "yaml"]],
  ["a missing flag", ["keygen", "owner"]],
  ["an unknown algorithm", ["keygen", "owner", "--out", "x", "--algorithm", "rsa"]],
  ["a missing argument", ["manifest", "validate"]],
  ["a set without approvals", ["set", "manifest.json"]],
  ["a recovery without a verified folder", ["recover", "--share-key", "x"]],
  ["a threshold that is no number", ["verify", "--owner", "x", "--threshold", "two"]],
  ["a threshold without owners", ["verify", "--threshold", "2"]],
  ["a lineage that is none", ["verify", "--lineage", HASH.toUpperCase()]],
  ["a name that is none", ["coordinator", "--name", "Big Name"]],
  ["a log level that is none", ["coordinator", "--log-level", "loud"]],
  ["a user of etcd without a password", ["coordinator", "--store", ETCD, "--etcd-user", "me"]],
  [
    "authorities of etcd that are missing",
    ["coordinator", "--store", ETCD, "--etcd-ca", "nowhere"],
  ],
  [
    "a password for a store in files",
    ["coordinator", "--etcd-user", "me", "--etcd-password-file", "x"],
  ],
  ["an unknown signal", ["sidecar", "--policy", "x", "--signal", "SIGKILL"]],
  ["a time that is none", ["evidence", "verify", "x", "--at", "tomorrow-ish"]],
];

describe("the command line, called wrongly,", () => {
  it.each(WRONG)("ends with code 2 for %s and prints nothing on standard output", async (...of) => {
    const { code, stdout, stderr } = await inProcess(of[1]);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(of[1].length < 2 ? /quorate/ : /^(error|Usage): /);
  });

  it("suggests the command that was probably meant", async () => {
    const { stderr } = await inProcess(["staus"]);
    expect(stderr).toMatch(
      /unknown command 'staus'\n\(Did you mean status\?\)\nhint: quorate --help/,
    );
  });

  it("answers wrong flags with the help of that very command", async () => {
    const { stderr } = await inProcess(["manifest", "diff", "a", "b", "--bogus"]);
    expect(stderr).toContain("hint: quorate manifest diff --help shows what it takes");
  });

  it.each([
    ["manifest validate", ["manifest", "validate", "nowhere.json"], "manifest nowhere.json"],
    ["approve", ["approve", "nowhere.json", "--genesis"], "manifest nowhere.json"],
    ["set", ["set", "nowhere.json", "--approval", "x"], "manifest nowhere.json"],
    ["recover", ["recover", "--share-key", "nowhere.pem", "--verified", "x"], "nowhere.pem"],
    ["sidecar", ["sidecar", "--policy", "nowhere.json"], "policy document nowhere.json"],
    ["evidence", ["evidence", "inspect", "nowhere.bin"], "nowhere.bin"],
  ])("%s ends with code 1 and names a file that is missing", async (_command, args, what) => {
    const { code, stdout, stderr } = await inProcess(args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^error: /);
    expect(stderr).toContain(what);
    expect(stderr).toContain("there is no such file");
  });
});

describe("help", () => {
  it("is printed on standard output with code 0, and teaches the exit codes", async () => {
    const { code, stdout, stderr } = await inProcess(["--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("7 not ready or recovery needed");
  });

  it("of every command names the environment variable of every flag", async () => {
    const all = await commands();
    expect(all.length).toBeGreaterThan(20);
    for (const { name, options } of all)
      for (const { long, envVar } of options.filter(({ long }) => long !== "--version"))
        expect({ name, long, envVar }).toEqual({
          name,
          long,
          envVar: `QUORATE_${long?.slice(2).toUpperCase().replaceAll("-", "_") ?? ""}`,
        });
  });
});

describe("the environment", () => {
  it("sets what a flag would set", async () => {
    const { stdout } = await inProcess(["version"], { QUORATE_OUTPUT: "json" });
    expect(JSON.parse(stdout)).toHaveProperty("version");
  });

  it("gives way to a flag", async () => {
    const { stdout } = await inProcess(["version", "-o", "text"], { QUORATE_OUTPUT: "json" });
    expect(stdout).toMatch(/^quorate \d/);
  });

  it("is checked like a flag", async () => {
    const { code, stderr } = await inProcess(["status"], { QUORATE_TIMEOUT: "soon" });
    expect(code).toBe(2);
    expect(stderr).toContain('"soon" is not a duration');
  });

  it("sets the flags for etcd, and the password itself is none of them", async () => {
    const environment = { QUORATE_STORE: ETCD, QUORATE_ETCD_PASSWORD_FILE: "nowhere" };
    const { code, stderr } = await inProcess(["coordinator"], environment);
    expect(code).toBe(2);
    expect(stderr).toContain("--etcd-password-file is given without --etcd-user");
    const refused = await inProcess(["coordinator", "--etcd-password", "x"]);
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("unknown option '--etcd-password'") as string,
    });
  });

  it("cannot switch something on with a word that is not clearly yes", async () => {
    const name = "QUORATE_ACCEPT_INSECURE_DEV_ATTESTATION";
    const { code, stderr } = await inProcess(["status"], { [name]: "maybe" });
    expect(code).toBe(2);
    expect(stderr).toBe(
      `error: ${name} is "maybe"\nhint: a switch is true, 1, false, 0 or empty\n`,
    );
  });
});

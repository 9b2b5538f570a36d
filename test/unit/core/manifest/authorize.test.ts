import { describe, expect, it } from "vitest";
import type { InstanceId } from "../../../../src/core/brand.ts";
import {
  authorize,
  genesisApprovalBytes,
  genesisInstanceBytes,
  updateApprovalBytes,
} from "../../../../src/core/manifest/index.ts";
import { parsed, sampleManifest, sha256 } from "./sample-manifest.ts";

const { owners } = parsed(sampleManifest());
const by = (name: string, valid = true) => ({ keyId: sha256(`ed25519:${name}`), valid });

describe("authorize", () => {
  it("lets a threshold of owners decide and says who they are", () => {
    expect(authorize(owners, [by("carol"), by("alice")])).toEqual({
      authorised: true,
      approvedBy: ["alice", "carol"],
      missing: ["bob"],
      message: "2 of the 2 needed owners approved; approved by alice, carol",
    });
  });

  it("names who could still approve when it is not enough", () => {
    expect(authorize(owners, [by("bob")])).toMatchObject({
      authorised: false,
      message: "1 of the 2 needed owners approved; approved by bob; not yet by alice, carol",
    });
    expect(authorize(owners, [])).toMatchObject({
      authorised: false,
      message: "0 of the 2 needed owners approved; not yet by alice, bob, carol",
    });
  });

  it("counts an owner once, however often the approval is given", () => {
    expect(authorize(owners, [by("bob"), by("bob"), by("bob")]).authorised).toBe(false);
  });

  it("counts neither strangers nor signatures that do not verify, and names them", () => {
    const decision = authorize(owners, [by("bob"), by("alice", false), by("mallory")]);
    expect(decision.authorised).toBe(false);
    expect(decision.message).toBe(
      "1 of the 2 needed owners approved; approved by bob; not yet by alice, carol; " +
        "the signature of alice does not fit this manifest; " +
        `no owner has the key ${sha256("ed25519:mallory")}`,
    );
  });

  it("is not disturbed by a wrong signature beside an owner's right one", () => {
    expect(authorize(owners, [by("bob", false), by("bob"), by("alice")]).authorised).toBe(true);
  });
});

describe("the bytes that owners sign", () => {
  const [lineage, predecessor, manifest] = [sha256("l"), sha256("p"), sha256("m")];
  const hexOf = (text: string): string => {
    const length = text.length.toString(16).padStart(8, "0");
    return length + Buffer.from(text).toString("hex");
  };

  it("are length-prefixed lists with a prefix for each purpose", () => {
    const subject = { lineage, predecessor, manifest };
    expect(Buffer.from(updateApprovalBytes(subject)).toString("hex")).toBe(
      ["quorate/approve-update/v1", lineage, predecessor, manifest].map(hexOf).join(""),
    );
    expect(Buffer.from(genesisApprovalBytes(manifest)).toString("hex")).toBe(
      ["quorate/approve-genesis/v1", manifest].map(hexOf).join(""),
    );
    const instance = "0f".repeat(16) as InstanceId;
    expect(Buffer.from(genesisInstanceBytes(manifest, instance)).toString("hex")).toBe(
      ["quorate/genesis-instance/v1", manifest, instance].map(hexOf).join(""),
    );
  });
});

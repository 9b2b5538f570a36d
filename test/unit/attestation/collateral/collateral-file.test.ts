import { describe, expect, it } from "vitest";
import {
  formatCollateralFile,
  parseCollateralFile,
} from "../../../../src/attestation/collateral/collateral-file.ts";
import { mergeCollateral } from "../../../../src/attestation/collateral/collateral-piece.ts";
import { NO_COLLATERAL } from "../../../../src/attestation/verification.ts";
import { utf8 } from "../../../../src/core/bytes.ts";
import { makeTdxEvidence } from "../../../support/attestation/tdx-vendor.ts";
import { VECTORS_PRESENT, vectorCollateral } from "../tdx/real-vectors.ts";

const { collateral } = await makeTdxEvidence();

describe("a collateral file", () => {
  it("comes back as it was written, byte for byte", () => {
    const read = parseCollateralFile(formatCollateralFile(collateral));
    expect(read.ok && mergeCollateral([read.value])).toEqual(mergeCollateral([collateral]));
  });

  it("may be empty", () => {
    expect(parseCollateralFile(formatCollateralFile(NO_COLLATERAL))).toEqual({
      ok: true,
      value: NO_COLLATERAL,
    });
  });

  it("keeps white space inside Intel's documents, which is signed", () => {
    const tcbInfos = [utf8('{ "tcbInfo" : { "é": 1 } }\n')];
    const read = parseCollateralFile(formatCollateralFile({ ...NO_COLLATERAL, tcbInfos }));
    expect(read.ok && Buffer.from(read.value.tcbInfos[0]!)).toEqual(Buffer.from(tcbInfos[0]!));
  });

  it.skipIf(!VECTORS_PRESENT)("may have the form in which DCAP tools write it", () => {
    const read = vectorCollateral("phala-network__dcap-qvl/near/quote_collateral.json");
    expect(read.revocationLists).toHaveLength(2);
    expect(read.certificates.length).toBeGreaterThanOrEqual(4);
    expect(Buffer.from(read.tcbInfos[0]!).toString()).toMatch(/^\{"tcbInfo":\{"id":"TDX".*"\}$/s);
  });

  it("shows every fault with its place", () => {
    const text = '{"format":"quorate/collateral/v2","certificates":["?"],"tcbInfos":[1],"extra":0}';
    const read = parseCollateralFile(utf8(text));
    expect(read.ok ? [] : read.error.faults.map(({ path }) => path)).toEqual([
      "$.format",
      "$.certificates[0]",
      "$.revocationLists",
      "$.tcbInfos[0]",
      "$.qeIdentities",
      "$.extra",
    ]);
  });

  it.each(["", "[]", "{", "null", '{"tcb_info":1}', '{"tcb_info":"{}","pck_crl":"zz"}'])(
    "is refused with collateral-invalid if it is %j",
    (text) => {
      expect(parseCollateralFile(utf8(text))).toMatchObject({
        error: { code: "collateral-invalid" },
      });
    },
  );
});

describe("merging", () => {
  it("drops repetitions and keeps the order", () => {
    const merged = mergeCollateral([collateral, NO_COLLATERAL, collateral]);
    expect(merged).toEqual(mergeCollateral([collateral]));
    expect(merged.certificates).toEqual(collateral.certificates);
  });
});

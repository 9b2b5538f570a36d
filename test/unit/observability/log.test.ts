import { describe, expect, it } from "vitest";
import { QuorateError } from "../../../src/core/errors.ts";
import { createLog } from "../../../src/observability/log.ts";
import { linesInto } from "../../fixtures/mesh.ts";

describe("the log for a terminal", () => {
  it("has a line of plain pairs", () => {
    const lines: string[] = [];
    const log = createLog({ level: "info", format: "text", destination: linesInto(lines) });
    log.info({ requestId: "a-1", received: 2, note: "two words" }, "call ended");
    expect(lines.join("")).toMatch(
      /^\d\d:\d\d:\d\d info {2}call ended {2}requestId=a-1 {2}received=2 {2}note="two words"\n?$/,
    );
  });

  it("lets no control character of a stranger's text through", () => {
    const lines: string[] = [];
    const log = createLog({ level: "info", format: "text", destination: linesInto(lines) });
    const hostile = "\u001b[2Jx\u009b2J\u007f\u0007\r";
    log.info({ error: new QuorateError("protocol", hostile), name: hostile }, "refused");
    expect(lines.join("").trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    expect(lines.join("")).toContain("\\u009b2J");
  });
});

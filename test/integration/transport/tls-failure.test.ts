import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { UserService } from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { createLog } from "../../../src/observability/log.ts";
import { serviceClient } from "../../../src/transport/grpc-client.ts";
import { ObservedChannel } from "../../../src/transport/observed-channel.ts";
import { generateTlsIdentity } from "../../../src/transport/tls-identity.ts";
import { linesInto } from "../../fixtures/mesh.ts";
import { failureOf, startServer } from "./fixture.ts";
import { rawTcp, rawTls } from "./raw-client.ts";

const identity = await generateTlsIdentity();

/** Raw OpenSSL text: an error number, a source file, a function. */
const RAW_OPENSSL = /error:[0-9A-F]{8}|SSL routines|\.c:\d/;

describe("TLS that fails", () => {
  it.each([
    ["GET / HTTP/1.1\r\n\r\n", "the other side speaks HTTP without TLS", "ERR_SSL_HTTP_REQUEST"],
    ["SSH-2.0-x\r\n", "the other side does not speak TLS", "ERR_SSL_WRONG_VERSION_NUMBER"],
  ])("is told by the port in plain words: %j", async (bytes, words, code) => {
    const { port: number, event } = await startServer();
    const tcp = await rawTcp(number);
    tcp.write(bytes);
    const { error } = await event("refused");
    tcp.destroy();
    expect(error.message).toBe(`TLS failed: ${words}`);
    // OpenSSL's own code is in the log of who looks for it, and in no other; its text in none.
    const lines: Record<"debug" | "info", string[]> = { debug: [], info: [] };
    for (const level of ["debug", "info"] as const) {
      const destination = linesInto(lines[level]);
      createLog({ level, format: "json", destination }).info({ error }, "refused");
    }
    expect(lines.debug.join("")).toContain(`"cause":"${code}"`);
    expect(lines.info.join("")).not.toContain(code);
    expect([...lines.debug, ...lines.info].join("")).not.toMatch(RAW_OPENSSL);
  });

  it.each([
    [{ maxVersion: "TLSv1.2" as const }, "the other side does not speak TLS 1.3"],
    [{ identity, ALPNProtocols: ["h2"] }, "no application protocol (ALPN) in common"],
    [{ identity, ecdhCurve: "P-521" }, "no cryptographic algorithm in common"],
  ])("is told by the port in plain words: %j", async (options, words) => {
    const { port: number, event } = await startServer();
    await rawTls(number, options).catch(() => undefined);
    const { error } = await event("refused");
    expect(error.message).toContain(words);
    expect(error.message).not.toMatch(RAW_OPENSSL);
  });

  it("is told to the client in plain words", async () => {
    const web = createServer((tcp) => {
      tcp.on("error", () => undefined);
      tcp.once("data", () => tcp.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    }).listen(0, "127.0.0.1");
    onTestFinished(() => void web.close());
    await once(web, "listening");
    const address = `127.0.0.1:${(web.address() as { port: number }).port}`;
    const channel = new ObservedChannel({ address });
    onTestFinished(() => {
      channel.close();
    });
    const failure = await failureOf(serviceClient(UserService, channel).getStatus({}));
    expect(failure).toMatchObject({
      code: "unreachable",
      message: "no TLS connection: the other side does not speak TLS",
    });
  });
});

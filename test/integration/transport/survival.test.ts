import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { describe, expect, it } from "vitest";
import { lengthPrefixed } from "../../../src/core/bytes.ts";
import { generateTlsIdentity } from "../../../src/transport/tls-identity.ts";
import { attestedClient, type Fixture, startServer } from "./fixture.ts";
import {
  closedByServer,
  HTTP2_START,
  http2FrameOf,
  proofFrame,
  rawGetStatus,
  rawTcp,
  rawTls,
  readVerdict,
} from "./raw-client.ts";

const identity = await generateTlsIdentity();

/** The server must still do its work for others, and hold nothing of the one who misbehaved. */
async function expectHealthy({ address, server }: Fixture): Promise<void> {
  expect(server.sessions()).toHaveLength(0);
  const { user, channel } = await attestedClient(address);
  expect((await user.getStatus({})).version).toBe("web");
  channel.close();
}

describe("before TLS", () => {
  it("cuts a connection that says nothing", async () => {
    const fixture = await startServer({ limits: { tlsHandshakeMs: 200 } });
    await closedByServer(await rawTcp(fixture.port));
    expect((await fixture.event("refused")).error.code).toBe("protocol");
    await expectHealthy(fixture);
  });

  it("cuts a connection that sends garbage", async () => {
    const fixture = await startServer();
    const tcp = await rawTcp(fixture.port);
    tcp.write("GET / HTTP/1.1\r\n\r\n");
    await closedByServer(tcp);
    await fixture.event("refused");
    await expectHealthy(fixture);
  });

  it("keeps one address from taking all places, and gives the places back", async () => {
    const fixture = await startServer({ limits: { strangersPerAddressMax: 3 } });
    const silent = await Promise.all([1, 2, 3].map(() => rawTcp(fixture.port)));
    await closedByServer(await rawTcp(fixture.port));
    expect((await fixture.event("rejected")).reason).toBe("address");
    for (const tcp of silent) tcp.destroy();
    await fixture.eventCount("refused", 3);
    await expectHealthy(fixture);
  });

  it("bounds the handshakes in progress", async () => {
    const fixture = await startServer({ limits: { handshakesMax: 2 } });
    const silent = [await rawTcp(fixture.port), await rawTcp(fixture.port)];
    await closedByServer(await rawTcp(fixture.port));
    expect((await fixture.event("rejected")).reason).toBe("handshakes");
    for (const tcp of silent) tcp.destroy();
    await fixture.eventCount("refused", 2);
    await expectHealthy(fixture);
  });

  it("bounds the open connections", async () => {
    const fixture = await startServer({ limits: { connectionsMax: 1 } });
    const { user } = await attestedClient(fixture.address);
    await user.getStatus({});
    await closedByServer(await rawTcp(fixture.port));
    expect((await fixture.event("rejected")).reason).toBe("connections");
    expect((await user.getStatus({})).version).toBe("web");
  });

  it("delays handshakes beyond the rate instead of failing them", async () => {
    const fixture = await startServer({
      limits: { handshakesPerSecondMax: 20, handshakeBurstMax: 2 },
    });
    const started = performance.now();
    const clients = await Promise.all(
      [1, 2, 3, 4, 5, 6].map(() => attestedClient(fixture.address)),
    );
    await Promise.all(clients.map(({ user }) => user.getStatus({})));
    // Two at once, then one every 50 ms.
    expect(performance.now() - started).toBeGreaterThan(190);
  });
});

describe("during TLS", () => {
  it("refuses TLS 1.2", async () => {
    const fixture = await startServer();
    const failure = rawTls(fixture.port, { maxVersion: "TLSv1.2" });
    await expect(failure).rejects.toThrow(/protocol version/i);
    await fixture.event("refused");
    await expectHealthy(fixture);
  });

  it.each([["h2"], ["http/1.1"]])("refuses the protocol %s on an attested port", async (alpn) => {
    const fixture = await startServer();
    const failure = rawTls(fixture.port, { identity, ALPNProtocols: [alpn] });
    await expect(failure).rejects.toThrow(/no application protocol/i);
    await fixture.event("refused");
    await expectHealthy(fixture);
  });

  it("refuses a client that names no protocol", async () => {
    const fixture = await startServer({ plain: true });
    await closedByServer(await rawTls(fixture.port, { identity, ALPNProtocols: [] }));
    expect((await fixture.event("refused")).error.code).toBe("protocol");
    await expectHealthy(fixture);
  });

  it("does not resume a session, and sends no early data ticket that would", async () => {
    const fixture = await startServer();
    const first = await rawTls(fixture.port, { identity });
    const tickets: Buffer[] = [];
    first.on("session", (ticket: Buffer) => tickets.push(ticket));
    first.write(await proofFrame(first, identity));
    await readVerdict(first);
    const session = tickets[0] ?? first.getSession();
    first.destroy();
    const second = await rawTls(fixture.port, { identity, session });
    expect(second.isSessionReused()).toBe(false);
    second.destroy();
    await fixture.event("closed");
  });
});

describe("between TLS and HTTP/2", () => {
  it("tells a client without a certificate what is missing", async () => {
    const fixture = await startServer();
    const tls = await rawTls(fixture.port);
    const { error } = await readVerdict(tls);
    expect(error).toMatchObject({ code: "unauthenticated" });
    await closedByServer(tls);
    await expectHealthy(fixture);
  });

  it("tells a client that shows the server's own key so", async () => {
    const fixture = await startServer();
    const tls = await rawTls(fixture.port, { identity: fixture.identity });
    const { error } = await readVerdict(tls);
    expect(error?.message).toContain("own key");
    await closedByServer(tls);
    await expectHealthy(fixture);
  });

  it("cuts a client that drips its proof byte by byte", async () => {
    const fixture = await startServer({ limits: { sessionHandshakeMs: 1_500 } });
    const tls = await rawTls(fixture.port, { identity });
    const frame = await proofFrame(tls, identity);
    let sent = 0;
    const drip = setInterval(() => tls.write(frame.subarray(sent, ++sent)), 100);
    tls.once("close", () => clearInterval(drip));
    await closedByServer(tls);
    expect((await fixture.event("refused")).error.code).toBe("deadline-exceeded");
    await expectHealthy(fixture);
  });

  it("refuses an oversized frame at its length, before its bytes", async () => {
    const fixture = await startServer();
    const tls = await rawTls(fixture.port, { identity });
    tls.write(Buffer.from([0x7f, 0xff, 0xff, 0xff]));
    expect((await readVerdict(tls)).error?.code).toBe("too-large");
    await closedByServer(tls);
    await expectHealthy(fixture);
  });

  it("answers a proof that is garbage with a clear refusal", async () => {
    const fixture = await startServer();
    const tls = await rawTls(fixture.port, { identity });
    tls.write(lengthPrefixed(Buffer.alloc(500, 0xff)));
    expect((await readVerdict(tls)).error?.code).toBe("protocol");
    await closedByServer(tls);
    await expectHealthy(fixture);
  });

  it("refuses the frame of another session, whoever made it", async () => {
    const fixture = await startServer();
    const first = await rawTls(fixture.port, { identity });
    const frame = await proofFrame(first, identity);
    first.write(frame);
    expect((await readVerdict(first)).error).toBeUndefined();
    const second = await rawTls(fixture.port, { identity });
    second.write(frame);
    expect((await readVerdict(second)).error?.code).toBe("attestation-failed");
    first.destroy();
    await fixture.event("closed");
    await expectHealthy(fixture);
  });

  it("serves a client that sends its HTTP/2 preface right behind its proof", async () => {
    const fixture = await startServer();
    const tls = await rawTls(fixture.port, { identity });
    tls.write(Buffer.concat([await proofFrame(tls, identity), HTTP2_START]));
    expect((await readVerdict(tls)).error).toBeUndefined();
    // Its acknowledgement of our settings.
    await http2FrameOf(tls, { type: 4, flags: 1 });
    tls.destroy();
    await fixture.event("closed");
    await expectHealthy(fixture);
  });

  it("survives a client that goes away at any step", async () => {
    const fixture = await startServer();
    const secured = (tcp: Socket): Promise<TLSSocket> => rawTls(fixture.port, { identity, tcp });
    const proved = async (tcp: Socket, bytes?: number): Promise<TLSSocket> => {
      const tls = await secured(tcp);
      tls.write((await proofFrame(tls, identity)).subarray(0, bytes));
      return tls;
    };
    const accepted = async (tcp: Socket): Promise<TLSSocket> => {
      const tls = await proved(tcp);
      await readVerdict(tls);
      return tls;
    };
    const steps: ((tcp: Socket) => unknown)[] = [
      () => undefined,
      (tcp) => tcp.write(Buffer.from("16030100f8010000f40303", "hex")),
      (tcp) => secured(tcp),
      (tcp) => proved(tcp, 2),
      (tcp) => proved(tcp, 40),
      (tcp) => proved(tcp),
      (tcp) => accepted(tcp),
      async (tcp) => (await accepted(tcp)).write(HTTP2_START.subarray(0, 10)),
      async (tcp) => {
        const tls = await accepted(tcp);
        tls.write(HTTP2_START);
        await http2FrameOf(tls, { type: 4, flags: 1 });
      },
    ];
    for (const step of steps) {
      for (const leave of ["destroy", "resetAndDestroy"] as const) {
        const tcp = await rawTcp(fixture.port);
        await step(tcp);
        tcp[leave]();
      }
    }
    // Every connection ended as a refusal or as a session that closed.
    await fixture.until(
      (events) =>
        events.filter(({ kind }) => kind === "refused" || kind === "closed").length ===
        2 * steps.length,
    );
    await expectHealthy(fixture);
  });
});

describe("a peer's identity", () => {
  it("is its connection's, even if the next connection comes from the same port", async () => {
    const fixture = await startServer();
    const localPort = await freePort();
    for (const who of ["first", "second", "third"]) {
      const tcp = await rawTcp(fixture.port, localPort);
      const tls = await rawTls(fixture.port, { identity, tcp });
      tls.write(await proofFrame(tls, identity, who));
      expect((await readVerdict(tls)).error).toBeUndefined();
      expect((await rawGetStatus(tls)).version).toBe(who);
      tcp.resetAndDestroy();
    }
    await fixture.eventCount("closed", 3);
  });
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}

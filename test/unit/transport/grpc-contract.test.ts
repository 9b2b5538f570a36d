/** What the transport relies on in grpc-js without a promise of its authors. A new version must pass this first. */
import { CallCredentials, ChannelCredentials, Server, ServerCredentials } from "@grpc/grpc-js";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { describe, expect, it } from "vitest";
import { SessionCredentials } from "../../../src/transport/channel-credentials.ts";

const require = createRequire(import.meta.url);

async function sourceOf(file: string): Promise<string> {
  return readFile(require.resolve(`@grpc/grpc-js/build/src/${file}`), "utf8");
}

describe("grpc-js", () => {
  it("is the version that this was tried with", async () => {
    const manifest: unknown = JSON.parse(
      await readFile(require.resolve("@grpc/grpc-js/package.json"), "utf8"),
    );
    expect(manifest).toMatchObject({ version: "1.14.7" });
  });

  it("asks of channel credentials exactly what ours implement", () => {
    const abstract = Object.getOwnPropertyNames(
      ChannelCredentials.createInsecure().constructor.prototype,
    );
    expect(abstract.sort()).toEqual(
      ["_createSecureConnector", "_equals", "_isSecure", "compose", "constructor"].sort(),
    );
    const credentials = new SessionCredentials(() => Promise.reject(new Error("not here")));
    expect(credentials).toBeInstanceOf(ChannelCredentials);
    expect(credentials._isSecure()).toBe(true);
    expect(credentials._equals(credentials)).toBe(true);
    expect(
      credentials._equals(new SessionCredentials(() => Promise.reject(new Error("not here")))),
    ).toBe(false);
  });

  it("uses of a secure connector exactly what ours has", async () => {
    const uses = `${await sourceOf("subchannel.js")} ${await sourceOf("transport.js")} ${await sourceOf("internal-channel.js")}`;
    const used = new Set([...uses.matchAll(/secureConnector\.(\w+)/g)].map(([, name]) => name));
    expect([...used].sort()).toEqual(["connect", "destroy", "getCallCredentials", "waitForReady"]);
  });

  it("lets a secure connector secure the socket, and tells it when it is not needed any more", async () => {
    let aborted = false;
    const secured = new TLSSocket(new Socket());
    const credentials = new SessionCredentials((_tcp, signal) => {
      signal.addEventListener("abort", () => (aborted = true));
      return Promise.resolve(secured);
    });
    const connector = credentials._createSecureConnector({}, {});
    await connector.waitForReady();
    expect(await connector.connect(new Socket())).toEqual({ socket: secured, secure: true });
    expect(connector.getCallCredentials()).toBeInstanceOf(CallCredentials);
    connector.destroy();
    expect(aborted).toBe(true);
    secured.destroy();
  });

  // That calls find their connection through the auth context is shown in test/integration/transport.
  it("has a connection injector", () => {
    const injector = new Server().createConnectionInjector(ServerCredentials.createInsecure());
    expect(typeof injector.injectConnection).toBe("function");
    injector.destroy();
  });
});

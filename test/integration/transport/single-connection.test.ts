import { describe, expect, it, onTestFinished } from "vitest";
import { UserService } from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { AttestedChannel } from "../../../src/transport/attested-channel.ts";
import { serviceClient } from "../../../src/transport/grpc-client.ts";
import { generateTlsIdentity } from "../../../src/transport/tls-identity.ts";
import { failureOf, type FixturePeer, freshProver, startServer, verifier } from "./fixture.ts";

describe("a channel that ends with its first connection", () => {
  it("takes calls as long as that lasts, and none over another one", async () => {
    const fixture = await startServer();
    const channel = new AttestedChannel<FixturePeer>({
      address: fixture.address,
      identity: await generateTlsIdentity(),
      purpose: "mesh-session",
      prover: freshProver("web"),
      verifier: verifier("instance"),
      choices: { singleConnection: true },
    });
    onTestFinished(() => channel.close());
    const user = serviceClient(UserService, channel);
    expect((await user.getStatus({})).version).toBe("web");
    expect((await user.getStatus({})).version).toBe("web");
    for (const session of fixture.server.sessions()) session.close();
    await fixture.event("closed");
    for (let i = 0; i < 2; i++) {
      const failure = await failureOf(user.getStatus({}));
      expect(failure.code).toMatch(/unreachable|unavailable/);
    }
    expect((await failureOf(user.getStatus({}))).message).toBe("the connection was lost");
    expect(fixture.events.filter(({ kind }) => kind === "opened")).toHaveLength(1);
  });
});

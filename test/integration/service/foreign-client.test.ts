import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningCoordinator, World } from "./world.ts";

const execute = promisify(execFile);
const PYTHON = "/usr/bin/python3";
const FETCH_CERTIFICATE =
  "import ssl, sys; print(ssl.get_server_certificate(('127.0.0.1', int(sys.argv[1]))))";
const CLIENT = path.join(import.meta.dirname, "../transport/python/plain_client.py");

let world: World;
let coordinator: RunningCoordinator;
beforeAll(async () => {
  world = await World.create();
  coordinator = await world.coordinator();
});
afterAll(() => world.close());

describe("a plain Python gRPC client", () => {
  it("learns userapi by reflection, reads health and status, and gets readable errors", async ({
    skip,
  }) => {
    const available = await execute(PYTHON, ["-c", "import grpc, google.protobuf"]).catch(
      () => null,
    );
    if (available === null)
      skip("python3 with grpcio is not installed (Debian: apt-get install python3-grpcio)");
    const port = coordinator.user.split(":").at(-1) ?? "";
    const { stdout: pem } = await execute(PYTHON, ["-c", FETCH_CERTIFICATE, port]);
    await writeFile(world.file("server.pem"), pem);
    const client = async () => {
      const { stdout } = await execute(PYTHON, [CLIENT, port, world.file("server.pem")]);
      return JSON.parse(stdout) as Record<string, unknown>;
    };
    const { version } = await world.json("version");
    expect(await client()).toMatchObject({
      services: expect.arrayContaining([
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "quorate.userapi.v1.UserService",
      ]) as unknown,
      status: version,
      // Not serving: it has no manifest yet.
      health: "0802",
      malformed: { status: "INVALID_ARGUMENT" },
      faults: { status: "INVALID_ARGUMENT" },
    });
    await world.set("manifest.json", coordinator.user, "genesis");
    expect(await client()).toMatchObject({ health: "0801" });
  });
});

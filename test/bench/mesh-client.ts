/** Attested sessions of a simulated workload with a coordinator that a {@link Workbench} has started. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import {
  Appraiser,
  DevelopmentQuoter,
  developmentMeasurement,
  loadDevelopmentVendor,
  NO_COLLATERAL,
} from "../../src/attestation/index.ts";
import { parseAddress } from "../../src/config/address.ts";
import { parsePolicyDocument } from "../../src/core/policy-document/policy-document.ts";
import { parseOwnerKey, sha256 } from "../../src/crypto/index.ts";
import { MeshService } from "../../src/gen/quorate/meshapi/v1/mesh_pb.ts";
import { coordinatorVerifier } from "../../src/sidecar/coordinator-verifier.ts";
import { AttestedChannel } from "../../src/transport/attested-channel.ts";
import { serviceClient } from "../../src/transport/grpc-client.ts";
import { freshQuoteProver, proofVerifier } from "../../src/transport/proof.ts";
import { generateTlsIdentity } from "../../src/transport/tls-identity.ts";

/** Prepares sessions of the workload `web`. @param folder the workbench's. @param mesh address of meshapi. */
export async function meshClient(folder: string, mesh: string) {
  const policy = await readFile(path.join(folder, "web.policy.json"));
  const parsed = parsePolicyDocument(policy, parseOwnerKey);
  if (!parsed.ok || parsed.value.coordinator === undefined) throw new Error("the policy has pins");
  const vendor = await loadDevelopmentVendor(path.join(folder, "platform"));
  const quoter = new DevelopmentQuoter(vendor, {
    measurement: developmentMeasurement("web"),
    policyHash: sha256(policy),
  });
  const evidence = coordinatorVerifier({
    pins: parsed.value.coordinator,
    appraiser: new Appraiser(),
    collateral: () => Promise.resolve(NO_COLLATERAL),
    allowDevelopment: true,
    now: Date.now,
  });
  const { host, port } = parseAddress(mesh, { host: "127.0.0.1", port: 0 });
  /** A new connection with its own TLS key. */
  return async () => {
    const channel = new AttestedChannel({
      address: `${host}:${port}`,
      identity: await generateTlsIdentity(),
      purpose: "mesh-session",
      prover: freshQuoteProver({
        quote: (reportData, signal) => quoter.quote(reportData, { signal }),
      }),
      verifier: proofVerifier({ accept: ["instance"], evidence }),
    });
    return { channel, mesh: serviceClient(MeshService, channel) };
  };
}

/** A simulated AMD's chain: root, intermediate and one chip's endorsement key, in the form of the real ones. */
import { type KeyObject, generateKeyPair, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { utf8 } from "../../core/bytes.ts";
import { DER_TAG } from "../../crypto/der.ts";
import { derElement, derInteger } from "../../crypto/der-writer.ts";
import { AMD_EXTENSION } from "../snp/amd-extensions.ts";
import {
  authorityConstraint,
  authorityKeyUsage,
  distinguishedName,
  writeCertificate,
} from "./certificate-writer.ts";

/** The TCB of every simulated machine: sets can ask for it as their minimum. */
export const SIMULATED_TCB = { bootloader: 4, tee: 0, snp: 24, microcode: 219 } as const;

/** The chain in DER, and the only private key that is kept. */
export interface SimulatedChain {
  readonly ark: Uint8Array;
  readonly ask: Uint8Array;
  readonly vcek: Uint8Array;
  readonly vcekKey: KeyObject;
}

/** Makes a chain of a Milan machine. The keys of root and intermediate are forgotten. */
export async function makeSimulatedChain(): Promise<SimulatedChain> {
  const [arkKeys, askKeys, vcekKeys] = await Promise.all([
    generate("rsa", { modulusLength: RSA_BITS }),
    generate("rsa", { modulusLength: RSA_BITS }),
    generate("ec", { namedCurve: "P-384" }),
  ]);
  const now = Date.now();
  const validity = { notBefore: now - BACKDATED_MS, notAfter: now + LIFETIME_MS };
  const arkName = distinguishedName(ORGANIZATION, "ARK-Milan");
  const askName = distinguishedName(ORGANIZATION, "SEV-Milan");
  const authority = (pathLength: number) => [authorityKeyUsage(), authorityConstraint(pathLength)];
  const svn = (oid: string, value: number) => ({ oid, value: derInteger(value) });
  const [ark, ask, vcek] = await Promise.all([
    writeCertificate(
      {
        ...validity,
        serial: Uint8Array.of(1),
        issuer: arkName,
        subject: arkName,
        publicKey: arkKeys.publicKey,
        extensions: authority(1),
      },
      arkKeys.privateKey,
    ),
    writeCertificate(
      {
        ...validity,
        serial: Uint8Array.of(2),
        issuer: arkName,
        subject: askName,
        publicKey: askKeys.publicKey,
        extensions: authority(0),
      },
      arkKeys.privateKey,
    ),
    writeCertificate(
      {
        ...validity,
        serial: Uint8Array.of(0),
        issuer: askName,
        subject: distinguishedName(ORGANIZATION, "SEV-VCEK"),
        publicKey: vcekKeys.publicKey,
        extensions: [
          {
            oid: AMD_EXTENSION.productName,
            value: derElement(DER_TAG.ia5String, utf8("Milan-B1")),
          },
          svn(AMD_EXTENSION.bootloader, SIMULATED_TCB.bootloader),
          svn(AMD_EXTENSION.tee, SIMULATED_TCB.tee),
          svn(AMD_EXTENSION.snp, SIMULATED_TCB.snp),
          svn(AMD_EXTENSION.microcode, SIMULATED_TCB.microcode),
          { oid: AMD_EXTENSION.hardwareId, value: randomBytes(64) },
        ],
      },
      askKeys.privateKey,
    ),
  ]);
  return { ark, ask, vcek, vcekKey: vcekKeys.privateKey };
}

const generate = promisify(generateKeyPair);

const ORGANIZATION = "Simulated vendor, INSECURE, for development only";
/** Ten years, so that a forgotten demo does not break; a day back for clocks that differ. */
const LIFETIME_MS = 3650 * 86_400_000;
const BACKDATED_MS = 86_400_000;
/** A simulated root protects nothing that its folder does not; small keys make tests and demos start fast. */
const RSA_BITS = 2048;

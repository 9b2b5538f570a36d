/** A record's mesh CA: signs the leaves of workloads. The hot path of the whole service. */
import { createPrivateKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import type { Millis, Sha256 } from "../core/brand.ts";
import { assert } from "../core/assert.ts";
import { QuorateError } from "../core/errors.ts";
import { err, ok, type Result } from "../core/result.ts";
import { type EllipticPublicKey, parseEllipticSpki } from "../crypto/elliptic-key.ts";
import { Secret } from "../crypto/secret.ts";
import { keyIdOf } from "../crypto/spki.ts";
import type { CertificateView } from "../crypto/x509-view.ts";
import type { Lineage } from "./authority-name.ts";
import { type AuthorityCertificates, verifyAuthorities } from "./authorities.ts";
import { createMeshCaCertificates, type RecordNumbers } from "./mesh-ca-certificates.ts";
import { assembleCertificate, LeafTemplate } from "./leaf-template.ts";
import { keyIdentifier, LEAF_BACKDATE_MS, randomSerial, serialText } from "./profile.ts";
import type { LeafIdentity } from "./subject-alt-name.ts";

/** What a leaf is issued for. */
export interface LeafRequest {
  /** From the certificate request, whose own signature was verified. */
  readonly publicKey: EllipticPublicKey;
  /** From the manifest's policy that the evidence satisfied. */
  readonly identity: LeafIdentity;
  /** SHA-256 of that evidence. */
  readonly evidenceDigest: Sha256;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** The manifest's. */
  readonly lifetimeSeconds: number;
}

/** A leaf. Its chain is itself, then the mesh CA's intermediate certificate. */
export interface IssuedLeaf {
  /** DER. */
  readonly certificate: Uint8Array;
  /** Upper-case hex, as openssl and node:crypto write it: for audit logs. */
  readonly serial: string;
  /** Milliseconds since the Unix epoch, whole seconds. */
  readonly notBefore: Millis;
  readonly notAfter: Millis;
}

/** What a mesh CA is loaded from, in a coordinator that did not make it. */
export interface MeshCaParts {
  /** PKCS#8, from {@link MeshCa.exportPrivateKey}. Stays the caller's. */
  readonly privateKey: Secret;
  readonly certificates: AuthorityCertificates;
  /** SHA-256 of the root's SPKI, from the verified record. */
  readonly rootCaKey: Sha256;
  /** SHA-256 of the mesh CA's SPKI, from the verified record. */
  readonly meshCaKey: Sha256;
}

/**
 * The private key of one record's mesh CA, its certificates, and the template of its leaves.
 *
 * **Security:** the key is random for every record and never derived from the seed, so share owners can't rebuild it.
 * Whoever holds this object can issue any identity of the mesh: it is reachable from a ready state only.
 */
export class MeshCa {
  /** Of this CA and the root above it. */
  readonly certificates: AuthorityCertificates;
  /** SHA-256 of the CA's SPKI: the record's `meshCaKey`. */
  readonly keyId: Sha256;
  readonly #privateKey: KeyObject;
  readonly #template: LeafTemplate;
  readonly #notBefore: number;
  readonly #notAfter: number;

  private constructor(
    mesh: Pick<Lineage & RecordNumbers, "trustDomain" | "generation">,
    privateKey: KeyObject,
    certificates: AuthorityCertificates,
    intermediate: CertificateView,
  ) {
    const publicKey = parseEllipticSpki(intermediate.spki);
    assert(publicKey?.curve === "P-256", "a mesh CA's key is on P-256");
    this.certificates = certificates;
    this.keyId = keyIdOf(publicKey.keyObject);
    this.#privateKey = privateKey;
    this.#notBefore = intermediate.notBefore;
    this.#notAfter = intermediate.notAfter;
    this.#template = new LeafTemplate({
      trustDomain: mesh.trustDomain,
      generation: mesh.generation,
      name: intermediate.subject.encoded,
      keyIdentifier: keyIdentifier(publicKey.point),
    });
  }

  /**
   * A new mesh CA for a record that is being made: random key, both certificates.
   *
   * @param root the lineage's root certificate (DER) and private key. @param now milliseconds since the Unix epoch.
   */
  static async create(
    mesh: Lineage & RecordNumbers,
    root: { readonly certificate: Uint8Array; readonly privateKey: KeyObject },
    now: number,
  ): Promise<MeshCa> {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const meshCa = await createMeshCaCertificates(mesh, root, privateKey, now);
    const certificates = { root: root.certificate, meshCa };
    const verified = await verifyAuthorities(certificates, {
      rootCaKey: keyIdOf(root.privateKey),
      meshCaKey: keyIdOf(privateKey),
    });
    if (!verified.ok) throw verified.error;
    return new MeshCa(mesh, privateKey, certificates, verified.value.intermediate);
  }

  /**
   * The mesh CA of a record that exists. Fails with `verification-failed` unless the certificates are the record's
   * (see {@link verifyAuthorities}) and the private key is theirs.
   */
  static async load(
    mesh: Pick<Lineage & RecordNumbers, "trustDomain" | "generation">,
    parts: MeshCaParts,
  ): Promise<Result<MeshCa, QuorateError>> {
    const privateKey = importKeyOf(parts.privateKey, parts.meshCaKey);
    if (privateKey === undefined) {
      return err(new QuorateError("verification-failed", "the mesh CA key is not the record's"));
    }
    const verified = await verifyAuthorities(parts.certificates, parts);
    if (!verified.ok) return verified;
    return ok(new MeshCa(mesh, privateKey, parts.certificates, verified.value.intermediate));
  }

  /** True if `privateKey` (PKCS#8) is the private half of the key with this id: a record's `meshCaKey`. */
  static isKeyOf(privateKey: Secret, meshCaKey: Sha256): boolean {
    return importKeyOf(privateKey, meshCaKey) !== undefined;
  }

  /**
   * Issues a leaf by the profile of `docs/certificates.md`: about the cost of one ECDSA signature on P-256, 30 µs on this
   * thread. The thread pool would cost half as much again.
   *
   * Fails with `unavailable` if the clock is outside of the CA's own validity.
   *
   * **Security:** checks nothing about who asks. Callers have verified the evidence, the request's signature and the
   * record's freshness.
   */
  issueLeaf(request: LeafRequest): IssuedLeaf {
    const { notBefore, notAfter } = this.#validity(request);
    const serial = randomSerial();
    const { publicKey, identity, evidenceDigest } = request;
    const toBeSigned = this.#template.toBeSigned({
      serial,
      notBefore,
      notAfter,
      publicKey,
      identity,
      evidenceDigest,
    });
    const signature = sign("sha256", toBeSigned, this.#privateKey);
    return {
      certificate: assembleCertificate(toBeSigned, signature),
      serial: serialText(serial),
      notBefore,
      notAfter,
    };
  }

  /**
   * The private key as PKCS#8, which the caller disposes.
   *
   * **Security:** only for sealing to a coordinator that was attested and satisfies the record's manifest.
   */
  exportPrivateKey(): Secret {
    return Secret.take(this.#privateKey.export({ format: "der", type: "pkcs8" }));
  }

  #validity(request: LeafRequest): { notBefore: Millis; notAfter: Millis } {
    const { now, lifetimeSeconds } = request;
    if (now < this.#notBefore || now >= this.#notAfter) {
      throw new QuorateError("unavailable", "the mesh CA's certificate is not valid at this time", {
        hint: "Check the clock of this host; a root older than ten years needs a new lineage",
      });
    }
    return {
      notBefore: wholeSeconds(Math.max(now - LEAF_BACKDATE_MS, this.#notBefore)),
      notAfter: wholeSeconds(Math.min(now + lifetimeSeconds * 1000, this.#notAfter)),
    };
  }
}

function wholeSeconds(millis: number): Millis {
  return (Math.floor(millis / 1000) * 1000) as Millis;
}

/** The private key (PKCS#8), if it is the one of this id. */
function importKeyOf(privateKey: Secret, keyId: Sha256): KeyObject | undefined {
  const key = privateKey.use(importPrivateKey);
  return key !== undefined && keyIdOf(key) === keyId ? key : undefined;
}

function importPrivateKey(pkcs8: Uint8Array): KeyObject | undefined {
  const key = Buffer.from(pkcs8.buffer, pkcs8.byteOffset, pkcs8.length);
  try {
    return createPrivateKey({ key, format: "der", type: "pkcs8" });
  } catch {
    // Not a key, or one that OpenSSL refuses: the caller's one answer covers both.
    return undefined;
  }
}

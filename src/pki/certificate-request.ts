/**
 * PKCS#10 certificate requests (RFC 2986). A request proves possession of a key and says nothing else that counts:
 * names come from the manifest.
 */
import { sign, type KeyObject } from "node:crypto";
import { assert } from "../core/assert.ts";
import { QuorateError } from "../core/errors.ts";
import { CERTIFICATE_REQUEST_BYTES_MAX } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";
import { contextTag, DER_TAG, type DerReader, parseDer } from "../crypto/der.ts";
import { derBitString, derElement, derInteger, derOid, derSequence } from "../crypto/der-writer.ts";
import { equalBytes } from "../core/bytes.ts";
import { type EllipticPublicKey, importEllipticSpki } from "../crypto/elliptic-key.ts";
import {
  readSignatureAlgorithm,
  type SignatureAlgorithm,
  verifySignature,
  verifyP256Here,
} from "../crypto/signature.ts";
import { spkiOf } from "../crypto/spki.ts";
import { OID } from "./profile.ts";

/**
 * Verifies a request (DER) and returns its public key, and only that: subject and attributes are skipped unread.
 *
 * Fails with `invalid-argument`: too large, not DER, not P-256 or P-384 (uncompressed, named curve), signed with
 * something else than ECDSA over SHA-256 or SHA-384, or not signed by its own key.
 *
 * **Security:** the signature proves that the sender holds the private key, so nobody gets a certificate for another's
 * key. The result owns its bytes.
 *
 * @param known a key of an earlier request: if this one is for the same, it is not imported again. Its signature is
 * verified whether or not it is.
 */
export async function verifyCertificateRequest(
  der: Uint8Array,
  known?: EllipticPublicKey,
): Promise<Result<EllipticPublicKey, QuorateError>> {
  const parsed = parseDer(der, readRequest, CERTIFICATE_REQUEST_BYTES_MAX);
  if (!parsed.ok) return refused(`it is not PKCS#10 in DER: ${parsed.error.message}`);
  const { info, spki, algorithm, signature } = parsed.value;
  if (algorithm !== "ecdsa-sha256" && algorithm !== "ecdsa-sha384") {
    return refused("it is not signed with ECDSA over SHA-256 or SHA-384");
  }
  const isKnown = known !== undefined && equalBytes(known.spki, spki);
  const publicKey = isKnown ? known : await importEllipticSpki(spki);
  if (publicKey === undefined) {
    return refused("its key is not on P-256 or P-384 as a named curve with an uncompressed point");
  }
  const isGenuine =
    publicKey.curve === "P-256"
      ? verifyP256Here(algorithm, publicKey, info, signature)
      : await verifySignature(algorithm, publicKey.keyObject, info, signature);
  return isGenuine ? ok(publicKey) : refused("its signature was not made with its own key");
}

/** A request (DER) for a P-256 or P-384 key, with an empty subject and no attributes. */
export async function createCertificateRequest(privateKey: KeyObject): Promise<Uint8Array> {
  const { namedCurve } = privateKey.asymmetricKeyDetails ?? {};
  assert(namedCurve === "prime256v1" || namedCurve === "secp384r1", "a leaf key is P-256 or P-384");
  const isP256 = namedCurve === "prime256v1";
  const info = derSequence(
    derInteger(0),
    derSequence(),
    spkiOf(privateKey),
    derElement(contextTag(0)),
  );
  const signature = await new Promise<Uint8Array>((resolve, reject) => {
    sign(isP256 ? "sha256" : "sha384", info, privateKey, (error, bytes) => {
      if (error === null) resolve(bytes);
      else reject(error);
    });
  });
  const algorithm = derSequence(derOid(isP256 ? OID.ecdsaWithSha256 : OID.ecdsaWithSha384));
  return derSequence(info, algorithm, derBitString(signature));
}

interface Request {
  /** What is signed. */
  readonly info: Uint8Array;
  readonly spki: Uint8Array;
  readonly algorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
}

function readRequest(der: DerReader): Request {
  return der.inside((request) => {
    const info = request.peekEncoded();
    const spki = request.inside((fields) => {
      if (fields.smallInteger() !== 0) fields.fail("a version other than 1");
      fields.element(DER_TAG.sequence);
      const key = fields.element(DER_TAG.sequence).encoded;
      // RFC 2986 demands the attributes, even if empty; some tools leave them out.
      fields.optional(contextTag(0));
      return key;
    });
    return {
      info,
      spki,
      algorithm: readSignatureAlgorithm(request),
      signature: request.bitString(),
    };
  });
}

function refused(reason: string): Result<never, QuorateError> {
  return err(
    new QuorateError("invalid-argument", `the certificate request is refused: ${reason}`, {
      hint: "Make the request with openssl req -new and a P-256 or P-384 key",
    }),
  );
}

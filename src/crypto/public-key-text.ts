/** The two forms in which a manifest may carry a public key: PEM text, and SPKI DER in standard base64. */
import { fromBase64 } from "../core/base64.ts";
import { QuorateError } from "../core/errors.ts";
import { OWNER_KEY_TEXT_MAX } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";

const PEM = /^\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*$/;

/**
 * The DER in `text`. Fails with `invalid-argument` for any other form, several keys, a private key, or more than
 * OWNER_KEY_TEXT_MAX characters.
 */
export function publicKeyDer(text: string): Result<Uint8Array, QuorateError> {
  if (text.length > OWNER_KEY_TEXT_MAX) {
    return err(publicKeyFault(`a public key has at most ${OWNER_KEY_TEXT_MAX} characters`));
  }
  if (text.includes("PRIVATE KEY")) {
    return err(publicKeyFault("this is a private key, which belongs to its owner alone"));
  }
  const body = PEM.exec(text)?.[1];
  const der = fromBase64(body === undefined ? text : body.replace(/\s/g, ""));
  if (der === undefined || der.length === 0) {
    return err(publicKeyFault("not a public key in PEM (BEGIN PUBLIC KEY) or base64 SPKI"));
  }
  return ok(der);
}

/** The error for a public key that can't be used. */
export function publicKeyFault(message: string): QuorateError {
  return new QuorateError("invalid-argument", message, {
    hint: "Give the public key as written by quorate keygen or openssl pkey -pubout",
  });
}

/** Failed TLS handshakes in plain words: OpenSSL's own name source files of OpenSSL and the memory of a thread. */

/** What an OpenSSL reason or Node's network error means, most telling first. Both sides of a handshake use it. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/NO_APPLICATION_PROTOCOL/, "the two sides have no application protocol (ALPN) in common"],
  [/HTTP_REQUEST/, "the other side speaks HTTP without TLS"],
  [/UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION/, "the other side does not speak TLS 1.3"],
  [/WRONG_VERSION_NUMBER|UNEXPECTED_MESSAGE|RECORD/, "the other side does not speak TLS"],
  [
    /SIGNATURE_ALGORITHMS?|KEY_SHARE|NO_SHARED|HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY/,
    "the two sides have no cryptographic algorithm in common",
  ],
  [/CERTIFICATE|UNKNOWN_CA/, "a certificate was refused"],
  [/HANDSHAKE_TIMEOUT|ETIMEDOUT/, "the handshake took too long"],
  [/ECONNRESET|EPIPE|ECONNABORTED/, "the connection was cut during the handshake"],
];

/**
 * Why a handshake failed, as half a sentence.
 *
 * **Security:** never the library's own text, which this project does not control and which may go on to logs, audit
 * and other processes. Its code stays with the error that this came from, for the debug log.
 */
export function tlsFailureReason(cause: Error | undefined): string {
  if (cause === undefined) return "the connection was closed during the handshake";
  const code = "code" in cause ? String(cause.code) : "";
  return REASONS.find(([pattern]) => pattern.test(code))?.[1] ?? "the handshake failed";
}

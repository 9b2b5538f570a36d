import { describe, expect, it } from "vitest";
import { tlsFailureReason } from "../../../src/transport/tls-failure.ts";

function failure(code: string): Error {
  const message = `805C285B027F0000:error:0A00010B:SSL routines:f:${code}:../deps/openssl/x.c:350:`;
  return Object.assign(new Error(message), { code });
}

describe("the reason of a failed TLS handshake", () => {
  it.each([
    ["ERR_SSL_HTTP_REQUEST", "the other side speaks HTTP without TLS"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "the other side does not speak TLS"],
    ["ERR_SSL_UNSUPPORTED_PROTOCOL", "the other side does not speak TLS 1.3"],
    ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "the other side does not speak TLS 1.3"],
    [
      "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
      "the two sides have no application protocol (ALPN) in common",
    ],
    ["ERR_SSL_NO_SUITABLE_KEY_SHARE", "the two sides have no cryptographic algorithm in common"],
    [
      "ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS",
      "the two sides have no cryptographic algorithm in common",
    ],
    ["ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE", "a certificate was refused"],
    ["ERR_TLS_HANDSHAKE_TIMEOUT", "the handshake took too long"],
    ["ECONNRESET", "the connection was cut during the handshake"],
    ["ERR_SSL_SOMETHING_NEW", "the handshake failed"],
  ])("is told in plain words for %s", (code, words) => {
    expect(tlsFailureReason(failure(code))).toBe(words);
  });

  it("never has the library's own text, known code or not", () => {
    for (const cause of [failure("ERR_SSL_BAD_PSK"), new Error("error:0A00010B")])
      expect(tlsFailureReason(cause)).toBe("the handshake failed");
  });

  it("is the closing, if there was no error", () => {
    expect(tlsFailureReason(undefined)).toBe("the connection was closed during the handshake");
  });
});

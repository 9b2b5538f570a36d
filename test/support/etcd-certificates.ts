/** Certificates for an etcd of tests and its clients, made with OpenSSL. */
import { spawnSync } from "node:child_process";

/** User of etcd that the client certificate stands for where etcd goes by certificates. */
export const CERTIFICATE_USER = "by-certificate";

/**
 * Writes PEM files into `folder`, each certificate as `NAME.pem` with its key in `NAME.key`:
 *
 * - the authorities `ca` and `other-ca`;
 * - `etcd`, issued by `ca` for `etcd.test` and 127.0.0.1, which serves etcd and its tools;
 * - `client`, issued by `ca` for clients only, with {@link CERTIFICATE_USER} as its common name.
 */
export function makeEtcdCertificates(folder: string): void {
  const script = [
    ...["ca", "other-ca"].map(
      (name) =>
        `openssl req -x509 ${NEW_KEY} -days 2 -subj /CN=${name} -keyout ${name}.key -out ${name}.pem`,
    ),
    ...issue("etcd", "etcd", [
      "subjectAltName=DNS:etcd.test,IP:127.0.0.1",
      "extendedKeyUsage=serverAuth,clientAuth",
    ]),
    ...issue("client", CERTIFICATE_USER, ["extendedKeyUsage=clientAuth"]),
  ].join(" && ");
  const made = spawnSync("sh", ["-c", script], { cwd: folder, encoding: "utf8" });
  if (made.status !== 0) throw new Error(made.stderr);
}

const NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

function issue(name: string, commonName: string, extensions: readonly string[]): readonly string[] {
  return [
    `openssl req ${NEW_KEY} -subj /CN=${commonName} -keyout ${name}.key -out ${name}.csr`,
    `printf '${extensions.join("\\n")}\\n' > ${name}.extensions`,
    `openssl x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ${name}.extensions -out ${name}.pem`,
  ];
}

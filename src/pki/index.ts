/** What other folders use of `pki`. */
export { type Authorities, type AuthorityCertificates, type AuthorityKeys } from "./authorities.ts";
export { type Lineage } from "./authority-name.ts";
export { type MeshCaCertificates, type RecordNumbers } from "./mesh-ca-certificates.ts";
export { createRootCertificate } from "./root-certificate.ts";
export { createCertificateRequest, verifyCertificateRequest } from "./certificate-request.ts";
export { type IssuedLeaf, type LeafRequest, MeshCa, type MeshCaParts } from "./mesh-ca.ts";
export { certificatesPem } from "./pem.ts";
export { type LeafIdentity, spiffeId } from "./subject-alt-name.ts";

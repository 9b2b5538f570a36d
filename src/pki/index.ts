/** What other folders use of `pki`. */
export { type Authorities, type AuthorityCertificates, type AuthorityKeys } from "./authorities.ts";
export {
  createRootCertificate,
  type Lineage,
  type MeshCaCertificates,
  type RecordNumbers,
} from "./authority-certificates.ts";
export { createCertificateRequest, verifyCertificateRequest } from "./certificate-request.ts";
export { type IssuedLeaf, type LeafRequest, MeshCa, type MeshCaParts } from "./mesh-ca.ts";
export { certificatesPem } from "./pem.ts";
export { type LeafIdentity, spiffeId } from "./subject-alt-name.ts";

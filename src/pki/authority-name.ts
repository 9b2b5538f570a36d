/** What the names of a mesh's CAs say. */
import type { Sha256 } from "../core/brand.ts";

/** Which mesh a CA belongs to. */
export interface Lineage {
  readonly trustDomain: string;
  readonly lineage: Sha256;
}

/** The parts of a CA's distinguished name, in this order. */
export interface AuthorityName {
  readonly organization: string;
  readonly commonName: string;
}

/** RFC 5280's upper bound for organization names; the URI SAN has the trust domain in full. */
const ORGANIZATION_MAX = 64;

/** The name of a CA of a mesh: of its root, or of a record's mesh CA. */
export function authorityName(mesh: Lineage, kind: string, suffix = ""): AuthorityName {
  return {
    organization: mesh.trustDomain.slice(0, ORGANIZATION_MAX),
    commonName: `Quorate ${kind} ${mesh.lineage.slice(0, 8)}${suffix}`,
  };
}

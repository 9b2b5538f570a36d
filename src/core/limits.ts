/**
 * Every bound of the project in one place, each with its reason. The README's limits table repeats the ones that
 * users meet. Sizes are bytes, times milliseconds.
 */

/** A manifest: thousands of policies fit; parsing stays below 10 ms; a document stays below etcd's 1.5 MiB value limit. */
export const MANIFEST_BYTES_MAX = 512 * 1024;
/** Nesting of a JSON document: manifests need six levels; deep nesting only serves stack exhaustion. */
export const JSON_DEPTH_MAX = 16;
/** Coordinator names in one manifest: Raft groups above nine only get slower. */
export const COORDINATORS_MAX = 9;
/** Workload policies in one manifest. */
export const POLICIES_MAX = 2_000;
/** Reference-value sets in one manifest; appraisal tries each. */
export const REFERENCE_SETS_MAX = 64;
/** Owners and share owners in one manifest (Shamir shares are numbered with one byte). */
export const OWNERS_MAX = 64;
/** DNS names, and IP addresses, of one policy: a leaf certificate stays below 8 KiB. */
export const NAMES_PER_POLICY_MAX = 32;
/** Faults reported at once; the rest is counted. */
export const FAULTS_MAX = 100;
/** One policy document of a workload. */
export const POLICY_DOCUMENT_BYTES_MAX = 64 * 1024;
/** One signed record. */
export const RECORD_BYTES_MAX = 16 * 1024;
/** Any document in the store, below etcd's default request limit of 1.5 MiB with room for the transaction. */
export const DOCUMENT_BYTES_MAX = 1024 * 1024;
/** Records and their documents in one page of the history. */
export const HISTORY_PAGE_MAX = 100;
/** One gRPC message received; a manifest with approvals and policy documents fits. */
export const GRPC_MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** One DER document (certificate, revocation list, request): real revocation lists stay below 100 KiB. */
export const DER_BYTES_MAX = 1024 * 1024;
/** Nesting of a DER document: a certificate with an SGX extension needs nine levels. */
export const DER_DEPTH_MAX = 16;
/** Longest wait for one operation of the store unless the caller says otherwise: a slow disk's fsync or an etcd leader change fits. */
export const STORE_TIMEOUT_MS = 5_000;

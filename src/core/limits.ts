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
/**
 * Records and documents in one page of the history: a message less what else is in it. A record with all that it
 * refers to must fit one page, or nobody could read the history from there on; so it also bounds what can be set.
 */
export const HISTORY_PAGE_BYTES_MAX = GRPC_MESSAGE_BYTES_MAX - 64 * 1024;
/** One DER document (certificate, revocation list, request): real revocation lists stay below 100 KiB. */
export const DER_BYTES_MAX = 1024 * 1024;
/** Nesting of a DER document: a certificate with an SGX extension needs nine levels. */
export const DER_DEPTH_MAX = 16;
/** Longest wait for one operation of the store unless the caller says otherwise: a slow disk's fsync or an etcd leader change fits. */
export const STORE_TIMEOUT_MS = 5_000;
/** How often a watch of the file store looks by itself, in case the operating system's notification was lost. */
export const FILE_STORE_POLL_MS = 1_000;
/** Age at which a temporary file of the file store is a leftover of a crash: no write takes nearly as long. */
export const TEMPORARY_FILE_AGE_MS = 3_600_000;
/** One X.509 certificate: vendors' certificates stay below 2 KiB. */
export const CERTIFICATE_BYTES_MAX = 16 * 1024;
/** Entries of one revocation list; a list of {@link DER_BYTES_MAX} holds fewer. */
export const REVOKED_CERTIFICATES_MAX = 50_000;
/** Entries' bytes in one append: a few manifests' worth, sent in well under a heartbeat. */
export const RAFT_APPEND_BYTES_MAX = 1024 * 1024;
/** Appends in flight to one follower: hides a round trip at full rate, bounds what a lost link costs. */
export const RAFT_INFLIGHT_MESSAGES_MAX = 64;
/** Bytes in flight to one follower. */
export const RAFT_INFLIGHT_BYTES_MAX = 4 * 1024 * 1024;
/** Payload that a leader appends before it must be committed: a cut-off leader's memory stays small. */
export const RAFT_UNCOMMITTED_BYTES_MAX = 8 * 1024 * 1024;
/** One proposal: a prepare carries one record and wraps for every member, far below this. */
export const RAFT_PROPOSAL_BYTES_MAX = 1024 * 1024;
/** Committed bytes handed over in one Ready, so that applying them keeps the event loop free. */
export const RAFT_APPLY_BYTES_MAX = 4 * 1024 * 1024;
/** Committed entries handed over in one Ready. */
export const RAFT_APPLY_ENTRIES_MAX = 1_024;
/** Entries kept in memory; beyond it a follower that is further behind gets a snapshot, which is small here. */
export const RAFT_LOG_ENTRIES_MAX = 8_192;
/** Bytes of entries kept in memory. */
export const RAFT_LOG_BYTES_MAX = 32 * 1024 * 1024;
/** Proposals or reads that wait for their result on one node. */
export const RAFT_WAITING_MAX = 4_096;
/** Answers to one member's forwarded proposals that a leader remembers: far more than a network repeats late. */
export const RAFT_ANSWERS_KEPT_MAX = 1_024;
/** Election timeouts of silence after which a member may be replaced by its next instance. */
export const RAFT_REPLACE_SILENT_TIMEOUTS = 3;
/** Election timeouts for which a removed member is still told that it is out. */
export const RAFT_REMOVAL_NOTICE_TIMEOUTS = 10;
/** Members of one configuration, learners included: nine names, each with a next instance. */
export const RAFT_MEMBERS_MAX = 18;
/** Messages from other groups that one Ready reports. */
export const RAFT_OTHER_GROUPS_MAX = 16;
/** One HPKE message: seed, keys and shares take below a kilobyte each. */
export const SEALED_BYTES_MAX = 64 * 1024;
/** A certificate request: P-384 with a few attributes stays below 1 KiB. */
export const CERTIFICATE_REQUEST_BYTES_MAX = 8 * 1024;
/** Text of one owner's public key: RSA with 8192 bits takes 1.5 KiB of base64. */
export const OWNER_KEY_TEXT_MAX = 4 * 1024;
/** Largest RSA modulus in bits: one decryption stays below 0.1 s. */
export const RSA_BITS_MAX = 8192;
/**
 * Error detail of a failed call: with status and message it stays below 8 KiB of trailers, the default bound of gRPC
 * clients in other languages. Faults that do not fit are counted.
 */
export const ERROR_DETAIL_BYTES_MAX = 4 * 1024;
/** One text (message, hint, fault) of an error on the wire, in UTF-16 units. */
export const ERROR_TEXT_CHARACTERS_MAX = 600;
/** Default deadline of a unary call: an update that waits for its group is done, or reported as unfinished, well before. */
export const CALL_TIMEOUT_MS = 30_000;
/** Acceptable values in one list of a reference-value set: a fleet's chip ids fit. */
export const ALLOW_LIST_MAX = 256;
/** Number of a healing attempt in a message: receivers jump to it, and must still be able to count on exactly. */
export const HEALING_ATTEMPT_MAX = 2 ** 48;
/** Configurations in one healing vote: the applied one, a joint one and its end are at most in one log's tail. */
export const HEALING_CONFIGURATIONS_MAX = 8;
/** Rebases of one opening: each needs another update of a group without a leader; then the next attempt is better. */
export const HEALING_REBASES_MAX = 8;
/** One TCB info or QE identity document: Intel's have 5 KiB, and grow by some 300 bytes a TCB level. */
export const COLLATERAL_JSON_BYTES_MAX = 128 * 1024;
/** One quote: an SNP report has 1,184 bytes, TDX quotes about 5,000, clouds pad them to 8,000. */
export const QUOTE_BYTES_MAX = 32 * 1024;
/** A host's certificate table: configfs-tsm gives at most 16 KiB for SNP. */
export const CERTIFICATE_TABLE_BYTES_MAX = 32 * 1024;
/** Entries read from a host's certificate table: five kinds are known, clouds add one or two of their own. */
export const CERTIFICATE_TABLE_ENTRIES_MAX = 32;
/** Certificates and revocation lists considered for one verification; more are ignored with a warning. */
export const COLLATERAL_ITEMS_MAX = 64;
/** Entries in each cache of parsed certificates, verified signatures and verified evidence. */
export const VERIFICATION_CACHE_ENTRIES_MAX = 1_024;
/** Path of a SPIFFE id: the standard allows 2,048 bytes for the whole id, a leaf certificate needs room for the rest. */
export const SPIFFE_PATH_MAX = 512;
/** Records of one lineage that are walked: ten years at one every five minutes; their hashes take 100 MB. */
export const HISTORY_RECORDS_MAX = 1_000_000;
/** Wait for one quote unless the caller says otherwise: a busy TDX host takes 30 to 60 seconds. */
export const QUOTE_TIMEOUT_MS = 60_000;
/** Requests for quotes that may wait or run: beyond that their deadlines pass anyway. */
export const QUOTES_WAITING_MAX = 64;
/** One side's proof in an attested session: evidence at its largest, and an instance's keys. */
export const PROOF_FRAME_BYTES_MAX = QUOTE_BYTES_MAX + CERTIFICATE_TABLE_BYTES_MAX + 2 * 1024;
/** The server's verdict: its proof or an error. */
export const VERDICT_FRAME_BYTES_MAX = PROOF_FRAME_BYTES_MAX + ERROR_DETAIL_BYTES_MAX;
/** From accepting a connection to its first HTTP/2 byte, quotes included: slow quote devices take a few seconds. */
export const SESSION_HANDSHAKE_MS = 15_000;
/** The TLS part of it: two round trips of one slow link. */
export const TLS_HANDSHAKE_MS = 5_000;
/** How long a refused peer may take to read why, before its connection is cut. */
export const REFUSAL_LINGER_MS = 1_000;
/** Handshakes in progress on one port: bounds memory and quotes in the making, and leaves slow strangers few places. */
export const HANDSHAKES_MAX = 128;
/** Handshakes and plain connections of one address (IPv6: one /64), so that one host can't take all places. */
export const STRANGERS_PER_ADDRESS_MAX = 64;
/**
 * Handshakes started in a second on one port; more are delayed. Each costs the event loop two to three milliseconds, so
 * a flood takes at most half of an idle loop, and less of a busy one (`transport/admission.ts`).
 */
export const HANDSHAKES_PER_SECOND_MAX = 200;
/** Handshakes that may start at once after a quiet time: together they hold the event loop for 20 ms, in pieces. */
export const HANDSHAKE_BURST_MAX = 8;
/** Open connections on one port: at 80 KiB each they stay below 160 MiB. */
export const CONNECTIONS_MAX = 2_000;
/** Plain TLS connections among them: their other side proved nothing. */
export const PLAIN_CONNECTIONS_MAX = 256;
/** Calls at once on one connection. */
export const CONNECTION_CALLS_MAX = 32;
/** Calls at once on a port that takes plain TLS: with the largest message each they stay below 256 MiB. */
export const STRANGERS_CALLS_MAX = 64;
/** Age at which a connection is asked to end, so that nobody lives on old evidence. */
export const CONNECTION_AGE_MS = 1_800_000;
/** Time that running calls of such a connection have left. */
export const CONNECTION_AGE_GRACE_MS = 30_000;
/** Silence after which the other side of a connection is asked for a sign of life. */
export const KEEPALIVE_MS = 30_000;
/** Time to answer it. */
export const KEEPALIVE_TIMEOUT_MS = 10_000;
/** First and longest pause between attempts of a client to connect again. */
export const RECONNECT_BACKOFF_MS = 200;
export const RECONNECT_BACKOFF_MAX_MS = 10_000;
/** One certificate, revocation list or document of collateral; Intel's longest list has 7 KiB in 2026. */
export const COLLATERAL_ITEM_BYTES_MAX = 512 * 1024;
/** One file of collateral for machines without a network. */
export const COLLATERAL_FILE_BYTES_MAX = 4 * 1024 * 1024;
/** The file of a simulated vendor: three certificates and a key. */
export const DEVELOPMENT_VENDOR_BYTES_MAX = 64 * 1024;
/** Longest wait for one etcd endpoint before the next one is tried: above an honest answer, far below STORE_TIMEOUT_MS. */
export const ETCD_ATTEMPT_MS = 1_000;
/** Pause after every endpoint has failed once, so that an outage is not answered with a storm of calls. */
export const ETCD_RETRY_PAUSE_MS = 50;
/** How often a watch of etcd reads the head by itself, because a watch that was cut off in silence shows nothing. */
export const ETCD_WATCH_POLL_MS = 2_000;
/** Endpoints of one etcd; its own advice is at most seven members. */
export const ETCD_ENDPOINTS_MAX = 16;
/** A file that holds the password of etcd's user: etcd's hash sees 72 bytes of it, so a larger file is the wrong one. */
export const ETCD_PASSWORD_BYTES_MAX = 1024;
/** One owner's signature: the longest accepted form, ECDSA P-384 in DER, has 104 bytes. */
export const OWNER_SIGNATURE_BYTES_MAX = 104;
/** A file of evidence: quote and certificates in base64 or hex with line breaks. */
export const EVIDENCE_FILE_BYTES_MAX = 256 * 1024;
/** A file of certificates that a person gives to a command: a chain in PEM has about 7 KiB. */
export const CERTIFICATE_FILE_BYTES_MAX = 256 * 1024;
/** Longest wait for one answer of a collateral service: Intel's and AMD's take up to 3 s, on-demand VCEKs longer. */
export const COLLATERAL_FETCH_TIMEOUT_MS = 10_000;
/** Collateral fetched at the same time: strangers' evidence must not turn into a flood of requests to the vendor. */
export const COLLATERAL_FETCHES_MAX = 8;
/** How long a failed fetch is not repeated: AMD's service limits callers to one request in ten seconds. */
export const COLLATERAL_RETRY_MS = 30_000;
/** Age at which revocation lists and documents are fetched again although they are valid: revocation takes a day at most. */
export const COLLATERAL_AGE_MAX_MS = 86_400_000;
/** Pieces in the collateral cache, in memory and on disk: one per machine and firmware, a few KiB each. */
export const COLLATERAL_CACHE_ENTRIES_MAX = 512;
/**
 * Verifications of evidence that run at a time: Node's thread pool has four threads, and what each does before it
 * gets there must not add up to a blocked event loop.
 */
export const VERIFICATIONS_AT_ONCE_MAX = 4;
/** Prepared records that a coordinator keeps keys of: one for each instance that is making a change just now. */
export const PREPARES_MAX = 18;
/** Longest wait for one answer of another coordinator: what it does for it is a few milliseconds of work in memory. */
export const PEER_ANSWER_MS = 2_000;
/** How long a change that is in force waits for a majority of coordinators to hold its secrets, before the caller is told to wait on. */
export const DURABLE_WAIT_MS = 10_000;
/** How often a DNS name of peers is looked up again: a new pod is found well before its start-up probe gives up. */
export const PEER_LOOKUP_MS = 5_000;
/** Addresses of peers: nine names, each with a few addresses and instances that come and go, with room. */
export const PEER_ADDRESSES_MAX = 64;
/** From dialing a peer to its first standing; a quote made for the first session may take longer, then the next attempt has it. */
export const PEER_CONNECT_MS = 10_000;
/** First and longest pause before a lost or refused peer is tried again. */
export const PEER_RETRY_MS = 100;
export const PEER_RETRY_MAX_MS = 5_000;
/** Pause before an address that led to this very process is tried again: it may be given to somebody else one day. */
export const PEER_SELF_RETRY_MS = 60_000;
/** Silence after which a peer is asked for a sign of life, and its time to answer: together, how long a vanished one goes unnoticed. */
export const PEER_KEEPALIVE_MS = 5_000;
export const PEER_KEEPALIVE_TIMEOUT_MS = 5_000;
/** Standings that a peer may send in a second: ten times what a storm of updates causes; a liar must not keep us busy. */
export const PEER_STANDINGS_PER_SECOND_MAX = 1_000;
/** One answer of a peer, who may be anybody until it is judged: a standing with every field at its bound has 2 KiB. */
export const PEER_ANSWER_BYTES_MAX = 16 * 1024;
/** Version text of a peer's build. */
export const PEER_VERSION_CHARACTERS_MAX = 64;
/** Longest wait for a peer's secrets: a session with a fresh quote on a shared device, and one answer. */
export const PEER_RECOVERY_MS = 10_000;
/** How long a peer that was asked for secrets may take before the next one is asked too. */
export const PEER_HEDGE_MS = 150;
/** First and longest pause before the same peers are asked again for the same secrets. */
export const PEER_RECOVERY_BACKOFF_MS = 200;
export const PEER_RECOVERY_BACKOFF_MAX_MS = 10_000;
/** How often a head that is not as it should be, or not as a peer claims, is read again. */
export const STORE_RECHECK_MS = 1_000;
/** How long a change waits for a majority of its coordinators to come in reach: sessions that are just being opened. */
export const PEERS_PATIENCE_MS = 3_000;
/** How long a change waits for further coordinators to take its key, once enough have: they answer within milliseconds. */
export const PREPARE_GRACE_MS = 100;
/** Issuances that verify a request or sign a leaf in one turn of the event loop: 0.1 to 0.2 ms each, 3 ms together. */
export const ISSUANCE_STEPS_PER_TURN_MAX = 16;
/** Pause after documents that the store had lost were put back, before a peer's word makes this coordinator write again. */
export const PUT_BACK_PAUSE_MS = 10_000;

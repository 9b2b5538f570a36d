/** Default ports. */

/** userapi: people and their tools. */
export const DEFAULT_USER_PORT = 1313;
/** meshapi: attested workloads. */
export const DEFAULT_MESH_PORT = 7777;
/** Other coordinators. */
export const DEFAULT_PEER_PORT = 7778;
/** Probes and metrics. */
export const DEFAULT_ADMIN_PORT = 9102;

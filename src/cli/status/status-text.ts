/** What a coordinator says of itself and of its peers, for people. */
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { formatDuration } from "../../config/duration.ts";
import {
  type GetStatusResponse,
  type LastRecovery,
  Mode,
  type PeerStatus,
  type PlatformStatus,
} from "../../gen/quorate/userapi/v1/user_pb.ts";
import { Platform } from "../../gen/quorate/common/v1/evidence_pb.ts";
import { modeText } from "../mode-text.ts";

/**
 * Rows of name and value, and below them a table of the other coordinators, if there are any.
 *
 * **Security:** nothing of this was verified: characters that could steer a terminal are replaced.
 *
 * @param now milliseconds since the Unix epoch.
 */
export function statusText(status: GetStatusResponse, now: number): string {
  const rows = ownRows(status, now).map(
    ([name, value]) => `${`${name}:`.padEnd(13)} ${printable(value)}`,
  );
  const { peers } = status;
  if (peers.length === 0) return rows.join("\n");
  return [...rows, "", ...table([PEER_HEADINGS, ...peers.map(peerCells)])].join("\n");
}

function ownRows(status: GetStatusResponse, now: number): [string, string][] {
  const { instance, head, recovery, lastRecovery, store, platform, startedAt } = status;
  const rows: [string, string][] = [
    ["state", modeText(status.mode)],
    [
      "coordinator",
      `${instance?.name ?? "?"}, instance ${instance?.id ?? "?"}, version ${status.version}`,
    ],
    ["platform", platformText(platform)],
  ];
  if (startedAt !== undefined)
    rows.push(["running for", formatDuration(now - timestampMs(startedAt))]);
  if (head !== undefined) {
    rows.push([
      "generation",
      `${head.generation}, epoch ${head.epoch}, recoveries ${head.recoveryCount}`,
    ]);
    rows.push(
      ["manifest", head.manifestHash],
      ["record", head.recordHash],
      ["lineage", head.lineage],
    );
  }
  rows.push(["store", `${store?.description ?? "?"}: ${store?.condition ?? "?"}`]);
  if (recovery !== undefined) {
    rows.push([
      "recovery",
      `${recovery.sharesReceived} of ${recovery.sharesThreshold} shares; history verified to generation ${recovery.lastVerifiedGeneration}`,
    ]);
  }
  if (lastRecovery !== undefined) rows.push(["recovered", lastRecoveryText(lastRecovery, now)]);
  if (status.suspended !== "") rows.push(["not issuing", status.suspended]);
  if (status.hint !== "") rows.push(["next step", status.hint]);
  return rows;
}

function platformText(platform: PlatformStatus | undefined): string {
  const name = Platform[platform?.platform ?? 0]?.toLowerCase() ?? "?";
  return platform?.development === true ? `${name} (simulated: INSECURE)` : name;
}

function lastRecoveryText({ from, recordHash, at, millis }: LastRecovery, now: number): string {
  const source = from === "" ? "from share owners" : `from ${from} in ${millis} ms`;
  const when = at === undefined ? "" : `, ${formatDuration(now - timestampMs(at))} ago`;
  return `${source}${when}, under record ${short(recordHash, 12)}`;
}

const PEER_HEADINGS = [
  "peer",
  "address",
  "state",
  "generation/epoch",
  "record",
  "instance",
  "version",
  "problem",
];

function peerCells(peer: PeerStatus): string[] {
  const isReached = peer.mode !== Mode.UNSPECIFIED;
  return [
    peer.name,
    peer.address,
    isReached ? modeText(peer.mode) : "out of reach",
    peer.heldRecord === "" ? "" : `${peer.generation}/${peer.epoch}`,
    short(peer.heldRecord, 12),
    short(peer.instanceId, 8),
    peer.version,
    peer.problem,
  ].map((cell) => (cell === "" ? "-" : printable(cell)));
}

/** Lines with aligned columns, the last one ragged. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = PEER_HEADINGS.map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  return rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function short(hash: string, digits: number): string {
  return hash.slice(0, digits);
}

function printable(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    "\ufffd",
  );
}

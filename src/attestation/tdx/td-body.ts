/** The TD report body inside a quote: TD 1.0 (584 bytes) and TD 1.5 (648 bytes). */
import type { ByteReader } from "./byte-reader.ts";

/** Bytes of a TD 1.0 body. */
export const TD_BODY_10_BYTES = 584;
/** Bytes of a TD 1.5 body. */
export const TD_BODY_15_BYTES = 648;

/**
 * What the TDX module says of a TD (Intel TDX DCAP Quoting Library API, "TD Quote Body"). All fields are views of
 * the quote: 48-byte SHA-384 values unless a length stands beside them; integers inside are little-endian.
 *
 * @typeParam Bytes how byte strings are held: views of the quote, or lower-case hex for claims.
 */
export interface TdBody<Bytes = Uint8Array> {
  /** 16 security version numbers of the TDX platform; [0] and [1] are those of the module that made the report. */
  readonly teeTcbSvn: Bytes;
  readonly mrSeam: Bytes;
  readonly mrSignerSeam: Bytes;
  /** 8 bytes. */
  readonly seamAttributes: Bytes;
  /** 8 bytes: a 64-bit set of flags, bit 0 debug. */
  readonly tdAttributes: Bytes;
  /** 8 bytes: the extended CPU features that the TD may use. */
  readonly xfam: Bytes;
  readonly mrTd: Bytes;
  readonly mrConfigId: Bytes;
  readonly mrOwner: Bytes;
  readonly mrOwnerConfig: Bytes;
  /** RTMR 0 to 3. */
  readonly rtmrs: readonly [Bytes, Bytes, Bytes, Bytes];
  /** 64 bytes that the TD chose. */
  readonly reportData: Bytes;
  /** TD 1.5 only: `teeTcbSvn` of the module that runs now, 16 bytes. */
  readonly teeTcbSvn2?: Bytes;
  /** TD 1.5 only: measurement of the bound service TDs, zero if there are none. */
  readonly mrServiceTd?: Bytes;
}

/** Reads a body of the given size; throws `EndOfInput` if the quote breaks off. */
export function readTdBody(
  reader: ByteReader,
  size: typeof TD_BODY_10_BYTES | typeof TD_BODY_15_BYTES,
): TdBody {
  const register = (what: string): Uint8Array => reader.take(48, what);
  const body: TdBody = {
    teeTcbSvn: reader.take(16, "tee_tcb_svn"),
    mrSeam: register("mrseam"),
    mrSignerSeam: register("mrsignerseam"),
    seamAttributes: reader.take(8, "seamattributes"),
    tdAttributes: reader.take(8, "tdattributes"),
    xfam: reader.take(8, "xfam"),
    mrTd: register("mrtd"),
    mrConfigId: register("mrconfigid"),
    mrOwner: register("mrowner"),
    mrOwnerConfig: register("mrownerconfig"),
    rtmrs: [register("rtmr0"), register("rtmr1"), register("rtmr2"), register("rtmr3")],
    reportData: reader.take(64, "report_data"),
  };
  if (size === TD_BODY_10_BYTES) return body;
  return {
    ...body,
    teeTcbSvn2: reader.take(16, "tee_tcb_svn2"),
    mrServiceTd: register("mrservicetd"),
  };
}

/** The same body in lower-case hex. */
export function tdBodyText(body: TdBody): TdBody<string> {
  const [rtmr0, rtmr1, rtmr2, rtmr3] = body.rtmrs;
  return {
    teeTcbSvn: hex(body.teeTcbSvn),
    mrSeam: hex(body.mrSeam),
    mrSignerSeam: hex(body.mrSignerSeam),
    seamAttributes: hex(body.seamAttributes),
    tdAttributes: hex(body.tdAttributes),
    xfam: hex(body.xfam),
    mrTd: hex(body.mrTd),
    mrConfigId: hex(body.mrConfigId),
    mrOwner: hex(body.mrOwner),
    mrOwnerConfig: hex(body.mrOwnerConfig),
    rtmrs: [hex(rtmr0), hex(rtmr1), hex(rtmr2), hex(rtmr3)],
    reportData: hex(body.reportData),
    ...(body.teeTcbSvn2 === undefined ? {} : { teeTcbSvn2: hex(body.teeTcbSvn2) }),
    ...(body.mrServiceTd === undefined ? {} : { mrServiceTd: hex(body.mrServiceTd) }),
  };
}

/** On the hot path: ten times as fast as the pure core's `toHex`. */
function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

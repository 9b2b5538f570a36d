/** Strict JSON: parser, value model, fault sink and typed readers. */
export { parseCanonical } from "./canonical.ts";
export { FaultSink, itemPath, memberPath, quote } from "./fault-sink.ts";
export { parseJson } from "./parse.ts";
export * from "./readers.ts";
export type { JsonValue } from "./value.ts";

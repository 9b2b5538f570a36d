/** Records, their history, and what a store's head means. */
export * from "./approvals.ts";
export * from "./chain.ts";
export * from "./classify.ts";
export { chainLength } from "./link.ts";
export * from "./make-record.ts";
export * from "./record.ts";
export * from "./record-document.ts";
export * from "./shares.ts";
export * from "./walk.ts";

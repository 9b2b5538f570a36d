/**
 * Collateral over HTTP: endpoints in the shape of AMD's key distribution service (KDS, AMD 57230) and of Intel's
 * provisioning certification service (PCS, API version 4) or a caching proxy of it (PCCS).
 *
 * **Security:** whoever answers is not trusted, with TLS or without. Answers are bounded in size and time, redirects
 * are refused (a proxy inside a protected network must not be steered elsewhere), and only the form is checked.
 */
import { fromHex } from "../../core/bytes.ts";
import { QuorateError } from "../../core/errors.ts";
import { COLLATERAL_FETCH_TIMEOUT_MS, COLLATERAL_ITEM_BYTES_MAX } from "../../core/limits.ts";
import { type Collateral, NO_COLLATERAL } from "../verification.ts";
import { decodePemChain } from "../tdx/pem.ts";
import type { CollateralNeed } from "./collateral-need.ts";
import { type CollateralPiece, pieceFor } from "./collateral-piece.ts";

/** Where collateral that is not at hand comes from. */
export interface CollateralSource {
  /**
   * One piece. Fails with `collateral-unavailable` (nobody answers, or not with that), `collateral-invalid` (the
   * answer is garbage) or `unsupported` (no endpoint for it).
   */
  fetch(need: CollateralNeed): Promise<CollateralPiece>;
}

/** The services' base URLs, `http` or `https`. One that is missing leaves its platform to cache and import. */
export interface HttpEndpoints {
  /** KDS, e.g. `https://kdsintf.amd.com`. */
  readonly kds?: string | undefined;
  /** PCS or PCCS, e.g. `https://api.trustedservices.intel.com`. */
  readonly pcs?: string | undefined;
  /** Full URL of the root's revocation list. @default what a PCCS has: `<pcs>/sgx/certification/v4/rootcacrl` */
  readonly rootCrl?: string | undefined;
}

/** Fetches from {@link HttpEndpoints}. */
export class HttpCollateralSource implements CollateralSource {
  readonly #endpoints: HttpEndpoints;
  readonly #timeoutMs: number;

  /** @param timeoutMs for one answer, from connecting to its last byte. @default COLLATERAL_FETCH_TIMEOUT_MS */
  constructor(endpoints: HttpEndpoints, timeoutMs = COLLATERAL_FETCH_TIMEOUT_MS) {
    for (const url of Object.values(endpoints) as (string | undefined)[]) {
      if (url === undefined || /^https?:\/\//.test(url)) continue;
      throw new QuorateError("usage", `${url} is not an http or https URL`, {
        hint: "give a base URL such as https://kdsintf.amd.com",
      });
    }
    this.#endpoints = endpoints;
    this.#timeoutMs = timeoutMs;
  }

  async fetch(need: CollateralNeed): Promise<CollateralPiece> {
    const url = urlOf(need, this.#endpoints);
    if (url === undefined) {
      throw new QuorateError("unsupported", `no service is configured for ${need.kind}`, {
        hint: "configure the vendor's collateral service, or import collateral files",
      });
    }
    const answer = await request(url, this.#timeoutMs);
    const collateral = collateralOf(need, answer);
    const piece = typeof collateral === "string" ? undefined : pieceFor(need, collateral);
    if (piece?.ok === true) return piece.value;
    const reason = typeof collateral === "string" ? collateral : piece?.error;
    throw new QuorateError(
      "collateral-invalid",
      `${origin(url)} answered with garbage: ${reason ?? ""}`,
      {
        hint: "check that the URL is that of a KDS or PCS service",
      },
    );
  }
}

/** What a service said. */
interface Answer {
  readonly body: Uint8Array;
  readonly headers: Headers;
}

function urlOf(need: CollateralNeed, endpoints: HttpEndpoints): string | undefined {
  const kds = withoutSlash(endpoints.kds);
  const pcs = withoutSlash(endpoints.pcs);
  switch (need.kind) {
    case "snp-vcek": {
      const { tcb } = need;
      const spl = (name: string, value: number) => `${name}SPL=${String(value).padStart(2, "0")}`;
      const query = [
        ...(need.line === "Turin" ? [spl("fmc", tcb.fmc)] : []),
        spl("bl", tcb.bootloader),
        spl("tee", tcb.tee),
        spl("snp", tcb.snp),
        spl("ucode", tcb.microcode),
      ].join("&");
      return kds && `${kds}/vcek/v1/${need.line}/${need.chipId}?${query}`;
    }
    case "snp-chain":
      return kds && `${kds}/${need.signingKey}/v1/${need.line}/cert_chain`;
    case "snp-crl":
      return kds && `${kds}/${need.signingKey}/v1/${need.line}/crl`;
    case "tdx-tcb-info":
      return pcs && `${pcs}/tdx/certification/v4/tcb?fmspc=${need.fmspc}`;
    case "tdx-qe-identity":
      return pcs && `${pcs}/tdx/certification/v4/qe/identity`;
    case "tdx-pck-crl":
      return pcs && `${pcs}/sgx/certification/v4/pckcrl?ca=${need.authority}&encoding=der`;
    case "tdx-root-crl":
      return endpoints.rootCrl ?? (pcs && `${pcs}/sgx/certification/v4/rootcacrl`);
  }
}

function withoutSlash(url: string | undefined): string | undefined {
  return url?.replace(/\/+$/, "");
}

/** Turns an answer into collateral; a string says why not. */
function collateralOf(need: CollateralNeed, { body, headers }: Answer): Collateral | string {
  switch (need.kind) {
    case "snp-vcek":
      return { ...NO_COLLATERAL, certificates: [body] };
    case "snp-chain": {
      const chain = decodePemChain(body);
      return chain.ok ? { ...NO_COLLATERAL, certificates: chain.value } : chain.error;
    }
    case "snp-crl":
      return { ...NO_COLLATERAL, revocationLists: [body] };
    case "tdx-tcb-info": {
      const chain = issuerChain(headers, ["tcb-info-issuer-chain", "sgx-tcb-info-issuer-chain"]);
      if (typeof chain === "string") return chain;
      return { ...NO_COLLATERAL, certificates: chain, tcbInfos: [body] };
    }
    case "tdx-qe-identity": {
      const chain = issuerChain(headers, ["sgx-enclave-identity-issuer-chain"]);
      if (typeof chain === "string") return chain;
      return { ...NO_COLLATERAL, certificates: chain, qeIdentities: [body] };
    }
    case "tdx-pck-crl":
    case "tdx-root-crl":
      return { ...NO_COLLATERAL, revocationLists: [fromHexText(body)] };
  }
}

/** Issuers come in a header, as URL-encoded PEM. */
function issuerChain(headers: Headers, names: readonly string[]): readonly Uint8Array[] | string {
  const value = names.map((name) => headers.get(name)).find((found) => found !== null);
  if (value === undefined || value === null) return `no header ${names[0] ?? ""}`;
  let pem: string;
  try {
    pem = decodeURIComponent(value);
  } catch {
    // A stray percent sign: the only thing that decodeURIComponent throws for.
    return "an issuer chain that is not URL-encoded";
  }
  const chain = decodePemChain(Buffer.from(pem, "latin1"));
  return chain.ok ? chain.value : `issuer chain: ${chain.error}`;
}

/** A PCCS gives revocation lists in hex. DER is never hex text: its second byte is above 0x80 at these lengths. */
function fromHexText(body: Uint8Array): Uint8Array {
  return fromHex(Buffer.from(body).toString("latin1").trim()) ?? body;
}

async function request(url: string, timeoutMs: number): Promise<Answer> {
  // The deadline covers the body too.
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, { redirect: "manual", signal });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw unavailable(url, `it answered with status ${response.status}`);
    }
    return { body: await boundedBody(response, url), headers: response.headers };
  } catch (error) {
    if (error instanceof QuorateError) throw error;
    const reason = signal.aborted ? `no answer within ${timeoutMs} ms` : causeText(error);
    throw unavailable(url, reason, error);
  }
}

async function boundedBody(response: Response, url: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    // Leaving the loop cancels the rest of the body.
    if (length > COLLATERAL_ITEM_BYTES_MAX) {
      throw new QuorateError(
        "collateral-invalid",
        `${origin(url)} answered with more than ${COLLATERAL_ITEM_BYTES_MAX} bytes`,
      );
    }
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function unavailable(url: string, reason: string, cause?: unknown): QuorateError {
  return new QuorateError("collateral-unavailable", `${origin(url)}: ${reason}`, {
    hint: "evidence that needs it is refused until the service answers; import collateral files to do without it",
    cause,
  });
}

/** The part of a URL that may be logged: paths and queries name machines. */
function origin(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : "the collateral service";
}

/** What `fetch` hides in the cause of its "fetch failed". */
function causeText(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return cause instanceof Error ? cause.message : "it cannot be reached";
}

/**
 * Password authentication at one endpoint. Done here and not by the client library, whose own login ignores the
 * connection options (so the name expected in etcd's certificate) and repeats a call without end while its token fails.
 */
import {
  InterceptingCall,
  ListenerBuilder,
  RequesterBuilder,
  status,
  type CallOptions,
} from "@grpc/grpc-js";
import type { Etcd3 } from "etcd3";

/** etcd's words for a token that expired, or that it forgot in a restart. */
const INVALID_TOKEN = "invalid auth token";

/** The user's name and password. */
export interface LoginCredentials {
  readonly user: string;
  readonly password: string;
}

export class Login {
  readonly #client: Etcd3;
  readonly #credentials: LoginCredentials;
  #token: Promise<string> | undefined;

  constructor(client: Etcd3, credentials: LoginCredentials) {
    this.#client = client;
    this.#credentials = credentials;
  }

  /**
   * Options that carry the token, fetched by `deadline` if there is none. A call that fails because the token has become
   * invalid fails as `UNAVAILABLE`; the next one fetches a new token.
   */
  async callOptions(deadline: number): Promise<CallOptions> {
    this.#token ??= this.#fetchToken(deadline);
    const used = this.#token;
    const forget = (): void => {
      if (this.#token === used) this.#token = undefined;
    };
    let token: string;
    try {
      token = await used;
    } catch (error) {
      forget();
      throw error;
    }
    return { interceptors: [(options, next) => withToken(next(options), token, forget)] };
  }

  async #fetchToken(deadline: number): Promise<string> {
    const { user: name, password } = this.#credentials;
    return (await this.#client.auth.authenticate({ name, password }, { deadline })).token;
  }
}

function withToken(
  call: ConstructorParameters<typeof InterceptingCall>[0],
  token: string,
  forget: () => void,
): InterceptingCall {
  const requester = new RequesterBuilder()
    .withStart((metadata, _, next) => {
      metadata.set("token", token);
      const listener = new ListenerBuilder()
        .withOnReceiveStatus((received, forward) => {
          if (!received.details.includes(INVALID_TOKEN)) return forward(received);
          forget();
          forward({ ...received, code: status.UNAVAILABLE, details: "the login has expired" });
        })
        .build();
      next(metadata, listener);
    })
    .build();
  return new InterceptingCall(call, requester);
}

/** What is asked of a registry; `path` begins with `/v2/` and may carry a query. */
export interface RegistryRequest {
  /** Base URL of the registry: `https://registry-1.docker.io`, or with the path that it lies below. */
  readonly base: string;
  readonly method: 'GET' | 'HEAD';
  readonly path: string;
  /** The client's own `authorization`, where it sent one; nothing else of Shoal's own takes its place then. */
  readonly authorization?: string | undefined;
  /** The registry's first answer, also a challenge: no credentials take the place of the client's. */
  readonly plain?: boolean;
  /** Sent as they are: `accept`, `via`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Under whose name the registry answered: the client's, that of this host's configuration, or nobody's. */
export type RegistryIdentity = 'client' | 'configured' | 'anonymous';

/** Answer of a registry, any status; the body is whole, and empty for HEAD. */
export interface RegistryAnswer {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly as: RegistryIdentity;
}

/** Asks registries, doing the token dance where the client brought no credentials of its own. */
export interface RegistryClient {
  /**
   * Redirects are followed without the credentials leaving their host. A body over 16 MiB is refused.
   * @throws ERR_SOURCE_UNAVAILABLE (no connection, 5xx after its budget of retries), ERR_SOURCE_ADDRESS_REFUSED,
   *   ERR_SOURCE_TLS, ERR_SOURCE_PROTOCOL; every other status is an answer
   */
  ask(request: RegistryRequest, signal: AbortSignal): Promise<RegistryAnswer>;
}

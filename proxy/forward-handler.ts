import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ProxyRequest } from './request.ts';

/**
 * The forward proxy's half of the proxy port. The port has refused bad framing before, and closes the connections
 * it gave away when it is closed.
 */
export interface ForwardHandler {
  /** A request whose target is an absolute URL (`GET http://host/path`); answers it whole. */
  request(asked: ProxyRequest): void;
  /** `CONNECT host:port`: the socket is the handler's from here on, `head` what came behind the request. */
  connect(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** `/blobs/<full URL>`: the request's target as it came. */
  prefix(asked: ProxyRequest): void;
}

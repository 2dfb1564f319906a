import type { IncomingMessage, ServerResponse } from 'node:http';
import { ShoalError } from '../core/errors.ts';

/** One request to the proxy, as each of its parts takes it. */
export interface ProxyRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly isHead: boolean;
  /** Aborts when the client goes away before it has its whole answer. */
  readonly signal: AbortSignal;
}

/** A request as it came from a server of Node. */
export function proxyRequest(request: IncomingMessage, response: ServerResponse): ProxyRequest {
  const gone = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) gone.abort(new ShoalError('ERR_CANCELLED', 'the client went away'));
  });
  return { request, response, isHead: request.method === 'HEAD', signal: gone.signal };
}

/** A header as one text, where it may have come several times. */
export function headerOf({ request: { headers } }: ProxyRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

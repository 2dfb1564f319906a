import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { ShoalError } from '../../core/errors.ts';
import { silentLogger } from '../../core/logger.ts';
import { parseRange } from '../../core/ranges.ts';
import { createAddressPolicy } from '../../origins/address-policy.ts';
import { createHttpOrigin, type HttpOriginOptions } from '../../origins/http-origin.ts';
import type { OriginRequest } from '../../origins/origin.ts';

/** Real time; waits are as short as the limits of the test. */
export const realClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** An origin that may read this machine, and is quick to give up. */
export function testOrigin(options: Partial<HttpOriginOptions> = {}) {
  return createHttpOrigin({
    policy: createAddressPolicy({ allowOrigin: ['127.0.0.1', 'localhost'], onlyOrigin: false }),
    logger: silentLogger,
    clock: realClock,
    random: { next: () => 0, bytes: (count) => new Uint8Array(count) },
    ...options,
    limits: { backoffMs: 5, budgetMs: 60_000, connectMs: 60_000, stallMs: 60_000, ...options.limits },
  });
}

type Handler = (request: IncomingMessage, response: ServerResponse, seen: number) => void;

/** A real server on this machine that counts its requests. */
export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly requests: IncomingMessage[];
  /** Connections ever made, and requests whose answer is still being sent. */
  readonly connections: number;
  readonly running: number;
  close(): Promise<void>;
}

export async function serve(handler: Handler, tls?: { key: string; cert: string }): Promise<TestServer> {
  const requests: IncomingMessage[] = [];
  let connections = 0;
  let running = 0;
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    requests.push(request);
    running += 1;
    response.on('close', () => {
      running -= 1;
    });
    response.on('error', () => {});
    handler(request, response, requests.length);
  };
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    requests,
    get connections() {
      return connections;
    },
    get running() {
      return running;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Serves content as a well-behaved origin does. */
export function file(
  content: Buffer,
  etag: string | undefined = '"v1"',
  extra: Record<string, string> = {},
): Handler {
  return (request, response) => {
    const headers: Record<string, string> = { ...extra };
    if (etag !== undefined) Object.assign(headers, { etag });
    if (etag !== undefined && request.headers['if-none-match'] === etag) {
      response.writeHead(304, headers).end();
      return;
    }
    const ifRange = request.headers['if-range'];
    const range =
      ifRange !== undefined && ifRange !== etag ? 'whole' : parseRange(request.headers.range, content.length);
    if (range === 'unsatisfiable') {
      response.writeHead(416, { ...headers, 'content-range': `bytes */${content.length}` }).end();
    } else if (range === 'whole') {
      response.writeHead(200, { ...headers, 'content-length': content.length }).end(content);
    } else {
      const part = content.subarray(range.start, range.end);
      headers['content-range'] = `bytes ${range.start}-${range.end - 1}/${content.length}`;
      response.writeHead(206, { ...headers, 'content-length': part.length }).end(part);
    }
  };
}

export const never = new AbortController().signal;

export function ask(url: string, headers: Record<string, string> = {}): OriginRequest {
  return { url, headers };
}

/** Gathers chunks, copying them as a sink must. */
export function gather() {
  const chunks: Buffer[] = [];
  return {
    sink: (chunk: Uint8Array) => {
      chunks.push(Buffer.from(chunk));
    },
    get bytes() {
      return Buffer.concat(chunks);
    },
  };
}

/** The ShoalError something failed with. */
export async function failure(work: Promise<unknown>): Promise<ShoalError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ShoalError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

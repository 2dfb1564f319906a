import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { pipeline, Readable } from 'node:stream';
import { parseRange } from '../../../core/ranges.ts';

/** A server of package indexes and files on this machine, under a name that no client takes for loopback. */
export interface Web extends AsyncDisposable {
  /** `HOST:PORT`. */
  readonly host: string;
  url(path: string): string;
  put(path: string, body: Buffer | string, type?: string): void;
  /** Answers what is no file. */
  answer(path: string, handler: (request: IncomingMessage, response: ServerResponse) => void): void;
  /** Body bytes sent of a path. */
  sent(path: string): number;
  /** `Via` headers of requests of a path. */
  vias(path: string): (string | undefined)[];
}

interface File {
  readonly body: Buffer;
  readonly type: string;
}

const CHUNK_BYTES = 32 * 1024;

export async function startWeb(): Promise<Web> {
  const files = new Map<string, File>();
  const handlers = new Map<string, (request: IncomingMessage, response: ServerResponse) => void>();
  const sent = new Map<string, number>();
  const vias = new Map<string, (string | undefined)[]>();
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '/').split('?')[0] ?? '/');
    vias.set(path, [...(vias.get(path) ?? []), request.headers.via]);
    const handler = handlers.get(path);
    if (handler !== undefined) return handler(request, response);
    const file = files.get(path);
    if (file === undefined) return void response.writeHead(404).end();
    const { body, type } = file;
    const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"`;
    const headers = { etag, 'content-type': type, 'last-modified': 'Wed, 01 Jul 2026 00:00:00 GMT' };
    if (request.headers['if-none-match'] === etag) return void response.writeHead(304, headers).end();
    const range = parseRange(request.headers.range, body.length);
    const { start, end } = typeof range === 'string' ? { start: 0, end: body.length } : range;
    const partial =
      typeof range === 'string' ? {} : { 'content-range': `bytes ${start}-${end - 1}/${body.length}` };
    const status = typeof range === 'string' ? 200 : 206;
    response.writeHead(status, { ...headers, ...partial, 'content-length': end - start });
    if (request.method === 'HEAD') return void response.end();
    const chunks = function* () {
      for (let at = start; at < end; at += CHUNK_BYTES) {
        const chunk = body.subarray(at, Math.min(end, at + CHUNK_BYTES));
        sent.set(path, (sent.get(path) ?? 0) + chunk.length);
        yield chunk;
      }
    };
    // A client that goes away ends its own request only.
    pipeline(Readable.from(chunks()), response, () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  const host = `${hostname()}:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: (path) => `http://${host}${path}`,
    put: (path, body, type = 'application/octet-stream') =>
      void files.set(path, { body: Buffer.from(body as Buffer), type }),
    answer: (path, handler) => void handlers.set(path, handler),
    sent: (path) => sent.get(path) ?? 0,
    vias: (path) => vias.get(path) ?? [],
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';

/** A file server of ranges with strong ETags, that counts the body bytes it sends. */
export interface OriginServer extends AsyncDisposable {
  readonly port: number;
  /** Its files by URL path (`/name`); may be changed while it runs. */
  readonly files: Map<string, string>;
  /** A status to answer with instead of content, by URL path. */
  readonly refusals: Map<string, number>;
  /** URL paths that are never answered. */
  readonly silent: Set<string>;
  url(path: string): string;
  /** Body bytes handed to sockets so far, of one path. */
  bodyBytes(path: string): number;
  /** Requests so far, of one path. */
  requests(path: string): number;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** @returns the range in bytes, end exclusive; 'bad' where it cannot be satisfied, undefined where none is asked. */
function parseRange(header: string | undefined, length: number): Range | 'bad' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '' && to === '') return undefined;
  const start = from === '' ? Math.max(0, length - Number(to)) : Number(from);
  const end = from === '' || to === '' ? length : Math.min(length, Number(to) + 1);
  return start < end ? { start, end } : 'bad';
}

function etagOf(file: string): string {
  const { size, mtimeMs, ino } = statSync(file);
  return `"${createHash('sha256').update(`${ino} ${size} ${mtimeMs}`).digest('hex').slice(0, 24)}"`;
}

/** Starts an origin on any free port of `listen` (127.0.0.1 unless given). */
export async function startOriginServer(
  files: Readonly<Record<string, string>>,
  listen = '127.0.0.1',
): Promise<OriginServer> {
  const served = new Map(Object.entries(files));
  const refusals = new Map<string, number>();
  const silent = new Set<string>();
  const sent = new Map<string, number>();
  const asked = new Map<string, number>();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    asked.set(path, (asked.get(path) ?? 0) + 1);
    if (silent.has(path)) return;
    const file = served.get(path);
    const status = refusals.get(path) ?? (file === undefined ? 404 : undefined);
    if (status !== undefined || file === undefined) {
      response.writeHead(status ?? 404, { 'content-type': 'text/plain' }).end(`status ${status}\n`);
      return;
    }
    const length = statSync(file).size;
    const etag = etagOf(file);
    const headers = { etag, 'accept-ranges': 'bytes', 'content-type': 'application/octet-stream' };
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304, headers).end();
      return;
    }
    const ifRange = request.headers['if-range'];
    const wanted = ifRange === undefined || ifRange === etag ? request.headers.range : undefined;
    const range = parseRange(wanted, length);
    if (range === 'bad') {
      response.writeHead(416, { ...headers, 'content-range': `bytes */${length}` }).end();
      return;
    }
    const { start, end } = range ?? { start: 0, end: length };
    const partial = range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${length}` };
    response.writeHead(range === undefined ? 200 : 206, {
      ...headers,
      ...partial,
      'content-length': end - start,
    });
    if (request.method === 'HEAD' || end === start) {
      response.end();
      return;
    }
    const body = createReadStream(file, { start, end: end - 1, highWaterMark: 256 * 1024 });
    body.on('data', (chunk) => sent.set(path, (sent.get(path) ?? 0) + chunk.length));
    // A client that goes away ends its own request only.
    await pipeline(body, response).catch(() => response.destroy());
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, listen, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    files: served,
    refusals,
    silent,
    url: (path) => `http://${listen === '0.0.0.0' ? '127.0.0.1' : listen}:${port}${path}`,
    bodyBytes: (path) => sent.get(path) ?? 0,
    requests: (path) => asked.get(path) ?? 0,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { parseRange } from '../../core/ranges.ts';

/** How an origin departs from what a good one does; nothing said: ranges, one strong ETag, conditions answered. */
export interface Oddity {
  /** Validators of one answer; `request` counts from 1. */
  readonly validators?: (request: number) => Readonly<Record<string, string>>;
  /** Whether `If-None-Match` and `If-Modified-Since` are answered. */
  readonly conditions?: boolean;
  /** `once`: the first request alone is answered by a part. */
  readonly ranges?: 'all' | 'once' | 'none';
  /** Of all bodies together; 0: as fast as it goes. */
  readonly bytesPerSec?: number;
}

/** A server of one content, at any path, that counts the body bytes it sends. */
export interface OddOrigin extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  content: Buffer;
  /** Body bytes that left since the last time it was asked. */
  sent(): number;
  readonly requests: IncomingMessage[];
  close(): Promise<void>;
}

const CHUNK_BYTES = 32 * 1024;

/** Starts it on any free port of `listen`. */
export async function startOddOrigin(
  content: Buffer,
  { validators, conditions = true, ranges = 'all', bytesPerSec = 0 }: Oddity = {},
  listen = '127.0.0.1',
): Promise<OddOrigin> {
  const requests: IncomingMessage[] = [];
  let sent = 0;
  let freeMs = 0;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requests.push(request);
    const { content: now } = origin;
    const told = validators?.(requests.length) ?? {
      etag: `"${now.length}-${now.subarray(0, 4).toString('hex')}"`,
    };
    const headers = { 'content-type': 'application/octet-stream', ...told };
    const { etag, 'last-modified': modified } = headers as Record<string, string>;
    const { 'if-none-match': tag, 'if-modified-since': since } = request.headers;
    const isKnown = tag === undefined ? since !== undefined && since === modified : tag === etag;
    if (conditions && isKnown) return void response.writeHead(304, headers).end();
    const gives = ranges === 'all' || (ranges === 'once' && requests.length === 1);
    const range = gives ? parseRange(request.headers.range, now.length) : 'whole';
    if (range === 'unsatisfiable') {
      return void response.writeHead(416, { 'content-range': `bytes */${now.length}` }).end();
    }
    const { start, end } = range === 'whole' ? { start: 0, end: now.length } : range;
    response.writeHead(range === 'whole' ? 200 : 206, {
      ...headers,
      'content-length': end - start,
      ...(range !== 'whole' && { 'content-range': `bytes ${start}-${end - 1}/${now.length}` }),
    });
    if (request.method === 'HEAD') return void response.end();
    const chunks = async function* () {
      for (let at = start; at < end; at += CHUNK_BYTES) {
        const chunk = now.subarray(at, Math.min(end, at + CHUNK_BYTES));
        if (bytesPerSec > 0) {
          freeMs = Math.max(freeMs, performance.now()) + (1000 * chunk.length) / bytesPerSec;
          await delay(freeMs - performance.now());
        }
        if (response.destroyed) return;
        sent += chunk.length;
        yield chunk;
      }
    };
    // A client that goes away ends its own request only.
    await pipeline(Readable.from(chunks()), response).catch(() => response.destroy());
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, listen, resolve));
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const origin: OddOrigin = {
    port,
    url: `http://${listen.includes(':') ? `[${listen}]` : listen}:${port}`,
    content,
    requests,
    sent() {
      const bytes = sent;
      sent = 0;
      return bytes;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
  return origin;
}

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Digest } from '../../core/ids.ts';
import type { TinyImage } from './tiny-image.ts';

/** A registry of one process that counts the body bytes it sends. */
export interface TinyRegistry extends AsyncDisposable {
  /** As clients name it: `127.0.0.1:PORT`. */
  readonly name: string;
  readonly url: string;
  /** Images by `repository:tag`. */
  readonly images: Map<string, TinyImage>;
  /** Repositories behind basic credentials, `user:password`. */
  readonly locks: Map<string, string>;
  /** Body bytes of blobs sent so far. */
  readonly blobBytes: number;
}

/** Starts a registry on any free port of 127.0.0.1. */
export async function startTinyRegistry(): Promise<TinyRegistry> {
  const images = new Map<string, TinyImage>();
  const locks = new Map<string, string>();
  let blobBytes = 0;

  /** What is asked at its door, and what it has. */
  function listing(path: string): object | undefined {
    if (path === '/v2/') return {};
    const names = [...images.keys()].map((name) => name.split(':'));
    if (path.startsWith('/v2/_catalog')) return { repositories: names.map(([repository]) => repository) };
    const [, listed] = /^\/v2\/(.+)\/tags\/list/.exec(path) ?? [];
    if (listed === undefined) return undefined;
    return { name: listed, tags: names.flatMap(([name, tag]) => (name === listed ? [tag] : [])) };
  }

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const list = listing(request.url ?? '');
    if (list !== undefined) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(list));
      return;
    }
    const [, repository = '', kind = '', version = ''] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^/?]+)/.exec(request.url ?? '') ?? [];
    const lock = locks.get(repository);
    if (
      lock !== undefined &&
      request.headers.authorization !== `Basic ${Buffer.from(lock).toString('base64')}`
    ) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="tiny"' }).end();
      return;
    }
    const ours = [...images].filter(([name]) => name.startsWith(`${repository}:`));
    const digest = (images.get(`${repository}:${version}`)?.index ?? version) as Digest;
    const [content] = ours.flatMap(([, { contents }]) => contents.get(digest) ?? []);
    if (content === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[]}');
      return;
    }
    const { bytes, mediaType } = content;
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const start = Number(from ?? 0);
    const end = to ? Math.min(bytes.length, Number(to) + 1) : bytes.length;
    response.writeHead(from === undefined ? 200 : 206, {
      'content-type': kind === 'blobs' ? 'application/octet-stream' : mediaType,
      'content-length': end - start,
      'docker-content-digest': digest,
      'accept-ranges': 'bytes',
      etag: `"${digest}"`,
      ...(from === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` }),
    });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    if (kind === 'blobs') blobBytes += end - start;
    response.end(bytes.subarray(start, end));
  }

  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    name: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    images,
    locks,
    get blobBytes() {
      return blobBytes;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

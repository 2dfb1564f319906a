import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { pipeline, Transform } from 'node:stream';

/** One request that a registry answered. */
export interface Served {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly status: number;
  readonly via: string | undefined;
  readonly authorization: string | undefined;
}

/** What to answer instead of the registry; undefined lets the request through. */
export type Refuse = (
  request: IncomingMessage,
) => { status: number; headers: OutgoingHttpHeaders } | undefined;

/** A reverse proxy before a registry that counts the body bytes of blobs. */
export interface RegistryFront {
  /** Body bytes of blobs sent to clients; of one repository where it is named. */
  blobBytes(repository?: string): number;
  /** Body bytes of blobs that were not asked for by a host of Shoal. */
  directBytes(): number;
  /** Requests answered so far. */
  readonly served: readonly Served[];
  /** Forgets everything counted. */
  reset(): void;
  /** Stops listening and cuts every connection. */
  stop(): Promise<void>;
  /** Listens again at the same port. */
  start(): Promise<void>;
}

const BLOB = /^\/v2\/(.+)\/blobs\/(sha256:[0-9a-f]{64})$/;

/** Starts the proxy on a port of 127.0.0.1, before a registry on another. */
export async function startRegistryFront(options: {
  readonly port: number;
  readonly upstreamPort: number;
  readonly refuse?: Refuse;
  /** Body bytes a second that it lets through, all requests together; as fast as it goes unless given. */
  readonly bytesPerSec?: number;
  readonly tls?: { readonly key: string; readonly cert: string };
}): Promise<RegistryFront> {
  const sent = new Map<string, Map<string, number>>();
  const served: Served[] = [];
  let direct = 0;
  const pace = paceOf(options.bytesPerSec);

  function counted(repository: string, digest: string, isDirect: boolean): Transform {
    const ofRepository = sent.get(repository) ?? new Map<string, number>();
    sent.set(repository, ofRepository);
    return new Transform({
      transform(chunk: Buffer, _encoding, done) {
        ofRepository.set(digest, (ofRepository.get(digest) ?? 0) + chunk.length);
        if (isDirect) direct += chunk.length;
        pace(chunk.length, () => done(null, chunk));
      },
    });
  }

  function forward(request: IncomingMessage, response: ServerResponse): void {
    const { method = 'GET', url = '/', headers } = request;
    const note = (status: number) =>
      served.push({ method, url, status, via: headers.via, authorization: headers.authorization });
    const refused = options.refuse?.(request);
    if (refused !== undefined) {
      const body = JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'access withdrawn' }] });
      note(refused.status);
      response.writeHead(refused.status, { 'content-type': 'application/json', ...refused.headers });
      response.end(method === 'HEAD' ? undefined : body);
      return;
    }
    const upstream = httpRequest(
      { host: '127.0.0.1', port: options.upstreamPort, method, path: url, headers },
      (answer) => {
        const status = answer.statusCode ?? 502;
        note(status);
        response.writeHead(status, answer.headers);
        const [, repository, digest] = BLOB.exec(url.split('?')[0] ?? '') ?? [];
        const isBlob = method === 'GET' && status < 300;
        if (repository !== undefined && digest !== undefined && isBlob) {
          pipeline(answer, counted(repository, digest, headers.via === undefined), response, () =>
            upstream.destroy(),
          );
        } else pipeline(answer, response, () => undefined);
      },
    );
    upstream.once('error', () => {
      if (!response.headersSent) response.writeHead(502);
      response.destroy();
    });
    response.once('close', () => {
      if (!response.writableFinished) upstream.destroy();
    });
    pipeline(request, upstream, () => undefined);
  }

  const listener: RequestListener = forward;
  let server: Server | undefined;
  async function start(): Promise<void> {
    const next = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
    await new Promise<void>((resolve, reject) => {
      next.once('error', reject);
      next.listen(options.port, '127.0.0.1', resolve);
    });
    server = next;
  }
  await start();
  return {
    blobBytes(repository) {
      const of = repository === undefined ? [...sent.values()] : [sent.get(repository) ?? new Map()];
      return of.flatMap((one) => [...one.values()]).reduce((sum, bytes) => sum + bytes, 0);
    },
    directBytes: () => direct,
    served,
    reset() {
      sent.clear();
      served.length = 0;
      direct = 0;
    },
    start,
    async stop() {
      const last = server;
      if (last === undefined) return;
      server = undefined;
      last.closeAllConnections();
      await new Promise<void>((resolve) => last.close(() => resolve()));
    },
  };
}

/** Lets so many bytes a second through, in the order asked. */
function paceOf(bytesPerSec: number | undefined): (bytes: number, go: () => void) => void {
  if (bytesPerSec === undefined) return (_bytes, go) => go();
  let freeMs = 0;
  return (bytes, go) => {
    const nowMs = performance.now();
    freeMs = Math.max(freeMs, nowMs) + (bytes / bytesPerSec) * 1000;
    setTimeout(go, freeMs - nowMs);
  };
}

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { loadCa } from '../../../proxy/forward/ca.ts';
import { makeCa } from '../../../proxy/forward/make-ca.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { startProxy, statusOf, type TestProxy } from './support.ts';

/** An HTTPS origin, and a proxy with a CA that looks into tunnels to it. */
export interface TlsScene extends AsyncDisposable {
  readonly proxy: TestProxy;
  /** `localhost:PORT` of the origin. */
  readonly host: string;
  /** Requests that came to the origin, as `METHOD HOST PATH BODY`. */
  readonly heard: string[];
  /** Connections that are open at the origin. */
  readonly connections: ReadonlySet<Socket>;
  /** A connection to the proxy on which a tunnel to the origin stands. */
  tunnel(): Promise<Socket>;
  /** The same, or one that stands, with TLS in it, of the proxy's own certificate. */
  secure(tunnel?: Socket): Promise<TLSSocket>;
}

/** @param listener answers what has been heard whole. */
export async function openTlsScene(
  listener: RequestListener,
  options: Parameters<typeof startProxy>[0] = {},
): Promise<TlsScene> {
  const dir = await tempDir();
  const proxyCa = await makeCa(join(dir.path, 'proxy'), { name: 'proxy', days: 10 });
  const originCa = await makeCa(join(dir.path, 'origin'), { name: 'origin', days: 10 });
  const context = await (await loadCa(originCa.certFile, originCa.keyFile)).contextFor('localhost');
  const heard: string[] = [];
  const connections = new Set<Socket>();
  const origin = createTlsServer(
    { SNICallback: (_name, done) => done(null, context) },
    (request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString('latin1');
      });
      request.on('end', () => {
        heard.push(`${request.method} ${request.headers.host} ${request.url} ${body}`);
        listener(request, response);
      });
    },
  );
  origin.on('secureConnection', (socket: TLSSocket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const { port } = origin.address() as AddressInfo;
  const trusted = readFileSync(originCa.certFile, 'utf8');
  const proxy = await startProxy({ connectPorts: [port], originCa: trusted, ca: proxyCa, ...options });
  const host = `localhost:${port}`;
  const tunnel = () => openTunnel(proxy.port, host);
  return {
    proxy,
    host,
    heard,
    connections,
    tunnel,
    async secure(socket) {
      const tls = connectTls({
        socket: socket ?? (await tunnel()),
        servername: 'localhost',
        ca: readFileSync(proxyCa.certFile),
      });
      tls.on('error', () => {});
      await once(tls, 'secureConnect');
      return tls;
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      origin.closeAllConnections();
      await new Promise<void>((resolve) => origin.close(() => resolve()));
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** A connection to the proxy on which a tunnel stands. @throws where it is refused */
export async function openTunnel(proxyPort: number, authority: string): Promise<Socket> {
  const socket = connect(proxyPort, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  const head = chunk.toString('latin1');
  if (statusOf(head) !== 200) throw new Error(head);
  return socket;
}

/** Says something, and gives all that came until the other side closed. */
export function exchange(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
    });
    socket.once('close', () => resolve(answer));
    socket.write(text, 'latin1');
  });
}

import { createServer, request as requestHttp } from 'node:http';
import { type AddressInfo, connect } from 'node:net';

/** A proxy of somebody else, which knows names that this machine does not. */
export interface UpstreamProxy extends AsyncDisposable {
  readonly port: number;
  /** What it was asked: `GET URL` or `CONNECT HOST:PORT`. */
  readonly asked: string[];
  /** Ever made. */
  readonly connections: number;
}

/** @param login it wants, as NAME:PASSWORD; none unless given. Every name is this machine. */
export async function startUpstreamProxy(login?: string): Promise<UpstreamProxy> {
  const asked: string[] = [];
  let connections = 0;
  const wanted = login === undefined ? undefined : `Basic ${Buffer.from(login).toString('base64')}`;
  const server = createServer((request, response) => {
    const { 'proxy-authorization': given, ...headers } = request.headers;
    asked.push(`${request.method} ${request.url}`);
    if (given !== wanted) return void response.writeHead(407).end();
    const { port, pathname, search } = new URL(request.url ?? '');
    const { method } = request;
    const path = `${pathname}${search}`;
    const onward = requestHttp({ host: '127.0.0.1', port, path, method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  server.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    socket.on('error', () => socket.destroy());
    if (request.headers['proxy-authorization'] !== wanted) {
      return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n');
    }
    const onward = connect({ host: '127.0.0.1', port: Number(request.url?.split(':').at(-1)) }, () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  });
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    asked,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

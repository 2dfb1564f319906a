import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A SOCKS 5 proxy of somebody else, which knows names that this machine does not. */
export interface SocksProxy extends AsyncDisposable {
  readonly port: number;
  /** Where it was asked to go: `KIND HOST:PORT`, KIND as RFC 1928 numbers it. */
  readonly asked: string[];
}

/** @param login it wants, as NAME:PASSWORD; none unless given. Every name is this machine. */
export async function startSocksProxy(login?: string): Promise<SocksProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();

  async function serve(socket: Socket): Promise<void> {
    const take = async (count: number): Promise<Buffer> => {
      for (;;) {
        const bytes: Buffer | null = socket.read(count);
        if (bytes !== null) return bytes;
        await new Promise((resolve) => socket.once('readable', resolve));
      }
    };
    const text = async () => (await take((await take(1))[0] ?? 0)).toString();
    const [, methods = 0] = await take(2);
    const offered = [...(await take(methods))];
    const method = login === undefined ? 0 : 2;
    if (!offered.includes(method)) return void socket.end(Buffer.from([5, 255]));
    socket.write(Buffer.from([5, method]));
    if (login !== undefined) {
      await take(1);
      const given = `${await text()}:${await text()}`;
      socket.write(Buffer.from([1, given === login ? 0 : 1]));
      if (given !== login) return void socket.end();
    }
    const [, , , kind = 0] = await take(4);
    const host =
      kind === 3 ? await text() : (await take(kind === 4 ? 16 : 4)).toString(kind === 4 ? 'hex' : 'latin1');
    const port = (await take(2)).readUInt16BE();
    asked.push(`${kind} ${kind === 1 ? [...Buffer.from(host, 'latin1')].join('.') : host}:${port}`);
    const onward = connect({ host: '127.0.0.1', port });
    sockets.add(onward);
    onward.on('error', () => socket.end(Buffer.from([5, 5, 0, 1, 0, 0, 0, 0, 0, 0])));
    onward.once('connect', () => {
      // Its own end by a name, which is as long as it is.
      socket.write(Buffer.from([5, 0, 0, 3, 2, 0x6d, 0x65, 0, 80]));
      socket.pipe(onward).pipe(socket);
    });
    socket.on('close', () => onward.destroy());
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    serve(socket).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

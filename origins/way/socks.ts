import { once } from 'node:events';
import { isIP, type Socket } from 'node:net';
import { groupsOf } from '../ip-address.ts';

/** Where a tunnel of a SOCKS proxy leads, and as whom. */
export interface SocksWish {
  readonly host: string;
  readonly port: number;
  readonly login: { readonly user: string; readonly password: string } | undefined;
}

const VERSION = 5;
const CONNECT = 1;
const NO_LOGIN = 0;
const USER_AND_PASSWORD = 2;
const ADDRESS = { ipv4: 1, name: 3, ipv6: 4 } as const;

/** What a SOCKS proxy means by a number. @see RFC 1928 §6 */
const REFUSALS: Readonly<Record<number, string>> = {
  2: 'does not allow',
  3: 'knows no network for',
  4: 'knows no host',
  5: 'was refused by',
};

/**
 * Asks a SOCKS 5 proxy, on a connection just made, for a way to a host, which the proxy looks up.
 * @see RFC 1928, RFC 1929
 * @throws Error that says what the proxy did, also where the signal ends the wait
 */
export async function askSocks(socket: Socket, wish: SocksWish, signal: AbortSignal): Promise<void> {
  const { host, port, login } = wish;
  const take = (count: number) => takeBytes(socket, count, signal);
  socket.write(Buffer.from([VERSION, login ? 2 : 1, NO_LOGIN, ...(login ? [USER_AND_PASSWORD] : [])]));
  const [version, method] = await take(2);
  if (version !== VERSION) throw new Error('does not speak SOCKS 5');
  if (method === USER_AND_PASSWORD && login !== undefined) {
    socket.write(Buffer.concat([Buffer.from([1]), counted(login.user), counted(login.password)]));
    const [, refused] = await take(2);
    if (refused !== 0) throw new Error('refuses the login');
  } else if (method !== NO_LOGIN) throw new Error(`wants ${login ? 'another kind of' : 'a'} login`);
  const numbers = Buffer.from([port >> 8, port & 255]);
  socket.write(Buffer.concat([Buffer.from([VERSION, CONNECT, 0]), addressOf(host), numbers]));
  const [, reply = 1, , kind] = await take(4);
  if (reply !== 0)
    throw new Error(
      `${REFUSALS[reply] ?? `answers ${reply} for`} ${isIP(host) === 6 ? `[${host}]` : host}:${port}`,
    );
  // Its own end of the way, which nobody needs.
  const [nameBytes = 0] = kind === ADDRESS.name ? await take(1) : [kind === ADDRESS.ipv6 ? 16 : 4];
  await take(nameBytes + 2);
}

function addressOf(host: string): Buffer {
  const family = isIP(host);
  if (family === 0) return Buffer.concat([Buffer.from([ADDRESS.name]), counted(host)]);
  if (family === 4) return Buffer.from([ADDRESS.ipv4, ...host.split('.').map(Number)]);
  return Buffer.from([ADDRESS.ipv6, ...groupsOf(host).flatMap((group) => [group >> 8, group & 255])]);
}

function counted(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > 255) throw new Error('takes no name or password of more than 255 bytes');
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

async function takeBytes(socket: Socket, count: number, signal: AbortSignal): Promise<Buffer> {
  for (;;) {
    const bytes: Buffer | null = socket.read(count);
    if (bytes?.length === count) return bytes;
    if (bytes !== null || socket.readableEnded || socket.destroyed) throw new Error('ended the connection');
    await once(socket, 'readable', { signal });
  }
}

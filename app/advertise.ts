import { createSocket } from 'node:dgram';
import { networkInterfaces } from 'node:os';

/** Whether an address is this machine's own alone. */
export function isLoopback(ip: string): boolean {
  return ip.startsWith('127.') || ip === '::1';
}

/** The local address of the route to a host, as the kernel would choose it; nothing is sent. */
async function localAddressTo(host: string, port: number): Promise<string | undefined> {
  // A name may have addresses of one family alone.
  const families = host.includes(':') ? (['udp6'] as const) : (['udp4', 'udp6'] as const);
  for (const family of families) {
    const found = await localAddressOf(family, host, port);
    if (found !== undefined && found !== '0.0.0.0' && found !== '::') return found;
  }
  return undefined;
}

function localAddressOf(family: 'udp4' | 'udp6', host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(family);
    const done = (ip: string | undefined) => {
      socket.close();
      resolve(ip);
    };
    socket.once('error', () => done(undefined));
    socket.connect(port, host, () => done(socket.address().address));
  });
}

/** The address of the default route, of IPv4 rather than of IPv6, else of the first interface that is not loopback. */
export async function defaultRouteAddress(): Promise<string> {
  for (const somewhere of ['192.0.2.1', '2001:db8::1']) {
    const routed = await localAddressTo(somewhere, 9);
    if (routed !== undefined && !isLoopback(routed)) return routed;
  }
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outer = all.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  const first = outer.find(({ family }) => family === 'IPv4') ?? outer[0];
  return first?.address ?? '127.0.0.1';
}

/** The address other hosts are given: the local one of the route to NATS. */
export async function addressToward(natsUrl: string | undefined): Promise<string> {
  if (natsUrl === undefined) return '127.0.0.1';
  const { hostname, port } = new URL(natsUrl.replace(/^\w+:/, 'http:'));
  const host = hostname.replace(/^\[|\]$/g, '');
  return (await localAddressTo(host, Number(port || '4222'))) ?? (await defaultRouteAddress());
}

import { createSocket } from 'node:dgram';
import { networkInterfaces } from 'node:os';

/** Whether an address is this machine's own alone. */
export function isLoopback(ip: string): boolean {
  return ip.startsWith('127.') || ip === '::1';
}

/** The local address of the route to a host, as the kernel would choose it; nothing is sent. */
function localAddressTo(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const done = (ip: string | undefined) => {
      socket.close();
      resolve(ip);
    };
    socket.once('error', () => done(undefined));
    socket.connect(port, host, () => done(socket.address().address));
  });
}

/** The address of the default route, else of the first interface that is not loopback. */
export async function defaultRouteAddress(): Promise<string> {
  const routed = await localAddressTo('192.0.2.1', 9);
  if (routed !== undefined && !isLoopback(routed) && routed !== '0.0.0.0') return routed;
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
}

/** The address other hosts are given: the local one of the route to NATS. */
export async function addressToward(natsUrl: string | undefined): Promise<string> {
  if (natsUrl === undefined) return '127.0.0.1';
  const { hostname, port } = new URL(natsUrl.replace(/^\w+:/, 'http:'));
  const host = hostname.replace(/^\[|\]$/g, '');
  return (await localAddressTo(host, Number(port || '4222'))) ?? (await defaultRouteAddress());
}

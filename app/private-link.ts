import { parseServer } from '../transport/nats-url.ts';
import type { NatsConfig } from './config.ts';

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/;

/** Whether nobody on the way to NATS can listen: by TLS, or because it is on this machine. */
export function isPrivateLink({ servers, login }: NatsConfig): boolean {
  return servers.every((server) => {
    const { tls, host } = parseServer(server);
    return tls || login.tls !== undefined || LOOPBACK.test(host);
  });
}

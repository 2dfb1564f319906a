import { toShoalError } from '../../core/errors.ts';
import type { RegistryTrouble } from '../../core/registry-check.ts';

/** What OpenSSL says of an answer that is no TLS. */
const NO_TLS = /wrong.version.number|packet.length.too.long|http.request/i;

/** What an error says of the registry itself, with the flag that mends it; undefined where it is about something else. */
export function registryTroubleOf(thrown: unknown, name: string, base: string): RegistryTrouble | undefined {
  const { code, message, details } = toShoalError(thrown);
  const { host, hostname, port, protocol } = new URL(base);
  const at = port === '' ? `${hostname}:${protocol === 'http:' ? 80 : 443}` : host;
  switch (code) {
    case 'ERR_SOURCE_ADDRESS_REFUSED': {
      const fix = `start the daemon with --allow-origin ${at}, if it may read there`;
      return { fault: 'refused', why: message, fix };
    }
    case 'ERR_SOURCE_TLS': {
      if (protocol === 'https:' && NO_TLS.test(`${message} ${String(details['reason'])}`)) {
        const why = `the daemon speaks https to it, and it speaks http`;
        return { fault: 'plain-http', why, fix: `start the daemon with --registry ${name}=http://${host}` };
      }
      const fix = 'start the daemon with NODE_EXTRA_CA_CERTS=FILE, the CA of its certificate';
      return { fault: 'untrusted', why: message, fix };
    }
    case 'ERR_SOURCE_UNAVAILABLE':
    case 'ERR_SOURCE_PROTOCOL': {
      const fix = `see whether ${at} is up and this machine reaches it; --registry ${name}=URL says where it is`;
      return { fault: 'unreachable', why: message, fix };
    }
    default:
      return undefined;
  }
}

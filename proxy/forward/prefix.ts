import { ShoalError } from '../../core/errors.ts';
import { type Refusal, refusal } from './reply.ts';
import type { Target } from './target.ts';

const PREFIX = '/blobs/';

/** The prefix form `/blobs/<full URL>`, and the origins it is open for. */
export interface Prefixes {
  /** The URL in a target as it came. */
  urlIn(target: string): string;
  /** Why an origin is not read in this form; undefined where it is. */
  refuses(target: Target): Refusal | undefined;
}

/** @param origins `HOST[:PORT]` each, `*` for any characters of the host. @throws ERR_CONFIG_INVALID */
export function createPrefixes(origins: readonly string[]): Prefixes {
  const open = origins.map((text) => {
    const parts = /^(\[[0-9a-f:.]+\]|[a-z0-9._*-]+)(?::(\d{1,5}))?$/i.exec(text.trim());
    if (parts === null)
      throw new ShoalError('ERR_CONFIG_INVALID', `not HOST[:PORT]: ${JSON.stringify(text)}`);
    const [, host = '', port] = parts;
    return {
      host: host.toLowerCase().replace(/^\[(.*)\]$/, '$1'),
      port: port === undefined ? undefined : Number(port),
    };
  });

  return {
    urlIn(target) {
      const rest = target.startsWith(PREFIX) ? target.slice(PREFIX.length) : '';
      // What collapses slashes on its way here leaves one of two.
      return rest.replace(/^(https?):\/(?!\/)/i, '$1://');
    },
    refuses({ host, port }) {
      if (open.length === 0) {
        return refusal(403, 'no origin is open to /blobs/: name each with prefix-origin HOST[:PORT]');
      }
      const found = open.some((entry) => {
        if (entry.port !== undefined && entry.port !== port) return false;
        if (entry.host.startsWith('*.')) return host.endsWith(entry.host.slice(1));
        return entry.host === host;
      });
      return found
        ? undefined
        : refusal(403, `${host}:${port} is not open to /blobs/: name it with prefix-origin`);
    },
  };
}

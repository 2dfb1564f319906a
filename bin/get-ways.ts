import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { defaultCacheBytes } from '../app/cache-size.ts';
import { type HostConfig, loadHostConfig } from '../app/config.ts';
import type { ConfigInput } from '../app/config-sources.ts';
import { type Door, daemonDoor, returningDaemonDoor } from '../app/door.ts';
import type { GetJob } from '../app/getter.ts';
import type { GetRequest } from '../core/download.ts';
import { ShoalError, toShoalError } from '../core/errors.ts';
import { redactUrl } from '../core/source.ts';

/** Where content goes, as far as that says where a host of our own keeps it on its way. */
export type WaysTarget =
  | { readonly kind: 'file'; readonly file: { readonly path: string } }
  | { readonly kind: 'stream' }
  | { readonly kind: 'cache' };

/**
 * The ways of a `get` to content: the daemon of --dir; else a host of its own in the swarm of --nats; else, alone,
 * straight from the origin.
 */
export function getWays(
  input: ConfigInput,
  requests: readonly GetRequest[],
  target: WaysTarget,
  note: (text: string) => void,
  signal: AbortSignal,
): Pick<GetJob, 'open' | 'reopen'> {
  // A host for one download keeps the ports of daemons free, and says little.
  const defaults = { 'log-level': 'error', 'log-format': 'plain', 'cache-size': 0 };
  const flags = { ...input.flags, role: 'normal', 'data-port': 0, 'admin-port': 0 };
  const config = loadHostConfig({ ...input, flags, defaults });

  const own = (servers: readonly string[] | undefined, allowOrigins: readonly string[]): Promise<Door> => {
    const nats = servers === undefined ? undefined : { servers, login: config.natsLogin };
    return ownDoor({ ...config, nats, allowOrigins }, target);
  };
  const named = [...config.allowOrigins, ...new Set(requests.flatMap(originOf))];
  return {
    async open() {
      const daemon = await daemonDoor(config.dir).catch((error: unknown) => {
        const why = whyNoDaemon(error);
        if (why === 'lost') return returningDaemonDoor(config.dir, signal);
        if (why !== 'absent') note(`${toShoalError(error).message}: going without`);
        return undefined;
      });
      if (daemon !== undefined) return daemon;
      if (config.nats === undefined) note(`no daemon in ${config.dir} and no --nats: downloading directly`);
      // Alone, the origin is the one that was named, by whoever may read it anyway.
      return own(config.nats?.servers, config.nats === undefined ? named : config.allowOrigins);
    },
    async reopen(natsUrl) {
      const daemon = await returningDaemonDoor(config.dir, signal);
      if (daemon !== undefined) {
        note('the daemon is back');
        return daemon;
      }
      const servers = config.nats?.servers ?? natsUrl?.split(',');
      note(
        servers === undefined
          ? 'the daemon does not come back: downloading directly'
          : `the daemon does not come back: joining the swarm at ${servers.map(redactUrl).join(',')}`,
      );
      // The daemon that took the request had its leave to read this origin.
      return own(servers, named);
    },
  };
}

/** What goes into the cache needs the daemon's own directory; else it is one for the time of the download. */
async function ownDoor(config: HostConfig, target: WaysTarget): Promise<Door> {
  // Most gets go through a daemon: what a host is made of is loaded only where it is needed.
  const { hostDoor, temporaryHostDoor } = await import('../app/own-door.ts');
  const { openLog } = await import('../app/logging.ts');
  const logger = openLog(config.log);
  if (target.kind === 'cache') {
    const cacheBytes = config.cacheBytes || defaultCacheBytes(config.dir);
    return hostDoor({ ...config, cacheBytes }, logger);
  }
  const unlimited = { ...config, cacheBytes: Number.MAX_SAFE_INTEGER };
  if (target.kind === 'stream') return temporaryHostDoor(unlimited, join(tmpdir(), 'shoal-get-'), logger);
  const { path } = target.file;
  const folder = path.startsWith('/dev/') ? tmpdir() : dirname(path);
  return temporaryHostDoor(unlimited, join(folder, `.${basename(path).slice(0, 100)}.shoal-`), logger);
}

/** `absent`, `denied` or `lost`. @throws what else went wrong */
function whyNoDaemon(error: unknown): unknown {
  if (error instanceof ShoalError && error.code === 'ERR_DAEMON_UNAVAILABLE') {
    const { why } = error.details;
    return why;
  }
  throw error;
}

function originOf({ resource }: GetRequest): string[] {
  return URL.canParse(resource) ? [new URL(resource).host.toLowerCase()] : [];
}

import { mkdtempSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { connectDaemon, type DaemonClient } from '../admin/client.ts';
import type { HostControl } from '../admin/control.ts';
import { LIMITS } from '../core/limits.ts';
import { opening } from './closing.ts';
import type { HostConfig } from './config.ts';
import { openControlSocket } from './daemons.ts';
import { openHost } from './host.ts';
import type { RootLogger } from './logging.ts';

/** How a `get` reaches content: through the daemon beside it, or as a host of its own for the time of the download. */
export interface Door extends AsyncDisposable {
  readonly kind: 'daemon' | 'swarm' | 'direct';
  readonly get: HostControl['get'];
  readonly stream: HostControl['stream'];
  /** Where the daemon said NATS is. */
  readonly natsUrl?: string | undefined;
  /** The cache goes with the door, so that files may be moved out of it. */
  readonly cacheIsOurs: boolean;
}

const RETRY_MS = 100;

/** The daemon of a directory. @throws ERR_DAEMON_UNAVAILABLE, ERR_CONFIG_INVALID */
export async function daemonDoor(dir: string): Promise<Door> {
  const client = await connectDaemon(dir);
  const { nats } = await client.status();
  return { ...callsOf(client), kind: 'daemon', natsUrl: nats.url, cacheIsOurs: false, ...closesNothing };
}

/** As `daemonDoor`, for a daemon that may be coming back: tried until it answers or `LIMITS.daemonGoneMs` passed. */
export async function returningDaemonDoor(dir: string, signal: AbortSignal): Promise<Door | undefined> {
  const deadline = performance.now() + LIMITS.daemonGoneMs;
  for (;;) {
    signal.throwIfAborted();
    const door = await daemonDoor(dir).catch(() => undefined);
    if (door !== undefined) return door;
    if (performance.now() > deadline) return undefined;
    await delay(RETRY_MS, undefined, { signal });
  }
}

/**
 * A host of our own, until the door is closed. It uses the directory of the configuration, like a daemon.
 * @throws ERR_CONFIG_DIR_LOCKED, ERR_STORE_IO
 */
export function hostDoor(config: HostConfig, logger: RootLogger): Promise<Door> {
  return opening(async (closing) => {
    const { serve } = await openControlSocket(config.dir, logger, closing);
    const door = closing.use(await bareHostDoor(config, logger));
    serve(door.control);
    return { ...door, [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose]() };
  });
}

/**
 * As `hostDoor`, in a directory of its own that goes with it.
 * @param prefix of the directory's path
 */
export async function temporaryHostDoor(
  config: HostConfig,
  prefix: string,
  logger: RootLogger,
): Promise<Door> {
  const dir = mkdtempSync(prefix);
  const remove = () => rmSync(dir, { recursive: true, force: true });
  process.once('exit', remove);
  const forget = () => {
    process.off('exit', remove);
    remove();
  };
  try {
    const door = await bareHostDoor({ ...config, dir }, logger);
    return {
      ...door,
      cacheIsOurs: true,
      async [Symbol.asyncDispose]() {
        try {
          await door[Symbol.asyncDispose]();
        } finally {
          forget();
        }
      },
    };
  } catch (error) {
    forget();
    throw error;
  }
}

async function bareHostDoor(
  config: HostConfig,
  logger: RootLogger,
): Promise<Door & { readonly control: HostControl }> {
  const host = await openHost(config, logger);
  return {
    ...callsOf(host.control),
    control: host.control,
    kind: config.nats === undefined ? 'direct' : 'swarm',
    cacheIsOurs: false,
    [Symbol.asyncDispose]: async () => host[Symbol.asyncDispose](),
  };
}

function callsOf(control: HostControl | DaemonClient): Pick<Door, 'get' | 'stream'> {
  return {
    get: (request, onProgress, signal) => control.get(request, onProgress, signal),
    stream: (request, onResult, signal) => control.stream(request, onResult, signal),
  };
}

const closesNothing = { [Symbol.asyncDispose]: () => Promise.resolve() };

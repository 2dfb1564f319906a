import { setTimeout as delay } from 'node:timers/promises';
import { connectDaemon, type DaemonClient } from '../admin/client.ts';
import type { HostControl } from '../admin/control.ts';
import { LIMITS } from '../core/limits.ts';

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

function callsOf(control: DaemonClient): Pick<Door, 'get' | 'stream'> {
  return {
    get: (request, onProgress, signal) => control.get(request, onProgress, signal),
    stream: (request, onResult, signal) => control.stream(request, onResult, signal),
  };
}

const closesNothing = { [Symbol.asyncDispose]: () => Promise.resolve() };

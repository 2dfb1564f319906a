import { mkdtempSync, rmSync } from 'node:fs';
import type { HostControl } from '../admin/control.ts';
import { opening } from './closing.ts';
import type { HostConfig } from './config.ts';
import { openControlSocket } from './daemons.ts';
import type { Door } from './door.ts';
import { openHost } from './host.ts';
import type { RootLogger } from './logging.ts';

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
    get: (request, onProgress, signal) => host.control.get(request, onProgress, signal),
    stream: (request, onResult, signal) => host.control.stream(request, onResult, signal),
    control: host.control,
    kind: config.nats === undefined ? 'direct' : 'swarm',
    cacheIsOurs: false,
    [Symbol.asyncDispose]: async () => host[Symbol.asyncDispose](),
  };
}

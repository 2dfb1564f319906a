import type { LogConfig } from '../app/config.ts';
import type { Daemon } from '../app/daemons.ts';
import { openLog, type RootLogger } from '../app/logging.ts';
import { VERSION } from '../app/version.ts';
import { stopAsked } from './stop.ts';

/** Runs a daemon until a signal asks it to stop: the first for a clean stop, the second for one at once. */
export async function runDaemon<D extends Daemon>(
  name: string,
  log: LogConfig,
  open: (logger: RootLogger) => Promise<D>,
  onReady: (daemon: D) => void = () => undefined,
): Promise<void> {
  const logger = openLog(log);
  watchStrays(logger);
  const stop = stopAsked();
  logger.info({ version: VERSION, pid: process.pid }, `${name} starting`);
  const daemon = await open(logger);
  const { adminPort, socketPath, proxy, gateway } = daemon;
  const host = socketPath === undefined ? {} : { socketPath, proxy };
  logger.info({ adminPort, ...host, ...(gateway !== undefined && { gateway }) }, `${name} up`);
  onReady(daemon);
  const signal = await stop;
  logger.info({ signal }, `${name} stopping`);
  await daemon[Symbol.asyncDispose]();
  logger.info({}, `${name} stopped`);
}

/** One crashed part never takes the others along; a thrown error outside of all of them is the end. */
function watchStrays(logger: RootLogger): void {
  process.on('unhandledRejection', (error) => logger.error({ err: error }, 'a promise was rejected unseen'));
  process.on('uncaughtException', (error) => {
    logger.error({ err: error }, 'an error was caught by nobody');
    process.exit(1);
  });
}

import { join } from 'node:path';
import type { Health } from '../admin/health.ts';
import { startAdminPort } from '../admin/port.ts';
import { type Closing, opening } from './closing.ts';
import type { HostConfig, NatsConfig } from './config.ts';
import { type Daemon, openControlSocket } from './daemons.ts';
import { openHost } from './host.ts';
import type { RootLogger } from './logging.ts';
import { mergedMetrics } from './metrics-text.ts';
import { startNatsServer } from './nats-server.ts';
import { openScheduler } from './scheduler.ts';

/** A whole swarm on this machine. */
export interface Up extends Daemon {
  readonly socketPath: string;
  /** What other hosts, and commands, join it by; credentials may stand in it. */
  readonly natsUrl: string;
}

/**
 * Brings up a scheduler and a seed, with a nats-server of their own unless the configuration names one.
 * @throws ERR_CONFIG_NATS_SERVER_MISSING, ERR_CONFIG_DIR_LOCKED, ERR_STORE_IO
 */
export function openUp(config: HostConfig, logger: RootLogger): Promise<Up> {
  return opening(async (closing) => {
    const { socketPath, serve } = await openControlSocket(config.dir, logger, closing);
    const nats = config.nats ?? (await ownNats(config.dir, logger, closing));
    const dir = join(config.dir, 'scheduler');
    const scheduler = closing.use(
      await openScheduler({ ...config, nats, dir }, logger.child({ part: 'scheduler' })),
    );
    const host = closing.use(await openHost({ ...config, nats }, logger.child({ part: 'seed' })));
    const proxy = await host.openProxy();
    serve(host.control);
    const admin = closing.use(
      await startAdminPort({
        adminListen: config.adminListen,
        adminPort: config.adminPort,
        health: () => both(host.health(), scheduler.health()),
        metrics: async () => mergedMetrics(await host.metricsText(), await scheduler.metricsText()),
        logger: logger.child({ sub: 'admin' }),
      }),
    );
    return {
      natsUrl: nats.servers.join(','),
      adminPort: admin.port,
      socketPath,
      proxy: proxy.address,
      [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose](),
    };
  });
}

async function ownNats(dir: string, logger: RootLogger, closing: Closing): Promise<NatsConfig> {
  const options = { dir: join(dir, 'nats'), logger: logger.child({ sub: 'nats-server' }) };
  return { servers: [closing.use(await startNatsServer(options)).url], login: {} };
}

function both(host: Health, scheduler: Health): Health {
  const named = (name: string, { checks }: Health) =>
    Object.entries(checks).map(([check, value]) => [`${name}.${check}`, value] as const);
  return {
    live: host.live && scheduler.live,
    ready: host.ready && scheduler.ready,
    checks: Object.fromEntries([...named('seed', host), ...named('scheduler', scheduler)]),
  };
}

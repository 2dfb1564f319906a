import { join } from 'node:path';
import type { Health } from '../admin/health.ts';
import { startAdminPort } from '../admin/port.ts';
import { type Closing, opening } from './closing.ts';
import type { GatewayConfig, NatsConfig } from './config.ts';
import { type Daemon, openControlSocket } from './daemons.ts';
import { openGateway } from './gateway.ts';
import { openHost } from './host.ts';
import type { RootLogger } from './logging.ts';
import { mergedMetrics } from './metrics-text.ts';
import { startNatsServer } from './nats-server.ts';
import { openScheduler } from './scheduler.ts';

/** A whole swarm on this machine. */
export interface Up extends Daemon {
  readonly socketPath: string;
  readonly gateway: string;
  /** What other hosts, and commands, join it by; credentials may stand in it. */
  readonly natsUrl: string;
}

/**
 * Brings up a scheduler, a seed and a gateway, with a nats-server of their own unless the configuration names one.
 * @throws ERR_CONFIG_NATS_SERVER_MISSING, ERR_CONFIG_DIR_LOCKED, ERR_STORE_IO
 */
export function openUp(config: GatewayConfig, logger: RootLogger): Promise<Up> {
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
    const gateway = closing.use(await openGateway({ ...config, nats }, logger.child({ part: 'gateway' })));
    const admin = closing.use(
      await startAdminPort({
        adminListen: config.adminListen,
        adminPort: config.adminPort,
        health: () =>
          together({ seed: host.health(), scheduler: scheduler.health(), gateway: gateway.health() }),
        metrics: async () => {
          const ofBoth = mergedMetrics(await host.metricsText(), await scheduler.metricsText());
          return mergedMetrics(ofBoth, await gateway.metricsText());
        },
        logger: logger.child({ sub: 'admin' }),
      }),
    );
    return {
      natsUrl: nats.servers.join(','),
      adminPort: admin.port,
      socketPath,
      proxy: proxy.address,
      gateway: gateway.url,
      [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose](),
    };
  });
}

async function ownNats(dir: string, logger: RootLogger, closing: Closing): Promise<NatsConfig> {
  const options = { dir: join(dir, 'nats'), logger: logger.child({ sub: 'nats-server' }) };
  return { servers: [closing.use(await startNatsServer(options)).url], login: {} };
}

function together(parts: Readonly<Record<string, Health>>): Health {
  const all = Object.values(parts);
  const checks = Object.entries(parts).flatMap(([name, health]) =>
    Object.entries(health.checks).map(([check, value]) => [`${name}.${check}`, value] as const),
  );
  return {
    live: all.every(({ live }) => live),
    ready: all.every(({ ready }) => ready),
    checks: Object.fromEntries(checks),
  };
}

import type { HostControl } from '../admin/control.ts';
import { startAdminPort } from '../admin/port.ts';
import { startAdmin } from '../admin/server.ts';
import { type Closing, opening } from './closing.ts';
import type { GatewayConfig, HostConfig, SchedulerConfig } from './config.ts';
import { openGateway } from './gateway.ts';
import { openHost } from './host.ts';
import type { RootLogger } from './logging.ts';
import { openScheduler } from './scheduler.ts';

/** A running daemon and where it can be asked. */
export interface Daemon extends AsyncDisposable {
  readonly adminPort: number;
  /** Absent for a scheduler. */
  readonly socketPath?: string;
  /** HOST:PORT of the registry mirror and the proxy; absent for a scheduler. */
  readonly proxy?: string;
  /** Where the HTTP API is, of a gateway. */
  readonly gateway?: string;
}

/** A host daemon: its control socket, the host itself, its admin port. */
export function openHostDaemon(config: HostConfig, logger: RootLogger): Promise<Daemon> {
  return opening(async (closing) => {
    const { socketPath, serve } = await openControlSocket(config.dir, logger, closing);
    const host = closing.use(await openHost(config, logger));
    const proxy = await host.openProxy();
    serve(host.control);
    const admin = closing.use(
      await startAdminPort({
        adminListen: config.adminListen,
        adminPort: config.adminPort,
        health: () => host.health(),
        metrics: () => host.metricsText(),
        logger: logger.child({ sub: 'admin' }),
      }),
    );
    return daemon(closing, admin.port, { socketPath, proxy: proxy.address });
  });
}

/** A scheduler and its admin port. */
export function openSchedulerDaemon(config: SchedulerConfig, logger: RootLogger): Promise<Daemon> {
  return opening(async (closing) => {
    const scheduler = closing.use(await openScheduler(config, logger));
    const admin = closing.use(
      await startAdminPort({
        adminListen: config.adminListen,
        adminPort: config.adminPort,
        health: () => scheduler.health(),
        metrics: () => scheduler.metricsText(),
        logger: logger.child({ sub: 'admin' }),
      }),
    );
    return daemon(closing, admin.port);
  });
}

/** A gateway and its admin port. */
export function openGatewayDaemon(config: GatewayConfig, logger: RootLogger): Promise<Daemon> {
  return opening(async (closing) => {
    const gateway = closing.use(await openGateway(config, logger));
    const admin = closing.use(
      await startAdminPort({
        adminListen: config.adminListen,
        adminPort: config.adminPort,
        health: () => gateway.health(),
        metrics: () => gateway.metricsText(),
        logger: logger.child({ sub: 'admin' }),
      }),
    );
    return daemon(closing, admin.port, { gateway: gateway.url });
  });
}

/** A control socket at its place, whose host is still to come. */
export interface ControlSocket {
  readonly socketPath: string;
  /** Gives it the host; requests made before wait for it. */
  serve(control: HostControl): void;
}

/** Puts up the control socket of a directory, which is also its lock, before anything else touches the directory. */
export async function openControlSocket(
  dir: string,
  logger: RootLogger,
  closing: Closing,
): Promise<ControlSocket> {
  let serve: (control: HostControl) => void = () => undefined;
  const control = new Promise<HostControl>((resolve) => {
    serve = resolve;
  });
  const admin = await startAdmin({ dir, control, logger: logger.child({ sub: 'admin' }) });
  return { socketPath: closing.use(admin).socketPath, serve };
}

function daemon(
  closing: Closing,
  adminPort: number,
  host: Pick<Daemon, 'socketPath' | 'proxy' | 'gateway'> = {},
): Daemon {
  return {
    adminPort,
    ...host,
    [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose](),
  };
}

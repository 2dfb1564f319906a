import { join } from 'node:path';
import { opening } from '../../app/closing.ts';
import { loadHostConfig, loadSchedulerConfig } from '../../app/config.ts';
import { type OpenHost, openHost } from '../../app/host.ts';
import { openLog, type RootLogger } from '../../app/logging.ts';
import { openScheduler } from '../../app/scheduler.ts';
import { startNats } from './nats-server.ts';
import { tempDir } from './temp-dir.ts';

/** One host of a swarm within this process. */
export interface OwnHost {
  readonly host: OpenHost;
  /** Of its mirror and proxy. */
  readonly proxy: string;
}

/** Hosts, a scheduler and NATS, all but NATS within this process. */
export interface OwnSwarm extends AsyncDisposable {
  readonly hosts: readonly OwnHost[];
  /** Lines that were logged. */
  readonly lines: string[];
}

interface OwnOptions {
  /** How many; one is alone, without NATS and a scheduler, where `alone` says so. */
  readonly hosts?: number;
  readonly alone?: boolean;
  /** Settings of every host, as flags. */
  readonly flags?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts it, and waits until every host has joined. */
export function startOwnSwarm(options: OwnOptions = {}): Promise<OwnSwarm> {
  const { hosts: count = 1, alone = false, flags = {}, env = {} } = options;
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line) };
  const logger: RootLogger = openLog({ level: 'debug', format: 'json' }, sink);
  return opening(async (closing) => {
    const dir = closing.use(await tempDir());
    const common = { 'admin-port': '0', ...(!alone && { nats: closing.use(await startNats()).url }) };
    if (!alone) {
      const given = { flags: { ...common, dir: join(dir.path, 'scheduler') }, env: {} };
      closing.use(await openScheduler(loadSchedulerConfig(given), logger));
    }
    const hosts: OwnHost[] = [];
    for (let index = 0; index < count; index += 1) {
      const own = {
        ...common,
        dir: join(dir.path, `host${index}`),
        advertise: '127.0.0.1',
        'data-listen': '127.0.0.1',
        'data-port': '0',
        'proxy-port': '0',
        'docker-config': join(dir.path, 'none'),
        'allow-origin': ['127.0.0.1', 'localhost', '[::1]'],
      };
      const host = closing.use(await openHost(loadHostConfig({ flags: { ...own, ...flags }, env }), logger));
      const { address } = await host.openProxy();
      hosts.push({ host, proxy: `http://${address}` });
    }
    await Promise.all(hosts.map(({ host }) => host.ready));
    return { hosts, lines, [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose]() };
  });
}

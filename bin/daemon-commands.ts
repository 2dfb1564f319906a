import { DEFAULT_NATS, loadGatewayConfig, loadHostConfig, loadSchedulerConfig } from '../app/config.ts';
import type { ConfigInput } from '../app/config-sources.ts';
import { openGatewayDaemon, openHostDaemon, openSchedulerDaemon } from '../app/daemons.ts';
import { openUp } from '../app/up.ts';
import { redactUrl } from '../core/source.ts';
import { runDaemon } from './run-daemon.ts';
import { configInput } from './settings-flags.ts';

type Options = Readonly<Record<string, unknown>>;

/** Runs `up`. */
export function runUp(options: Options): Promise<void> {
  const config = loadGatewayConfig(asSeed(configInput(options)));
  return runDaemon(
    'swarm',
    config.log,
    (logger) => openUp(config, logger),
    ({ natsUrl, proxy = '', gateway }) => {
      const nats = natsUrl.split(',').map(redactUrl).join(',');
      process.stderr.write(upText({ nats, dir: config.dir, proxy, gateway }));
    },
  );
}

/** Runs `scheduler`. */
export function runScheduler(options: Options): Promise<void> {
  const config = loadSchedulerConfig({ ...configInput(options), defaults: { nats: DEFAULT_NATS } });
  return runDaemon('scheduler', config.log, (logger) => openSchedulerDaemon(config, logger));
}

/** Runs `gateway`. */
export function runGateway(options: Options): Promise<void> {
  const defaults = { nats: DEFAULT_NATS, 'cache-size': 0 };
  const config = loadGatewayConfig({ ...configInput(options), defaults });
  return runDaemon('gateway', config.log, (logger) => openGatewayDaemon(config, logger));
}

/** Runs `seed`. */
export function runSeed(options: Options): Promise<void> {
  return runHost('seed', asSeed(configInput(options)));
}

/** Runs `peer`. */
export function runPeer(options: Options): Promise<void> {
  return runHost('peer', configInput(options));
}

function runHost(name: string, input: ConfigInput): Promise<void> {
  const config = loadHostConfig({ ...input, defaults: { nats: DEFAULT_NATS } });
  return runDaemon(name, config.log, (logger) => openHostDaemon(config, logger));
}

/** The command says the role, whatever a file shared with other hosts says. */
function asSeed(input: ConfigInput): ConfigInput {
  return { ...input, flags: { ...input.flags, role: 'seed' } };
}

interface UpPlaces {
  readonly nats: string;
  readonly dir: string;
  readonly proxy: string;
  readonly gateway: string;
}

function upText({ nats, dir, proxy, gateway }: UpPlaces): string {
  return `The swarm is up: NATS at ${nats}, a scheduler and a seed in ${dir}.
  get a file:   shoal get URL -o FILE --dir ${dir}
  pull images:  http://${proxy} is a mirror of every registry, and a proxy
  HTTP API:     ${gateway}/ with a token of \`shoal token create --nats ${nats}\`
  add a host:   shoal peer --nats ${nats} --dir OTHER_DIR --data-port 0 --admin-port 0 --proxy-port 0
  stop it all:  Ctrl-C
`;
}

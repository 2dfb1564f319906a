import type { Command } from 'commander';
import { settingsOf } from '../../app/settings.ts';
import { example } from '../help.ts';
import { addSettings } from '../settings-flags.ts';

type Options = Readonly<Record<string, unknown>>;

/** Loaded when one is run, so that help and the short commands start at once. */
const commands = () => import('../daemon-commands.ts');

const hostSettings = settingsOf('host');
const seedSettings = hostSettings.filter((name) => name !== 'role');
const gatewaySettings = settingsOf('gateway');
const gatewayOnly = gatewaySettings.filter((name) => !hostSettings.includes(name));

/** With what the gateway asks registries what an image is made of. */
const REGISTRY_SETTINGS = [
  'registry',
  'docker-config',
  'allow-origin',
  'only-origin',
  'origin-proxy',
] as const;

/** Adds `up`, `scheduler`, `seed`, `peer` and `gateway`; returns `scheduler`, which has commands of its own. */
export function addDaemons(program: Command): Command {
  const up = program
    .command('up')
    .summary('bring up a whole swarm on this machine')
    .description(
      'Bring up a whole swarm on this machine: a scheduler, a seed and the HTTP API, with a nats-server of its own unless --nats names one.',
    )
    .addHelpText(
      'after',
      example(
        'shoal up',
        'shoal up --dir /srv/shoal --cache-size 200GiB',
        'shoal get https://example.org/file -o file',
      ),
    )
    .action(async (options: Options) => (await commands()).runUp(options));
  addSettings(up, [...seedSettings, ...gatewayOnly]);

  const scheduler = program
    .command('scheduler')
    .summary('run a scheduler')
    .description(
      'Run a scheduler: it decides which host fetches which piece from whom. No content passes through it.',
    )
    .addHelpText('after', example('shoal scheduler --nats nats://10.0.0.1:4222'))
    .action(async (options: Options) => (await commands()).runScheduler(options));
  addSettings(scheduler, settingsOf('scheduler'));

  const seed = program
    .command('seed')
    .summary('run a seed: a host that reads origins first')
    .description('Run a seed: a host daemon that is first in line to read origins, and keeps a big cache.')
    .addHelpText(
      'after',
      example('shoal seed --nats nats://10.0.0.1:4222 --dir /srv/shoal --cache-size 1TiB'),
    )
    .action(async (options: Options) => (await commands()).runSeed(options));
  addSettings(seed, seedSettings);

  const peer = program
    .command('peer')
    .summary('run a host daemon')
    .description(
      'Run a host daemon: it fetches for the clients of this machine, and gives what it has to other hosts.',
    )
    .addHelpText(
      'after',
      example(
        'shoal peer --nats nats://10.0.0.1:4222',
        'shoal peer --nats nats://10.0.0.1:4222 --zone rack7 --limit-up 100MB',
      ),
    )
    .action(async (options: Options) => (await commands()).runPeer(options));
  addSettings(peer, hostSettings);

  const gateway = program
    .command('gateway')
    .summary('run the HTTP API')
    .description(
      'Run the HTTP API and the console of a swarm: OpenAPI at /openapi.json, a page to try it at /try, the console at /, and what Harbor asks a preheat provider. Tokens are made by `shoal token create`.',
    )
    .addHelpText(
      'after',
      example(
        'shoal gateway --nats nats://10.0.0.1:4222',
        'shoal gateway --nats nats://10.0.0.1:4222 --gateway-listen 0.0.0.0 --gateway-cert api.pem --gateway-key api.key',
      ),
    )
    .action(async (options: Options) => (await commands()).runGateway(options));
  addSettings(gateway, [...gatewaySettings, ...REGISTRY_SETTINGS]);
  return scheduler;
}

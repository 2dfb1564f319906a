import type { Command } from 'commander';
import { DEFAULT_NATS, loadHostConfig, loadSchedulerConfig } from '../../app/config.ts';
import { openHostDaemon, openSchedulerDaemon } from '../../app/daemons.ts';
import { settingsOf } from '../../app/settings.ts';
import { openUp } from '../../app/up.ts';
import { redactUrl } from '../../core/source.ts';
import { runDaemon } from '../run-daemon.ts';
import { addSettings, configInput } from '../settings-flags.ts';

type Options = Readonly<Record<string, unknown>>;

const hostSettings = settingsOf('host');
const seedSettings = hostSettings.filter((name) => name !== 'role');

/** Adds `up`, `scheduler`, `seed` and `peer`. */
export function addDaemons(program: Command): void {
  const up = program
    .command('up')
    .summary('bring up a whole swarm on this machine')
    .description(
      'Bring up a whole swarm on this machine: a scheduler and a seed, with a nats-server of its own unless --nats names one.',
    )
    .addHelpText(
      'after',
      example(
        'shoal up',
        'shoal up --dir /srv/shoal --cache-size 200GiB',
        'shoal get https://example.org/file -o file',
      ),
    )
    .action((options: Options) => {
      const config = loadHostConfig(withSetting(configInput(options), 'role', 'seed'));
      return runDaemon(
        'swarm',
        config.log,
        (logger) => openUp(config, logger),
        ({ natsUrl }) => {
          process.stderr.write(`${upText(redactUrl(natsUrl), config.dir)}\n`);
        },
      );
    });
  addSettings(up, seedSettings);

  const scheduler = program
    .command('scheduler')
    .summary('run a scheduler')
    .description(
      'Run a scheduler: it decides which host fetches which piece from whom. No content passes through it.',
    )
    .addHelpText('after', example('shoal scheduler --nats nats://10.0.0.1:4222'))
    .action((options: Options) => {
      const config = loadSchedulerConfig({ ...configInput(options), defaults: { nats: DEFAULT_NATS } });
      return runDaemon('scheduler', config.log, (logger) => openSchedulerDaemon(config, logger));
    });
  addSettings(scheduler, settingsOf('scheduler'));

  const seed = program
    .command('seed')
    .summary('run a seed: a host that reads origins first')
    .description('Run a seed: a host daemon that is first in line to read origins, and keeps a big cache.')
    .addHelpText(
      'after',
      example('shoal seed --nats nats://10.0.0.1:4222 --dir /srv/shoal --cache-size 1TiB'),
    )
    .action((options: Options) => runHost('seed', withSetting(configInput(options), 'role', 'seed')));
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
    .action((options: Options) => runHost('peer', configInput(options)));
  addSettings(peer, hostSettings);
}

function runHost(name: string, input: ReturnType<typeof configInput>): Promise<void> {
  const config = loadHostConfig({ ...input, defaults: { nats: DEFAULT_NATS } });
  return runDaemon(name, config.log, (logger) => openHostDaemon(config, logger));
}

function withSetting(input: ReturnType<typeof configInput>, name: string, value: unknown) {
  return { ...input, flags: { ...input.flags, [name]: value } };
}

function upText(natsUrl: string, dir: string): string {
  return [
    `The swarm is up: NATS at ${natsUrl}, a scheduler and a seed in ${dir}.`,
    `  get a file:   shoal get URL -o FILE --dir ${dir}`,
    `  add a host:   shoal peer --nats ${natsUrl} --dir OTHER_DIR --data-port 0 --admin-port 0`,
    '  stop it all:  Ctrl-C',
  ].join('\n');
}

/** Lines of examples under a help text. */
export function example(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`;
}

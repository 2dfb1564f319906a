import type { Command } from 'commander';
import { connectDaemon } from '../../admin/client.ts';
import { loadSchedulerConfig } from '../../app/config.ts';
import { openLog } from '../../app/logging.ts';
import type { SettingName } from '../../app/settings.ts';
import { connectSwarm } from '../../app/swarm-client.ts';
import { type SwarmQueries, swarmQueries } from '../../app/swarm-query.ts';
import { print } from '../print.ts';
import { addSettings, configInput } from '../settings-flags.ts';
import { hostsText, statusText, tasksText, taskText } from '../views/rows.ts';
import { example } from './daemons.ts';

type Options = Readonly<Record<string, unknown>>;

const WHERE: readonly SettingName[] = ['dir', 'nats', 'nats-creds', 'swarm'];

/** Adds `status`, `task ls|show|rm` and `host ls`. */
export function addReading(program: Command): void {
  const status = program
    .command('status')
    .summary('show the state of the daemon of this machine')
    .description('Show the state of the daemon in --dir: its connection, cache, transfers and bytes.')
    .option('--json', 'print JSON')
    .addHelpText('after', example('shoal status', 'shoal status --dir /srv/shoal --json'))
    .action(async (options: Options) => {
      const { dir } = loadSchedulerConfig(configInput(options));
      await show(options, await (await connectDaemon(dir)).status(), statusText);
    });
  addSettings(status, ['dir']);

  const task = program
    .command('task')
    .summary('list, show and remove tasks')
    .description('List, show and remove tasks of the swarm.');
  reading(task, 'ls', 'list the tasks of the swarm', [
    'shoal task ls',
    'shoal task ls --nats nats://10.0.0.1:4222 --json',
  ]).action((options: Options) =>
    withSwarm(options, async (swarm) => show(options, await swarm.tasks(), tasksText)),
  );
  reading(task, 'show', 'show a task: who holds what, and why bytes came from the origin', [
    'shoal task show sha256-…',
  ])
    .argument('<TASK>', 'a task id, as `shoal task ls` prints it, or a digest')
    .action((id: string, options: Options) =>
      withSwarm(options, async (swarm) => show(options, await swarm.task(taskIdOf(id)), taskText)),
    );
  reading(task, 'rm', 'remove a task from every cache of the swarm', ['shoal task rm sha256-…'])
    .argument('<TASK>', 'a task id, as `shoal task ls` prints it, or a digest')
    .action((id: string, options: Options) =>
      withSwarm(options, async (swarm) => {
        const removed = { taskId: taskIdOf(id), ...(await swarm.removeTask(taskIdOf(id))) };
        await show(
          options,
          removed,
          ({ hosts }) => `removed from ${hosts === 1 ? '1 host' : `${hosts} hosts`}\n`,
        );
      }),
    );

  const host = program.command('host').summary('list hosts').description('List the hosts of the swarm.');
  reading(host, 'ls', 'list the hosts of the swarm', ['shoal host ls', 'shoal host ls --json']).action(
    (options: Options) => withSwarm(options, async (swarm) => show(options, await swarm.hosts(), hostsText)),
  );
}

function reading(parent: Command, name: string, about: string, examples: readonly string[]): Command {
  const command = parent
    .command(name)
    .description(
      `${about[0]?.toUpperCase()}${about.slice(1)}, through the daemon in --dir, or with --nats alone.`,
    )
    .summary(about)
    .option('--json', 'print JSON')
    .addHelpText('after', example(...examples));
  return addSettings(command, WHERE);
}

/** The swarm as --nats reaches it where that was given, else as the daemon of --dir does. */
async function withSwarm(options: Options, use: (swarm: SwarmQueries) => Promise<void>): Promise<void> {
  const config = loadSchedulerConfig({ ...configInput(options), defaults: { 'log-level': 'error' } });
  const { nats } = options;
  if (config.nats === undefined || nats === undefined) {
    const daemon = await connectDaemon(config.dir).catch((error: unknown) => {
      if (config.nats === undefined) throw error;
      return undefined;
    });
    if (daemon !== undefined) return use(daemon);
  }
  if (config.nats === undefined) return;
  const client = await connectSwarm(config.swarm, config.nats, openLog(config.log));
  try {
    await use(swarmQueries(client.bus));
  } finally {
    await client[Symbol.asyncDispose]();
  }
}

function show<T>(options: Options, value: T, text: (value: T) => string): Promise<void> {
  const { json } = options;
  return print(json ? `${JSON.stringify(value, null, 2)}\n` : text(value));
}

/** A digest stands for its task. */
function taskIdOf(text: string): string {
  return text
    .trim()
    .replace(/^(sha256|sha512):/i, '$1-')
    .toLowerCase();
}

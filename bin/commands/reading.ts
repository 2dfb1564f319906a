import { type Command, InvalidArgumentError, Option } from 'commander';
import { NATS_LOGIN_SETTINGS, type SettingName } from '../../app/settings.ts';
import { example } from '../help.ts';
import { listed } from '../list-flags.ts';
import { addSettings } from '../settings-flags.ts';

/** Loaded when one is run, so that help and the short commands start at once. */
const commands = () => import('../reading-commands.ts');

type Options = Readonly<Record<string, unknown>>;

const TASK = 'a task: the beginning of its id, a digest, its URL, or an image of this host';

const WHERE: readonly SettingName[] = ['dir', 'nats', ...NATS_LOGIN_SETTINGS, 'swarm'];

/** Adds `status`, `image ls`, `task ls|show|history|rm`, `explain`, `host ls`, and `ls` to `scheduler`. */
export function addReading(program: Command, scheduler: Command): void {
  const status = program
    .command('status')
    .summary('show the state of the daemon of this machine')
    .description('Show the state of the daemon in --dir: its connection, cache, transfers and bytes.')
    .option('--json', 'print JSON')
    .addHelpText('after', example('shoal status', 'shoal status --dir /srv/shoal --json'))
    .action(async (options: Options) => (await commands()).runStatus(options));
  addSettings(status, ['dir']);

  const image = program
    .command('image')
    .summary('list images')
    .description('List the images in the cache of this machine.');
  const images = image
    .command('ls')
    .summary('list the images in the cache of this machine')
    .description('List the images whose manifest is in the cache of the daemon in --dir.')
    .option('--json', 'print JSON')
    .addHelpText('after', example('shoal image ls', 'shoal image ls --dir /srv/shoal --json'))
    .action(async (options: Options) => (await commands()).runImageLs(options));
  listed(addSettings(images, ['dir']));

  const task = program
    .command('task')
    .summary('list, show and remove tasks')
    .description('List, show and remove tasks of the swarm.');
  const tasks = reading(task, 'ls', 'list the tasks of the swarm', [
    'shoal task ls',
    'shoal task ls --nats nats://10.0.0.1:4222 --json',
  ])
    .addOption(limit())
    .action(async (options: Options) => (await commands()).runTaskLs(options));
  listed(tasks);
  reading(task, 'show', 'show a task: who holds what, and why bytes came from the origin', [
    'shoal task show sha256-…',
  ])
    .argument('<TASK>', TASK)
    .action(async (id: string, options: Options) => (await commands()).runTaskShow(id, options));
  reading(task, 'history', 'print what the task log has of a task', ['shoal task history sha256-…'])
    .argument('<TASK>', TASK)
    .action(async (id: string, options: Options) => (await commands()).runTaskHistory(id, options));
  reading(task, 'rm', 'remove a task from every cache of the swarm', ['shoal task rm sha256-…'])
    .argument('<TASK>', TASK)
    .action(async (id: string, options: Options) => (await commands()).runTaskRm(id, options));

  reading(program, 'explain', 'tell where the bytes of a task came from, why, and what the time went to', [
    'shoal explain sha256-…',
    'shoal explain registry.lab:5000/team/app:v1 --host node7 --json',
  ])
    .argument('<TASK>', TASK)
    .option('--host <HOST>', 'only how it came to this host: the beginning of its id, its name or address')
    .action(async (id: string, options: Options) => (await commands()).runExplain(id, options));

  const host = program.command('host').summary('list hosts').description('List the hosts of the swarm.');
  const hosts = reading(host, 'ls', 'list the hosts of the swarm', ['shoal host ls', 'shoal host ls --json'])
    .addOption(limit())
    .action(async (options: Options) => (await commands()).runHostLs(options));
  listed(hosts);

  const schedulers = reading(scheduler, 'ls', 'list the schedulers of the swarm, and what each serves', [
    'shoal scheduler ls',
    'shoal scheduler ls --nats nats://10.0.0.1:4222 --json',
  ]).action(async (_: Options, command: Command) =>
    (await commands()).runSchedulerLs(command.optsWithGlobals()),
  );
  listed(schedulers);
}

function limit(): Option {
  return new Option('--limit <N>', 'print the first N by id; all unless given').argParser((text) => {
    if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
    throw new InvalidArgumentError('give a whole number from 1 on');
  });
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

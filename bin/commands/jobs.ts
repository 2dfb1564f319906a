import { type Command, InvalidArgumentError, Option } from 'commander';
import { NATS_LOGIN_SETTINGS, type SettingName } from '../../app/settings.ts';
import { JOB_KINDS, JOB_STATES } from '../../core/jobs.ts';
import { example } from '../help.ts';
import type { JobFlags, JobListFlags } from '../job-commands.ts';
import { listed } from '../list-flags.ts';
import { addSettings } from '../settings-flags.ts';

/** Loaded when one is run, so that help and the short commands start at once. */
const commands = () => import('../job-commands.ts');

const WHERE: readonly SettingName[] = ['nats', ...NATS_LOGIN_SETTINGS, 'swarm', 'dir'];
const WHAT = 'images (with * in the tag: all that fit), http(s) URLs, digests, task ids';

/** Adds `preheat`, `pin`, `evict` and `job`. */
export function addJobs(program: Command): void {
  const preheat = program
    .command('preheat')
    .argument('<WHAT...>', WHAT)
    .summary('have images and files in the caches of hosts')
    .description(
      'Have images and files in the caches of hosts before anybody asks for them: of the seeds unless told otherwise, or of one host where there is no seed. No credentials travel: each host reads with those that it was configured with. It is a job: it goes on whatever becomes of this command.',
    )
    .action(async (what: string[], flags: JobFlags) => (await commands()).runJob('preheat', what, flags));
  schedules(asking(choosing(preheat))).addHelpText(
    'after',
    example(
      'shoal preheat alpine:3.20 --wait',
      'shoal preheat registry.local:5000/team/app:v1 --on all --platform linux/amd64 --wait',
      'shoal preheat https://example.org/model.bin --zone rack7 --count 2',
      "shoal preheat 'ghcr.io/team/app:v1.*' --on all --cron '0 3 * * *' --time-zone Europe/Berlin",
    ),
  );

  const pin = program
    .command('pin')
    .argument('<WHAT...>', WHAT)
    .summary('keep so many copies of images and files')
    .description(
      'Keep images and files in the caches of so many hosts, which never evict them; a copy whose host is gone for good is made anew elsewhere. `shoal job cancel` ends it.',
    )
    .option('--copies <N>', 'hosts that are to hold all of it (default: 1)')
    .option('--zones <N>', 'in that many zones at least')
    .option('--for <D>', 'that long, for example 720h; without it until it is cancelled')
    .action(async (what: string[], flags: JobFlags) => (await commands()).runJob('pin', what, flags));
  asking(choosing(pin)).addHelpText(
    'after',
    example(
      'shoal pin alpine:3.20 --copies 2 --wait',
      'shoal pin ghcr.io/team/app:v1 --copies 3 --zones 3 --for 720h',
    ),
  );

  const evict = program
    .command('evict')
    .argument('<WHAT...>', WHAT)
    .summary('remove images and files from the caches of hosts')
    .description(
      'Remove images and files from the caches of hosts: of the seeds unless told otherwise. What a pin keeps stays. A part of two images is removed with the first of them.',
    )
    .action(async (what: string[], flags: JobFlags) => (await commands()).runJob('evict', what, flags));
  schedules(asking(choosing(evict))).addHelpText(
    'after',
    example(
      'shoal evict ghcr.io/team/app:v1 --on all --wait',
      'shoal evict https://example.org/model.bin --zone rack7',
    ),
  );

  const job = program
    .command('job')
    .summary('list, show, watch and cancel jobs')
    .description('List, show, watch and cancel the preheats, pins, evictions and schedules of the swarm.');
  listed(
    reading(job, 'ls', 'list jobs, newest first', ['shoal job ls', 'shoal job ls --state running --json']),
  )
    .addOption(new Option('--kind <KIND>', 'of this kind alone').choices(JOB_KINDS))
    .addOption(new Option('--state <STATE>', 'in this state alone').choices(JOB_STATES))
    .option('--schedule <JOB>', 'those that this schedule began')
    .addOption(new Option('--limit <N>', 'the newest N; all unless given').argParser(whole))
    .action(async (flags: JobListFlags) => (await commands()).runJobLs(flags));
  reading(job, 'show', 'show a job, and how it stands on each host', [
    'shoal job show 3f9a',
    'shoal job show 3f9a --json',
  ])
    .argument('<JOB>', 'a job id, or the beginning of one')
    .action(async (id: string, flags: JobFlags) => (await commands()).runJobShow(id, flags));
  reading(job, 'watch', 'follow a job to its end', [
    'shoal job watch 3f9a',
    'shoal job watch 3f9a --timeout 10m',
  ])
    .argument('<JOB>', 'a job id, or the beginning of one')
    .option('--timeout <D>', 'give up after this time, for example 90s or 10m; the job goes on')
    .action(async (id: string, flags: JobFlags) => (await commands()).runJobWatch(id, flags));
  reading(job, 'cancel', 'end a job, a pin or a schedule', ['shoal job cancel 3f9a'])
    .argument('<JOB>', 'a job id, or the beginning of one')
    .action(async (id: string, flags: JobFlags) => (await commands()).runJobCancel(id, flags));
}

/** Which hosts. */
function choosing(command: Command): Command {
  return command
    .option(
      '--on <HOSTS>',
      'seeds, all, or a comma list of host ids (their beginning will do), addresses and names',
    )
    .option('--zone <ZONE>', 'hosts of this zone alone')
    .addOption(
      new Option('--label <K=V>', 'hosts with this label alone; may be given several times').argParser(
        (text: string, former: string[] | undefined) => [...(former ?? []), text],
      ),
    )
    .option('--count <N>', 'that many hosts, taken at random')
    .option('--percent <N>', 'that part of the hosts, taken at random');
}

/** How it is asked for, and what is told of it. */
function asking(command: Command): Command {
  command
    .option(
      '--platform <OS/ARCH>',
      'platform of images, as linux/arm64/v8, or all (default: linux of this machine)',
    )
    .option('--concurrency <N>', 'hosts at work at once (default: all)')
    .option('--priority <N>', '0 to 9: hosts do what has a higher one first (default: 5)')
    .option('--key <KEY>', 'the same key again is the same job')
    .option('--wait', 'wait until it is over, or the pin holds')
    .option('--timeout <D>', 'give up after this time, for example 90s or 10m; the job goes on')
    .option('--json', 'print JSON');
  return addSettings(command, WHERE);
}

function schedules(command: Command): Command {
  return command
    .option('--cron <TIMES>', 'do it at these times, as crontab has them: "0 3 * * *"')
    .option('--time-zone <ZONE>', 'of --cron, as Europe/Berlin (default: UTC)');
}

function reading(parent: Command, name: string, about: string, examples: readonly string[]): Command {
  const command = parent
    .command(name)
    .summary(about)
    .description(`${about[0]?.toUpperCase()}${about.slice(1)}.`)
    .option('--json', 'print JSON')
    .addHelpText('after', example(...examples));
  return addSettings(command, WHERE);
}

function whole(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('give a whole number from 1 on');
}

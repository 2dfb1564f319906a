import type { Command } from 'commander';
import { NATS_LOGIN_SETTINGS, type SettingName } from '../../app/settings.ts';
import type { FilesFlags } from '../files-command.ts';
import { example } from '../help.ts';
import { addSettings } from '../settings-flags.ts';

/** Loaded when one is run, so that help and the short commands start at once. */
const commands = () => import('../files-command.ts');

const WHERE: readonly SettingName[] = ['dir', 'nats', ...NATS_LOGIN_SETTINGS, 'swarm'];

/** Adds `import`, `export`, `stat` and `verify`. */
export function addFiles(program: Command): void {
  const importing = program
    .command('import')
    .argument('<FILE...>', 'files of this machine')
    .summary('put files into the swarm')
    .description(
      'Put files into the cache of the daemon in --dir, for everybody in the swarm, and print their digests as sha256sum does. Any host gets them by `shoal get sha256:…`. Without --pin they are evicted like all else.',
    )
    .option('--pin <N>', 'have so many hosts keep them: a job, as of `shoal pin --on all`')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      example(
        'shoal import build/app.tar',
        'shoal import models/*.bin --pin 3',
        'shoal get sha256:… -o app.tar',
      ),
    )
    .action(async (files: string[], flags: FilesFlags) => (await commands()).runImport(files, flags));
  addSettings(importing, WHERE);

  const exporting = program
    .command('export')
    .argument('<WHAT>', 'a digest, a task id or a URL')
    .requiredOption(
      '-o, --output <FILE>',
      'where to put it, whole and verified or not at all; - is standard output',
    )
    .summary('take content out of the swarm again')
    .description(
      'Take content out of the swarm, from the caches of its hosts alone: as `shoal get --no-origin`.',
    )
    .option('--timeout <D>', 'give up after this time, for example 90s or 10m')
    .option('--json', 'print the result as one JSON object (to standard error with -o -)')
    .option('-q, --quiet', 'print errors only')
    .addHelpText('after', example('shoal export sha256:… -o app.tar', 'shoal export sha256:… -o - | tar x'))
    .action(async (what: string, _flags: unknown, command: Command) => {
      const { runGetCommand } = await import('../get-command.ts');
      await runGetCommand(what, { ...command.opts(), origin: false });
    });
  addSettings(exporting, WHERE);

  const stat = program
    .command('stat')
    .argument('<WHAT...>', 'digests and task ids')
    .summary('tell whether and where content is held')
    .description(
      'Tell what of some content the cache of this machine holds, and which hosts of the swarm hold all of it.',
    )
    .option('--json', 'print JSON')
    .addHelpText('after', example('shoal stat sha256:…', 'shoal stat sha256:… --json'))
    .action(async (what: string[], flags: FilesFlags) => (await commands()).runStat(what, flags));
  addSettings(stat, ['dir']);

  const verify = program
    .command('verify')
    .argument('<FILE...>', 'files of this machine')
    .summary('compare files with what the swarm holds')
    .description(
      'Compare files with what the cache of this machine holds, however that was named, and with the digests that the swarm knows. Fails where one of them is neither.',
    )
    .option('--json', 'print JSON')
    .addHelpText('after', example('shoal verify app.tar', 'shoal verify models/*.bin --json'))
    .action(async (files: string[], flags: FilesFlags) => (await commands()).runVerify(files, flags));
  addSettings(verify, ['dir']);
}

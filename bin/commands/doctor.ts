import type { Command } from 'commander';
import { NATS_LOGIN_SETTINGS } from '../../app/settings.ts';
import { example } from '../help.ts';
import { addSettings } from '../settings-flags.ts';

type Options = Readonly<Record<string, unknown>>;

/** Adds `doctor`. */
export function addDoctor(program: Command): void {
  const doctor = program
    .command('doctor')
    .summary('find out what is wrong, and what mends it')
    .description(
      'Look at the daemon in --dir, its machine, NATS, schedulers, hosts and container clients: what is wrong, and the command that mends it. Exit code 1 where something does not work.',
    )
    .option('--image <IMAGE>', 'and whether this image comes: its registry, then one small blob')
    .option('--url <URL>', 'and whether this file comes: its first bytes')
    .option('--bundle <FILE>', 'write what a bug report needs to a file, without secrets')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      example(
        'shoal doctor',
        'shoal doctor --image registry.lab:5000/team/app:v1',
        'shoal doctor --url https://files.example/model.bin --bundle report.json',
      ),
    )
    .action(async (options: Options) => {
      const { runDoctor } = await import('../doctor-command.ts');
      await runDoctor(options);
    });
  addSettings(doctor, ['dir', 'nats', ...NATS_LOGIN_SETTINGS, 'swarm']);
}

import type { Command } from 'commander';
import { NATS_LOGIN_SETTINGS } from '../../app/settings.ts';
import { example } from '../help.ts';
import { addSettings } from '../settings-flags.ts';

/** Adds `top`. */
export function addTop(program: Command): void {
  const top = program
    .command('top')
    .summary('watch the swarm live')
    .description(
      'Watch tasks, hosts, schedulers and events of the swarm in the terminal, through the daemon in --dir or with --nats alone, which events need. Without a terminal it prints one picture.',
    )
    .option('--interval <D>', 'how often to ask the swarm, for example 500ms or 2s', '1s')
    .option('--once', 'print one picture and end')
    .option('--no-color', 'no colours (env: NO_COLOR)')
    .option('--json', 'print what is known once, as JSON')
    .addHelpText('after', example('shoal top', 'shoal top --nats nats://10.0.0.1:4222 --interval 2s'))
    .action(async (options: Readonly<Record<string, unknown>>) =>
      (await import('../top-command.ts')).runTop(options),
    );
  addSettings(top, ['dir', 'nats', ...NATS_LOGIN_SETTINGS, 'swarm']);
}

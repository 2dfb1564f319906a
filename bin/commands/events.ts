import type { Command } from 'commander';
import { NATS_LOGIN_SETTINGS } from '../../app/settings.ts';
import { example } from '../help.ts';
import { addSettings } from '../settings-flags.ts';

type Options = Readonly<Record<string, unknown>>;

/** Adds `events`. */
export function addEvents(program: Command): void {
  const events = program
    .command('events')
    .argument('[TYPE]', 'a type, or the beginning of one: peer, peer.completed')
    .summary('follow the events of the swarm')
    .description('Follow the events of the swarm until interrupted; docs/EVENTS.md lists them.')
    .option('--json', 'print each event as a line of JSON, a CloudEvent 1.0')
    .addHelpText(
      'after',
      example('shoal events --nats nats://10.0.0.1:4222', 'shoal events peer.completed --json'),
    )
    .action(async (type: string | undefined, options: Options) => {
      const { runEvents } = await import('../events-command.ts');
      await runEvents(type ?? '', options);
    });
  addSettings(events, ['nats', ...NATS_LOGIN_SETTINGS, 'swarm']);
}

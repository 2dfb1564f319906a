import { type Command, Option } from 'commander';
import { NATS_LOGIN_SETTINGS } from '../../app/settings.ts';
import { SCOPES } from '../../core/api-token.ts';
import { example } from '../help.ts';
import { addSettings } from '../settings-flags.ts';

type Options = Readonly<Record<string, unknown>>;

/** Loaded when one is run, so that help and the short commands start at once. */
const commands = () => import('../token-command.ts');

/** Adds `token create|ls|revoke`. */
export function addToken(program: Command): void {
  const token = program
    .command('token')
    .summary('make and revoke tokens of the HTTP API')
    .description(
      'Make, list and revoke the tokens of the HTTP API. A closed NATS wants an operator’s login for it (--nats-nkey operator.nk).',
    );
  reaching(token.command('create'))
    .argument('<NAME>', 'what it is for: letters, digits, `.`, `-` and `_`')
    .summary('make a token')
    .description('Make a token. It is printed once; the swarm keeps a hash of it alone.')
    .addOption(
      new Option('--scope <SCOPES>', `comma list of ${SCOPES.join(', ')}; admin may do everything`).default(
        'read',
      ),
    )
    .option('--expires <D>', 'how long it holds, for example 12h or 90d; never: for ever', '90d')
    .addHelpText(
      'after',
      example('shoal token create grafana', 'shoal token create harbor --scope jobs --expires never'),
    )
    .action(async (name: string, options: Options) => (await commands()).runTokenCreate(name, options));
  reaching(token.command('ls'))
    .summary('list the tokens')
    .description('List the tokens: what each may do, and until when.')
    .addHelpText('after', example('shoal token ls', 'shoal token ls --nats nats://10.0.0.1:4222 --json'))
    .action(async (options: Options) => (await commands()).runTokenLs(options));
  reaching(token.command('revoke'))
    .argument('[TOKEN]', 'id or name of a token; nothing: all that have expired')
    .summary('revoke tokens')
    .description('Revoke a token: within a second it lets nobody in any more.')
    .addHelpText('after', example('shoal token revoke harbor', 'shoal token revoke'))
    .action(async (named: string | undefined, options: Options) =>
      (await commands()).runTokenRevoke(named, options),
    );
}

function reaching(command: Command): Command {
  command.option('--json', 'print JSON');
  return addSettings(command, ['dir', 'nats', ...NATS_LOGIN_SETTINGS, 'swarm']);
}

import { type Command, Option } from 'commander';
import { example } from '../help.ts';
import { addSettings } from '../settings-flags.ts';

type Options = Readonly<Record<string, unknown>>;

/** Loaded when one is run, so that help and the short commands start at once. */
const commands = () => import('../auth-command.ts');

/** Where the accounts are where nothing is said. */
const PLACE = '/etc/shoal/auth';

/** Adds `auth init|add|rotate`. */
export function addAuth(program: Command): void {
  const auth = program
    .command('auth')
    .summary('close NATS: accounts and permissions of a swarm')
    .description(
      'Close NATS: write the account of a swarm for nats-server, with what each role may do, and the logins that daemons and people take. docs/SECURITY.md has the roles.',
    );
  const init = folder(auth.command('init'))
    .summary('make the accounts of a swarm')
    .description(
      'Make the accounts of a swarm: a user for each of scheduler, host, operator, monitor and gateway. What is there already is never overwritten.',
    )
    .addOption(
      new Option('--with <KIND>', 'what users log in with').choices(['nkeys', 'passwords']).default('nkeys'),
    )
    .addOption(
      new Option(
        '--host-users <HOW>',
        'one user that all hosts share, or each host its own (`shoal auth add host`), which alone can be told from the others',
      )
        .choices(['shared', 'each'])
        .default('shared'),
    )
    .option('--if-missing', 'leave accounts that are there as they are, and say so')
    .addHelpText(
      'after',
      example(
        'shoal auth init',
        'shoal auth init --at ./auth --swarm lab --host-users each',
        'nats-server -js -c /etc/shoal/auth/nats/auth.conf',
        'shoal peer --nats nats://10.0.0.1:4222 --nats-nkey /etc/shoal/auth/host/host.nk',
      ),
    )
    .action(async (options: Options) => (await commands()).runAuthInit(options));
  addSettings(init, ['swarm']);

  folder(auth.command('add'))
    .argument('<ROLE>', 'scheduler, host, operator, monitor or gateway')
    .argument('[NAME]', 'name of the user; of a host its id, or nothing for one that is still to be started')
    .summary('add a user')
    .description(
      'Add a user of a role. The user of one host may act as that host alone; a host that is started with its login for the first time takes on its id.',
    )
    .addHelpText(
      'after',
      example(
        'shoal auth add operator alice',
        'shoal auth add host',
        'shoal auth add host 0123456789abcdef0123456789abcdef',
      ),
    )
    .action(async (role: string, name: string | undefined, options: Options) =>
      (await commands()).runAuthAdd(role, name, options),
    );

  folder(auth.command('rotate'))
    .argument('<NAME>', 'name of a user; the one that `init` made for a role is called like the role')
    .summary('give a user a new key')
    .description(
      'Give a user a new key. The old one holds too until --drop-old, so that daemons can be given the new login one after the other.',
    )
    .option('--drop-old', 'end the old key; no new one is made')
    .addHelpText(
      'after',
      example(
        'shoal auth rotate host',
        'nats-server --signal reload',
        'shoal auth rotate host --drop-old',
        'nats-server --signal reload',
      ),
    )
    .action(async (name: string, options: Options) => (await commands()).runAuthRotate(name, options));
}

function folder(command: Command): Command {
  return command
    .option('--at <DIR>', 'folder of the accounts', PLACE)
    .option('--json', 'print what was written as JSON, without a secret');
}

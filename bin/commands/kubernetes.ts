import { type Command, Option } from 'commander';
import { example } from '../help.ts';
import { addSettings } from '../settings-flags.ts';

type Options = Readonly<Record<string, unknown>>;

/** Loaded when one is run, so that help and the short commands start at once. */
const commands = () => import('../kubernetes-command.ts');

/** Adds `kubernetes accounts|configure-node|restore-node`. */
export function addKubernetes(program: Command): void {
  const kubernetes = program
    .command('kubernetes')
    .summary('what the Helm chart runs in a cluster')
    .description('What the Helm chart of Shoal runs in a cluster. docs/KUBERNETES.md has the rest.');
  const accounts = kubernetes
    .command('accounts')
    .summary('make the accounts of a swarm as Secrets')
    .description(
      'Make the accounts of a swarm and the certificate of its NATS as Secrets, where they are missing. It runs in a pod whose service account may make them.',
    )
    .requiredOption('--name <NAME>', 'what the names of the Secrets begin with')
    .requiredOption('--namespace <NAMESPACE>', 'namespace of the Secrets')
    .option('--service <NAME>', 'service of the NATS servers (default: NAME-nats)')
    .option('--remove', 'remove them all instead')
    .option('--json', 'print JSON, without a secret')
    .addHelpText(
      'after',
      example(
        'shoal kubernetes accounts --name shoal --namespace shoal',
        'shoal kubernetes accounts --name shoal --namespace shoal --remove',
      ),
    )
    .action(async (options: Options) => (await commands()).runAccounts(options));
  addSettings(accounts, ['swarm']);

  node(kubernetes.command('configure-node'))
    .summary('make the runtime of this node pull through Shoal')
    .description(
      "Make the container runtime of this node pull through the daemon of this node. The runtime's folder is mounted where it lies on the node. What others wrote stays; a second run changes nothing.",
    )
    .option(
      '--activate [COMMAND]',
      'restart or reload the runtime where a change needs it, by this command before the one of the runtime',
    )
    .addHelpText(
      'after',
      example(
        'shoal kubernetes configure-node --file /etc/containerd/config.toml',
        "shoal kubernetes configure-node --file /etc/containerd/config.toml --config-path write --activate 'nsenter --target 1 --mount --'",
        'shoal kubernetes configure-node --runtime crio',
      ),
    )
    .action(async (options: Options) => (await commands()).runConfigureNode(options));

  node(kubernetes.command('restore-node'))
    .summary('take back what configure-node wrote')
    .description('Take back what configure-node wrote, byte for byte where nobody else wrote since.')
    .addHelpText(
      'after',
      example('shoal kubernetes restore-node --file /etc/containerd/config.toml --config-path write'),
    )
    .action(async (options: Options) => (await commands()).runRestoreNode(options));
}

function node(command: Command): Command {
  return command
    .addOption(
      new Option('--runtime <NAME>', 'runtime of the node')
        .choices(['containerd', 'crio'])
        .default('containerd'),
    )
    .option('--file <FILE>', "containerd's config.toml, or the drop-in of CRI-O")
    .option('--config-dir <DIR>', 'where the hosts.toml files or the drop-ins lie')
    .addOption(
      new Option(
        '--config-path <HOW>',
        'what is done where config.toml names no folder of hosts.toml files: fail, write it, or do not look',
      )
        .choices(['require', 'write', 'assume'])
        .default('require'),
    )
    .addOption(
      new Option(
        '--registry <NAME>',
        'a registry as images name it; may be given several times (default: all, of CRI-O those most used)',
      ).argParser((text: string, former: string[] | undefined) => [...(former ?? []), text]),
    )
    .option('--proxy <URL>', "the daemon's proxy port", 'http://127.0.0.1:4001')
    .option('--json', 'print JSON');
}

import type { Command } from 'commander';
import { example } from '../help.ts';

type Options = Readonly<Record<string, unknown>>;

/** Adds `proxy ca`. */
export function addProxy(program: Command): void {
  const proxy = program
    .command('proxy')
    .summary('set up the forward proxy')
    .description('Set up what the forward proxy of a daemon needs.');
  proxy
    .command('ca')
    .summary('make a CA, so that the forward proxy sees into HTTPS')
    .description(
      "Make a CA, so that the forward proxy sees into HTTPS of the clients that trust it: ca.pem for those clients, ca.key for the daemon's eyes alone. What is there already is never overwritten.",
    )
    .requiredOption('--out <DIR>', 'where to put ca.pem and ca.key; made where it is missing')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      example(
        'shoal proxy ca --out /etc/shoal/ca',
        'shoal peer --proxy-ca-cert /etc/shoal/ca/ca.pem --proxy-ca-key /etc/shoal/ca/ca.key',
      ),
    )
    .action(async (options: Options) => {
      const { runProxyCa } = await import('../proxy-ca-command.ts');
      await runProxyCa(options);
    });
}

import { type Command, Option } from 'commander';
import { NATS_LOGIN_SETTINGS } from '../../app/settings.ts';
import { example } from '../help.ts';
import { addSettings } from '../settings-flags.ts';

function several(text: string, former: string[] | undefined): string[] {
  return [...(former ?? []), text];
}

/** Adds `get`. */
export function addGet(program: Command): void {
  const get = program
    .command('get')
    .argument('[RESOURCE]', 'a URL, or the digest of what a host of the swarm holds')
    .summary('get a file, or a list of them')
    .description(
      'Get a file through the daemon in --dir. Without a daemon it joins the swarm of --nats for the time of the download; with neither it downloads directly.',
    )
    .option(
      '-o, --output <FILE>',
      'where to put it, whole and verified or not at all; - is standard output, in order. Without it the file stays in the cache and its path is printed',
    )
    .option('--range <A-B>', 'these bytes alone, both included, counted from 0; A- and -N as in HTTP')
    .option('--if-changed', 'leave the file of -o alone where it has these bytes already')
    .option('--no-clobber', 'leave a file that is there as it is, and ask nobody')
    .option(
      '--list <FILE>',
      'get what its lines name: URL, digest and path, or as sha256sum prints them; - is standard input. Paths are below the folder of -o',
    )
    .option(
      '--base <URL>',
      'what the names of a sha256sum file are below; without it they are digests of the swarm',
    )
    .option('--at-once <N>', 'so many files of a list at a time (default: 32)')
    .option('--digest <DIGEST>', 'sha256:… or sha512:… that the content must have')
    .addOption(
      new Option(
        '--header <N: V>',
        'header for the origin, and for nobody else; may be given several times',
      ).argParser(several),
    )
    .addOption(
      new Option(
        '--filter-query <NAME>',
        'a query parameter that does not name content, beside those that sign a URL; may be given several times',
      ).argParser(several),
    )
    .option('--timeout <D>', 'give up after this time, for example 90s or 10m')
    .option('--no-origin', 'take it from hosts of the swarm alone')
    .option('--max-stale <D>', 'let an answer of the origin this old, got by any host, do')
    .option('--json', 'print the result as one JSON object (to standard error with -o -)')
    .option('-q, --quiet', 'print errors only')
    .addHelpText(
      'after',
      example(
        'shoal get https://example.org/big.tar -o big.tar',
        'shoal get https://example.org/big.tar --digest sha256:… -o - | tar x',
        'shoal get sha256:… -o layer.tar --no-origin',
        'shoal get https://example.org/big.tar --range 0-1023 -o head',
        'shoal get --list files.txt -o data --if-changed',
        'shoal get --list SHA256SUMS --base https://example.org/v1/ -o v1',
        "shoal get https://example.org/private --header 'Authorization: Bearer …' -o private",
      ),
    )
    .action(async (resource: string | undefined, _flags: unknown, command: Command) => {
      const { runGetCommand } = await import('../get-command.ts');
      await runGetCommand(resource, command.opts());
    });
  addSettings(get, [
    'dir',
    'nats',
    ...NATS_LOGIN_SETTINGS,
    'swarm',
    'advertise',
    'zone',
    'allow-origin',
    'only-origin',
    'limit-up',
    'limit-down',
    'log-level',
  ]);
}

import { type Command, Option } from 'commander';
import { NATS_LOGIN_SETTINGS } from '../../app/settings.ts';
import { example } from '../help.ts';
import type { PreheatFlags } from '../preheat-command.ts';
import { addSettings } from '../settings-flags.ts';

/** Adds `preheat`. */
export function addPreheat(program: Command): void {
  const preheat = program
    .command('preheat')
    .argument('<WHAT...>', 'images, http(s) URLs, or digests of what a host of the swarm holds')
    .summary('have images and files in the caches of hosts')
    .description(
      'Have images and files in the caches of hosts before anybody asks for them: of the seeds unless told otherwise, or of one host where there is no seed. No credentials travel: each host reads with those that it was configured with.',
    )
    .option(
      '--platform <OS/ARCH>',
      'platform of images, as linux/arm64/v8, or all (default: linux of this machine)',
    )
    .option('--on <HOSTS>', 'seeds, all, or a comma list of host ids (their beginning will do) and addresses')
    .option('--zone <ZONE>', 'hosts of this zone alone')
    .addOption(
      new Option('--label <K=V>', 'hosts with this label alone; may be given several times').argParser(
        (text: string, former: string[] | undefined) => [...(former ?? []), text],
      ),
    )
    .option('--count <N>', 'that many hosts, taken at random')
    .option('--wait', 'wait until all hosts have ended')
    .option('--timeout <D>', 'give up after this time, for example 90s or 10m; the hosts go on')
    .option('--json', 'print the result as one JSON object')
    .addHelpText(
      'after',
      example(
        'shoal preheat alpine:3.20 --wait',
        'shoal preheat registry.local:5000/team/app:v1 --on all --platform linux/amd64 --wait',
        'shoal preheat https://example.org/model.bin --zone rack7 --count 2',
        'shoal preheat sha256:… --label disk=ssd --wait --json',
      ),
    )
    .action(async (what: string[], flags: PreheatFlags) => {
      const { runPreheatCommand } = await import('../preheat-command.ts');
      await runPreheatCommand(what, flags);
    });
  addSettings(preheat, ['nats', ...NATS_LOGIN_SETTINGS, 'swarm', 'dir', 'registry', 'docker-config']);
}

import { type Command, InvalidArgumentError } from 'commander';
import { parseBytes, parseDuration, parseRate } from '../../core/units.ts';
import { example } from '../help.ts';
import type { SimOptions } from '../sim-options.ts';

/** Adds `sim`. */
export function addSim(program: Command): void {
  program
    .command('sim')
    .summary('simulate a swarm in virtual time')
    .description(
      'Simulate a swarm in virtual time: hosts without bytes on the scheduler that ships, the same each time for one seed. Tells how near to the physical limit the download comes, and ends with exit code 1 where a rule is broken.',
    )
    .option('--hosts <N>', 'hosts that want the content', count(1, 20_000), 100)
    .option('--seed-hosts <N>', 'so many of them are seeds', count(0, 20_000), 0)
    .option('--up <RATE>', 'uplink of a host', rate, rate('100Mbit'))
    .option('--down <RATE>', 'downlink of a host; as fast as the uplink unless given', rate)
    .option('--origin <RATE>', 'link of the origin; as fast as an uplink unless given', rate)
    .option('--size <SIZE>', 'of the content', size, size('256MiB'))
    .option('--piece <SIZE>', 'of a piece; what Shoal takes unless given', size)
    .option('--latency <D>', 'one way, inside a zone', duration, 1)
    .option('--zones <N>', 'zones that the hosts are dealt out to', count(1, 1000), 1)
    .option('--far-latency <D>', 'one way, between zones; as inside unless given', duration)
    .option('--arrive <D>', 'the hosts come at random within this time', duration, 0)
    .option('--slow <SHARE>', 'so many hosts have a slower uplink, such as 50%', share, 0)
    .option('--slow-part <SHARE>', 'this part of the uplink', share, 0.25)
    .option('--die <SHARE>', 'so many hosts end for good on the way', share, 0)
    .option('--lie <SHARE>', 'so many hosts give wrong bytes', share, 0)
    .option('--slots-up <N>', 'uploads of a host at once', count(1, 1000), 16)
    .option('--slots-down <N>', 'downloads of a host at once', count(1, 1000), 24)
    .option(
      '--sync-cost <US>',
      'CPU time that a sync costs the scheduler, in µs; 0: a free core',
      count(0, 1_000_000),
      0,
    )
    .option('--seed <N>', 'what chance is made of', count(0, 1_000_000_000), 1)
    .option('--seeds <N>', 'play so many seeds, from --seed on', count(1, 1_000_000), 1)
    .option('--trace', 'print what happens, host by host')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      example(
        'shoal sim --hosts 1000 --size 1GiB',
        'shoal sim --hosts 200 --slow 50% --die 20%',
        'shoal sim --hosts 20 --lie 10% --seeds 100',
      ),
    )
    .action(async (options: SimOptions) => (await import('../sim-command.ts')).runSim(options));
}

function count(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`give a whole number from ${least} to ${most}`);
  };
}

function share(text: string): number {
  const [, number, percent] = /^(\d{1,3}(?:\.\d{1,6})?)(%?)$/.exec(text) ?? [];
  const value = Number(number) / (percent === '%' ? 100 : 1);
  if (value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('give a share, such as 20% or 0.2');
}

function rate(text: string): number {
  return positive(parsed(parseRate, text));
}

function size(text: string): number {
  return positive(parsed(parseBytes, text));
}

function duration(text: string): number {
  return parsed(parseDuration, text);
}

function positive(value: number): number {
  if (value > 0) return value;
  throw new InvalidArgumentError('give more than 0');
}

function parsed(parse: (text: string) => number, text: string): number {
  try {
    return parse(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

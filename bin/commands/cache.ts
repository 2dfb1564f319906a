import type { Command } from 'commander';
import type { CacheFlags } from '../cache-command.ts';
import { example } from '../help.ts';
import { addSettings } from '../settings-flags.ts';

/** Loaded when one is run, so that help and the short commands start at once. */
const commands = () => import('../cache-command.ts');

/** Adds `cache ls|rm|prune|scrub`. */
export function addCache(program: Command): void {
  const cache = program
    .command('cache')
    .summary('list, check and clear the cache of this machine')
    .description('List, check and clear the cache of the daemon in --dir; other hosts keep what they have.');
  const add = (name: string, about: string, more: string, ...examples: string[]): Command =>
    addSettings(
      cache
        .command(name)
        .summary(about)
        .description(more)
        .option('--json', 'print JSON')
        .addHelpText('after', example(...examples)),
      ['dir'],
    );
  add(
    'ls',
    'list the cache',
    'List what the cache holds, least recently used first.',
    'shoal cache ls',
  ).action(async (flags: CacheFlags) => (await commands()).runCacheLs(flags));
  add(
    'rm',
    'remove tasks',
    'Remove tasks from this cache. What a pin keeps stays.',
    'shoal cache rm sha256-…',
  )
    .argument('<TASK...>', 'task ids, as `shoal cache ls` prints them, or digests')
    .action(async (tasks: string[], flags: CacheFlags) => (await commands()).runCacheRm(tasks, flags));
  add(
    'prune',
    'remove what was not used for long',
    'Remove what was not used for the longest time. What is being fetched, and what a pin keeps, stays.',
    'shoal cache prune --to 20GiB',
    'shoal cache prune --older 30d',
  )
    .option('--to <SIZE>', 'until so much is left at most')
    .option('--older <D>', 'what was not used for so long')
    .action(async (flags: CacheFlags) => (await commands()).runCachePrune(flags));
  add(
    'scrub',
    'read all of it, and take back what is damaged',
    'Read all that the cache holds. A piece that is not what was recorded is taken back: it is fetched anew when it is wanted.',
    'shoal cache scrub',
    'shoal cache scrub --limit-rate 50MB',
  )
    .option('--limit-rate <RATE>', 'read so much in a second at most')
    .action(async (flags: CacheFlags) => (await commands()).runCacheScrub(flags));
}

import { setTimeout as wait } from 'node:timers/promises';
import { loadSchedulerConfig } from '../app/config.ts';
import type { SwarmQueries } from '../app/swarm-query.ts';
import { ShoalError } from '../core/errors.ts';
import { parseDuration } from '../core/units.ts';
import type { Bus } from '../transport/bus.ts';
import { print } from './print.ts';
import { withSwarm } from './reading-commands.ts';
import { configInput } from './settings-flags.ts';
import { listedIds, type Place, press, START } from './top/model.ts';
import { Screen } from './top/screen.ts';
import { Watch } from './top/watch.ts';
import { eventLine } from './views/event-line.ts';
import { topPicture } from './views/top.ts';

type Options = Readonly<Record<string, unknown>>;

const COLUMNS = 80;
const LINES = 24;
const LEAST_INTERVAL_MS = 200;

/** Runs `top`: the swarm in the terminal until `q`; one picture where there is no terminal. */
export async function runTop(options: Options): Promise<void> {
  const { interval, once, json, color } = options;
  const everyMs = parseDuration(String(interval));
  if (everyMs < LEAST_INTERVAL_MS) throw new ShoalError('ERR_CONFIG_INVALID', '--interval is at least 200ms');
  const { swarm: name } = loadSchedulerConfig(configInput(options));
  const colours = color !== false && !process.env['NO_COLOR'];
  await withSwarm(options, async (swarm, bus) => {
    const watch = new Watch(swarm, { name, now: Date.now, hears: bus !== undefined });
    if (json) return printJson(swarm, name);
    if (once || !process.stdout.isTTY || !process.stdin.isTTY) {
      await watch.look();
      const { columns = COLUMNS, rows = LINES } = process.stdout;
      const lines = topPicture(watch.seen, START, columns, rows).map((line) =>
        line.map(({ text }) => text).join(''),
      );
      return print(`${lines.map((line) => line.trimEnd()).join('\n')}\n`);
    }
    await live(watch, bus, { everyMs, colours });
  });
}

async function printJson(swarm: SwarmQueries, name: string): Promise<void> {
  const [tasks, hosts, schedulers] = await Promise.all([swarm.tasks(), swarm.hosts(), swarm.schedulers()]);
  await print(`${JSON.stringify({ swarm: name, tasks, hosts, schedulers }, null, 2)}\n`);
}

async function live(
  watch: Watch,
  bus: Bus | undefined,
  { everyMs, colours }: { everyMs: number; colours: boolean },
): Promise<void> {
  const ended = new AbortController();
  let place: Place = START;
  const draw = () => screen.draw(topPicture(watch.seen, place, screen.columns, screen.lines));
  const look = async () => {
    await watch.look(place.open?.tab === 'tasks' ? place.open.id : undefined);
    if (!ended.signal.aborted) draw();
  };
  using screen = new Screen({
    colours,
    onSize: () => draw(),
    onKey(key) {
      const before = place;
      place = press(place, key, listedIds(watch.seen, place));
      if (place.quit) return ended.abort();
      draw();
      if (place.open?.id !== before.open?.id) void look();
    },
  });
  const stop = () => ended.abort();
  process.once('SIGTERM', stop);
  process.once('SIGHUP', stop);
  const heard = bus?.subscribeEvents((_subject, event) => watch.heard(eventLine(event)));
  try {
    while (!ended.signal.aborted) {
      await look();
      await wait(everyMs, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  } finally {
    heard?.close();
    process.off('SIGTERM', stop);
    process.off('SIGHUP', stop);
  }
}

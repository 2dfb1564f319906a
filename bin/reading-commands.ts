import { connectDaemon } from '../admin/client.ts';
import { loadSchedulerConfig } from '../app/config.ts';
import { type NamesIn, namedHost, namedTask } from '../app/named.ts';
import { NATS_LOGIN_SETTINGS } from '../app/settings.ts';
import type { SwarmQueries } from '../app/swarm-query.ts';
import { ShoalError } from '../core/errors.ts';
import { redactUrl } from '../core/source.ts';
import { countOf } from '../core/units.ts';
import type { Bus } from '../transport/bus.ts';
import { print } from './print.ts';
import { configInput } from './settings-flags.ts';
import { explainText } from './views/explain.ts';
import { historyText } from './views/history.ts';
import { viewOf } from './views/list.ts';
import { hostsText, imagesText, schedulersText, tasksText } from './views/lists.ts';
import { statusText, taskText } from './views/rows.ts';
import { watching } from './watch.ts';

type Options = Readonly<Record<string, unknown>>;

/** Runs `status`. */
export async function runStatus(options: Options): Promise<void> {
  const { dir } = loadSchedulerConfig(configInput(options));
  const { nats, ...status } = await (await connectDaemon(dir)).status();
  const url = nats.url === undefined ? {} : { url: nats.url.split(',').map(redactUrl).join(',') };
  await show(options, { ...status, nats: { ...url, state: nats.state } }, statusText);
}

/** Runs `image ls`. */
export async function runImageLs(options: Options): Promise<void> {
  const { dir } = loadSchedulerConfig(configInput(options));
  const daemon = await connectDaemon(dir);
  await watching(options, async () =>
    show(options, await daemon.images(), (images) => imagesText(images, viewOf(options), Date.now())),
  );
}

/** Runs `task ls`. */
export function runTaskLs(options: Options): Promise<void> {
  return listing(options, async (swarm) =>
    show(options, await swarm.tasks(limitOf(options)), (rows) => tasksText(rows, viewOf(options))),
  );
}

/** Runs `task show`. */
export function runTaskShow(name: string, options: Options): Promise<void> {
  return withSwarm(options, async (swarm) =>
    show(options, await swarm.task(await namedTask(swarm, name)), taskText),
  );
}

/** Runs `task history`. */
export function runTaskHistory(name: string, options: Options): Promise<void> {
  return withSwarm(options, async (swarm) =>
    show(options, await swarm.history(await namedTask(swarm, name)), historyText),
  );
}

/** Runs `explain`. */
export function runExplain(name: string, options: Options): Promise<void> {
  const { host } = options;
  return withSwarm(options, async (swarm) => {
    const taskId = await namedTask(swarm, name);
    const hostId = typeof host === 'string' ? await namedHost(swarm, host) : undefined;
    await show(options, await swarm.explain(taskId, hostId), explainText);
  });
}

/** Runs `task rm`. */
export function runTaskRm(name: string, options: Options): Promise<void> {
  return withSwarm(options, async (swarm) => {
    const taskId = await namedTask(swarm, name);
    const removed = { taskId, ...(await swarm.removeTask(taskId).catch(notOperator)) };
    await show(options, removed, ({ hosts }) => `removed from ${countOf(hosts, 'host')}\n`);
  });
}

/** Runs `host ls`. */
export function runHostLs(options: Options): Promise<void> {
  return listing(options, async (swarm) =>
    show(options, await swarm.hosts(limitOf(options)), (rows) => hostsText(rows, viewOf(options))),
  );
}

/** Runs `scheduler ls`. */
export function runSchedulerLs(options: Options): Promise<void> {
  return listing(options, async (swarm) =>
    show(options, await swarm.schedulers(), (rows) => schedulersText(rows, viewOf(options), Date.now())),
  );
}

/** Asks once, or again and again. */
function listing(options: Options, ask: (swarm: NamesIn & SwarmQueries) => Promise<void>): Promise<void> {
  return withSwarm(options, (swarm) => watching(options, () => ask(swarm)));
}

/** @throws ERR_BUS_DENIED, saying what login it takes; any other error as it is */
function notOperator(error: unknown): never {
  if (!(error instanceof ShoalError) || error.code !== 'ERR_BUS_DENIED') throw error;
  throw new ShoalError(
    'ERR_BUS_DENIED',
    "this NATS login may not remove content: give an operator's, for example --nats-nkey operator.nk",
    { cause: error },
  );
}

/**
 * The swarm as --nats or a login of its own reaches it where one was given, else as the daemon of --dir does, else by
 * SHOAL_NATS. With a login alone, the daemon says where NATS is.
 */
export async function withSwarm(
  options: Options,
  use: (swarm: NamesIn & SwarmQueries, bus?: Bus) => Promise<void>,
): Promise<void> {
  const input = configInput(options);
  const config = loadSchedulerConfig({ ...input, defaults: { 'log-level': 'error' } });
  const { flags } = input;
  const asked = ['nats' as const, ...NATS_LOGIN_SETTINGS].some((name) => flags[name] !== undefined);
  let { nats } = config;
  if (!asked || nats === undefined) {
    const daemon = await connectDaemon(config.dir).catch((error: unknown) => {
      if (nats === undefined) throw error;
      return undefined;
    });
    if (daemon !== undefined && !asked) return use(daemon);
    const url = (await daemon?.status())?.nats.url;
    if (url !== undefined) nats ??= { servers: url.split(',').map(bare), login: config.natsLogin };
  }
  if (nats === undefined)
    throw new ShoalError('ERR_CONFIG_INVALID', 'the daemon has no NATS: give --nats URL');
  const { openLog } = await import('../app/logging.ts');
  const { connectSwarm } = await import('../app/swarm-client.ts');
  const { swarmQueries } = await import('../app/swarm-query.ts');
  const client = await connectSwarm(config.swarm, nats, openLog(config.log));
  try {
    await use(swarmQueries(client.bus), client.bus);
  } finally {
    await client[Symbol.asyncDispose]();
  }
}

/** The place alone: the login in the URL is the daemon's. */
function bare(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

function show<T>(options: Options, value: T, text: (value: T) => string): Promise<void> {
  const { json } = options;
  return print(json ? `${JSON.stringify(value, null, 2)}\n` : text(value));
}

function limitOf({ limit }: Options): number | undefined {
  return typeof limit === 'number' ? limit : undefined;
}

import { connectDaemon } from '../admin/client.ts';
import { DEFAULT_NATS, type HostConfig, loadHostConfig } from '../app/config.ts';
import { openLog } from '../app/logging.ts';
import { chooseHosts, type HostChoice } from '../app/preheat/choose-hosts.ts';
import { openImageResolver } from '../app/preheat/image-resolver.ts';
import {
  type PreheatItem,
  type PreheatPlan,
  type PreheatResult,
  runPreheat,
} from '../app/preheat/preheat.ts';
import { resolveImage } from '../app/preheat/resolve-image.ts';
import { meantBy, resolveItems } from '../app/preheat/resolve-items.ts';
import { realClock, realRandom } from '../app/real-world.ts';
import { connectSwarm } from '../app/swarm-client.ts';
import { swarmQueries } from '../app/swarm-query.ts';
import { ShoalError } from '../core/errors.ts';
import { parseLabel } from '../core/labels.ts';
import type { Logger } from '../core/logger.ts';
import { machinePlatform, type Platform, parsePlatform } from '../core/oci-platform.ts';
import { formatDuration, parseDuration } from '../core/units.ts';
import { print } from './print.ts';
import { configInput } from './settings-flags.ts';
import { stopAsked } from './stop.ts';
import { preheatJson, preheatText } from './views/preheat.ts';
import { openPreheatProgress } from './views/preheat-progress.ts';

/** The flags of `preheat`, as commander gives them. */
export interface PreheatFlags extends Readonly<Record<string, unknown>> {
  readonly platform?: string;
  readonly on?: string;
  readonly zone?: string;
  readonly label?: readonly string[];
  readonly count?: string;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly json?: boolean;
}

/** Runs `preheat`. @throws ERR_PREHEAT_FAILED where a host failed, any ShoalError */
export async function runPreheatCommand(what: readonly string[], flags: PreheatFlags): Promise<void> {
  what.map(meantBy);
  const choice = choiceOf(flags);
  const platform = platformOf(flags.platform);
  const config = await configOf(flags);
  const timeoutMs = flags.timeout === undefined ? undefined : parseDuration(flags.timeout);
  const stopping = new AbortController();
  void stopAsked().then(() =>
    stopping.abort(new ShoalError('ERR_CANCELLED', 'interrupted; the hosts go on')),
  );
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          const message = `not done in ${formatDuration(timeoutMs)}; the hosts go on`;
          stopping.abort(new ShoalError('ERR_TIMEOUT', message));
        }, timeoutMs);
  const { signal } = stopping;
  const logger = openLog(config.log);
  try {
    const { nats = { servers: [DEFAULT_NATS], login: config.natsLogin } } = config;
    const client = await connectSwarm(config.swarm, nats, logger, signal);
    try {
      const hosts = chooseHosts(await swarmQueries(client.bus).hosts(), choice, realRandom);
      const items = await itemsOf(what, config, platform, logger, signal);
      const plan = { items, hosts, wait: flags.wait === true };
      const world = { bus: client.bus, clock: realClock, random: realRandom };
      await tell(plan, await follow(world, plan, signal), flags);
    } finally {
      await client[Symbol.asyncDispose]();
    }
    signal.throwIfAborted();
  } finally {
    clearTimeout(timer);
  }
}

async function itemsOf(
  words: readonly string[],
  config: HostConfig,
  platform: Platform | 'all',
  logger: Logger,
  signal: AbortSignal,
): Promise<PreheatItem[]> {
  const meant = words.map(meantBy);
  const named = meant.flatMap((one) => (one.kind === 'image' ? [one.reference.registry] : []));
  const resolver = openImageResolver({ config, platform, named, logger });
  try {
    return await resolveItems(meant, (reference) => resolveImage(resolver, reference, signal));
  } finally {
    await resolver[Symbol.asyncDispose]();
  }
}

async function follow(
  world: Parameters<typeof runPreheat>[0],
  plan: PreheatPlan,
  signal: AbortSignal,
): Promise<PreheatResult> {
  const view = plan.wait ? openPreheatProgress(process.stderr, plan) : undefined;
  try {
    return await runPreheat(world, plan, (hostId, reply) => view?.update(hostId, reply), signal);
  } finally {
    view?.stop();
  }
}

/** @throws ERR_PREHEAT_FAILED where a host failed */
async function tell(plan: PreheatPlan, result: PreheatResult, flags: PreheatFlags): Promise<void> {
  await print(flags.json ? preheatJson(plan, result) : preheatText(plan, result));
  const failed = result.hosts.filter(({ state }) => state === 'failed').length;
  if (failed === 0) return;
  const details = { jobId: result.jobId };
  throw new ShoalError('ERR_PREHEAT_FAILED', `${failed} of ${result.hosts.length} hosts failed`, { details });
}

function choiceOf({ on, zone, label = [], count }: PreheatFlags): HostChoice {
  const names = on?.split(',').map((name) => name.trim());
  return {
    on: on === 'seeds' || on === 'all' ? on : names?.filter((name) => name !== ''),
    zone,
    labels: Object.fromEntries(label.map(parseLabel)),
    count: count === undefined ? undefined : countOf(count),
  };
}

/** @throws ERR_CONFIG_INVALID */
function platformOf(text: string | undefined): Platform | 'all' {
  if (text === 'all') return text;
  return text === undefined ? machinePlatform(process.platform, process.arch) : parsePlatform(text);
}

/** @throws ERR_CONFIG_INVALID */
function countOf(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new ShoalError('ERR_CONFIG_INVALID', '--count: write it as a number of hosts, 1 or more');
}

/** What says where NATS is: a flag, the environment, the file, else the daemon beside. */
async function configOf(flags: PreheatFlags): Promise<HostConfig> {
  // Where these flags choose hosts, they say nothing of this one.
  const { zone: _zone, label: _label, ...settings } = flags;
  const defaults = { 'log-level': 'error', 'log-format': 'plain', 'cache-size': 0 };
  const config = loadHostConfig({ ...configInput(settings), defaults });
  if (config.nats !== undefined) return config;
  const status = await connectDaemon(config.dir)
    .then((daemon) => daemon.status())
    .catch(() => undefined);
  const url = status?.nats.url;
  return url === undefined
    ? config
    : { ...config, nats: { servers: url.split(','), login: config.natsLogin } };
}

import type { Clock, Random } from '../../core/clock.ts';
import { ShoalError } from '../../core/errors.ts';
import { type FetchItem, type FetchReply, ORDER_ITEMS } from '../../core/fetch-messages.ts';
import { type HostId, isHostId } from '../../core/ids.ts';
import type { HostRow } from '../../core/swarm-rows.ts';
import type { Bus } from '../../transport/bus.ts';
import { followOrder, type HostOutcome } from './follow-order.ts';

/** One thing to have in caches; its bytes, where they are known before. */
export interface PreheatItem extends FetchItem {
  readonly size?: number | undefined;
}

/** What a preheat is to do. */
export interface PreheatPlan {
  readonly items: readonly PreheatItem[];
  readonly hosts: readonly HostRow[];
  readonly wait: boolean;
}

/** How a preheat ended. */
export interface PreheatResult {
  readonly jobId: string;
  readonly hosts: readonly HostOutcome[];
}

interface PreheatWorld {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
}

const EVERY_MS = 300;
/** Each host more makes all be asked this much less often, ms: 500 questions a second in all. */
const EVERY_MS_PER_HOST = 2;

/**
 * Orders hosts to fetch, all at once. What goes wrong on a host is its outcome.
 * @throws ERR_CONFIG_INVALID (nothing to fetch, or more than an order may hold)
 */
export async function runPreheat(
  world: PreheatWorld,
  plan: PreheatPlan,
  onProgress: (hostId: string, reply: FetchReply) => void,
  signal: AbortSignal,
): Promise<PreheatResult> {
  const items = plan.items.map(({ resource, digest }) =>
    digest === undefined ? { resource } : { resource, digest },
  );
  if (items.length === 0 || items.length > ORDER_ITEMS) {
    const message = `${items.length} things to fetch; from 1 to ${ORDER_ITEMS} can be at a time`;
    throw new ShoalError('ERR_CONFIG_INVALID', message);
  }
  const jobId = Buffer.from(world.random.bytes(16)).toString('hex');
  const { wait } = plan;
  const everyMs = Math.max(EVERY_MS, plan.hosts.length * EVERY_MS_PER_HOST);
  const hosts = await Promise.all(
    plan.hosts.map(({ hostId }) => {
      const order = { jobId, hostId: checkedHost(hostId), items, wait, everyMs };
      return followOrder(world, order, (reply) => onProgress(hostId, reply), signal);
    }),
  );
  return { jobId, hosts };
}

function checkedHost(hostId: string): HostId {
  if (isHostId(hostId)) return hostId;
  throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'a scheduler told of a host whose id is none');
}

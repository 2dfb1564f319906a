import { vi } from 'vitest';
import { FetchOrders } from '../../../actors/client/fetch-orders.ts';
import { LentHeaders } from '../../../actors/client/lent-headers.ts';
import type { DownloadProgress, DownloadRequest, DownloadResult } from '../../../core/download.ts';
import type { EventData, EventType } from '../../../core/events.ts';
import type { FetchItem, FetchOrder } from '../../../core/fetch-messages.ts';
import type { HostId, TaskId } from '../../../core/ids.ts';
import { silentLogger } from '../../../core/logger.ts';
import { NOTHING_SPENT, timeSpent } from '../../../core/time-spent.ts';
import { SimClock } from '../../../sim/clock.ts';
import { createMemoryHub } from '../../../transport/memory-bus.ts';
import type { Fault, MessageFlight } from '../../../transport/memory-hub.ts';
import { seededRandom } from '../../transport/real-clock.ts';

export const HOST = '0'.repeat(32) as HostId;
export const JOB = 'a'.repeat(32);

/** A download that ends when told to. */
interface Download {
  readonly resource: string;
  readonly signal: AbortSignal;
  progress(doneBytes: number, length?: number): void;
  end(length?: number): void;
  fail(error: unknown): void;
}

export const urls = (count: number): FetchItem[] =>
  Array.from({ length: count }, (_, index) => ({ resource: `http://origin.example/${index}` }));

export const orderOf = (items: readonly FetchItem[], rest: Partial<FetchOrder> = {}): FetchOrder => ({
  jobId: JOB,
  total: items.length,
  from: 0,
  items: [...items],
  ...rest,
});

/** A host that takes orders, whose downloads the test ends; `follow` of `auto` ends them by itself. */
export function openOrders({
  fault,
  auto = false,
}: {
  fault?: (flight: MessageFlight) => Fault | undefined;
  auto?: boolean;
} = {}) {
  const clock = new SimClock();
  const hub = createMemoryHub({
    clock,
    random: seededRandom(3),
    latencyMs: () => 1,
    ...(fault === undefined ? {} : { fault }),
  });
  const downloads: Download[] = [];
  const events: { type: EventType; id: string; data: unknown }[] = [];
  const get = vi.fn(
    (request: DownloadRequest, onProgress: (progress: DownloadProgress) => void, signal: AbortSignal) =>
      new Promise<DownloadResult>((resolve, reject) => {
        const end = (length = 5): void => resolve({ ...RESULT, length });
        signal.addEventListener('abort', () => reject(signal.reason as Error));
        downloads.push({
          resource: request.resource,
          signal,
          progress: (doneBytes, length) =>
            onProgress({
              length,
              doneBytes,
              bytes: { origin: 0, peers: doneBytes, local: 0 },
              parents: 1,
              state: 'transferring',
            }),
          end,
          fail: reject,
        });
        if (auto) clock.after(20, end);
      }),
  );
  const lent = new LentHeaders();
  const release = vi.fn();
  const evict = vi.fn((_item: FetchItem) => Promise.resolve(3));
  const keep = vi.fn();
  const unspare = vi.fn();
  const spare = vi.fn(() => Promise.resolve(unspare));
  const emit = <T extends EventType>(type: T, id: string, data: EventData<T>): void =>
    void events.push({ type, id, data });
  /** A daemon as it is born, on a bus of its own. */
  const born = () => {
    const orders = new FetchOrders(
      { bus: hub.bus(HOST), clock, emit, hostId: HOST, log: silentLogger },
      { get, evict, spare, keep, release },
      lent,
    );
    orders.start();
    return orders;
  };
  return {
    clock,
    hub,
    asker: hub.bus('cli-1'),
    born,
    orders: born(),
    get,
    downloads,
    events,
    content: { evict, keep, release, spare, unspare },
  };
}

const RESULT: DownloadResult = {
  taskId: `sha256-${'0'.repeat(64)}` as TaskId,
  length: 5,
  bytes: { origin: 0, peers: 5, local: 0 },
  originReasons: {},
  time: timeSpent(NOTHING_SPENT, 0),
  parents: 1,
  durationMs: 1,
  longestGapMs: 0,
};

/** Lets all that waits for promises alone go on. */
export const settle = (clock: SimClock) => clock.run(clock.now());

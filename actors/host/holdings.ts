import type { Holds } from '../../core/host-messages.ts';
import { partitionOf, type SchedulerId, type TaskId } from '../../core/ids.ts';
import type { Store } from '../../storage/store.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import type { HostWorld } from './world.ts';

/** Tasks in one page of holdings: well under a message. */
const ROWS_PER_PAGE = 1_000;
const PAGE_BYTES = 128 * 1024;

/** Who is told what is held in a partition: the scheduler that asked, or whoever owns it. */
export type HoldsTo = SchedulerId | undefined;

type HoldingsWorld = Pick<HostWorld, 'store' | 'bus' | 'hostId' | 'incarnation'>;

/** Tells the owners of these partitions every task this host holds there, in pages; who asked hears it too that there is none. */
export async function sendHoldings(
  world: HoldingsWorld,
  partitions: ReadonlyMap<number, HoldsTo>,
): Promise<void> {
  const byAddress = new Map<string, TaskId[]>();
  for (const to of partitions.values()) if (to !== undefined) byAddress.set(to, []);
  for (const { taskId, storedBytes } of world.store.rows()) {
    const partition = partitionOf(taskId);
    if (storedBytes === 0 || !partitions.has(partition)) continue;
    const to = partitions.get(partition) ?? String(partition);
    const tasks = byAddress.get(to);
    if (tasks) tasks.push(taskId);
    else byAddress.set(to, [taskId]);
  }
  for (const [to, tasks] of byAddress) await sendTo(world, to, tasks);
}

async function sendTo(world: HoldingsWorld, to: string, taskIds: readonly TaskId[]): Promise<void> {
  const pages: Holds['tasks'][] = [];
  let page: Holds['tasks'] = [];
  let bytes = 0;
  for (const taskId of taskIds) {
    const row = await holding(world.store, taskId);
    if (row === undefined) continue;
    bytes += 160 + (row.have?.length ?? 0);
    if (page.length >= ROWS_PER_PAGE || bytes > PAGE_BYTES) {
      pages.push(page);
      page = [];
      bytes = 0;
    }
    page.push(row);
  }
  if (page.length > 0 || pages.length === 0) pages.push(page);
  pages.forEach((tasks, index) => {
    publish(world, to, { page: index, pages: pages.length, tasks, gone: [] });
  });
}

async function holding(store: Store, taskId: TaskId): Promise<Holds['tasks'][number] | undefined> {
  const row = store.row(taskId);
  if (row === undefined) return undefined;
  const { length, pieceLength, audience } = row;
  if (row.complete) return { taskId, audience, length, pieceLength };
  const stored = await store.open(taskId).catch(() => undefined);
  return stored && { taskId, audience, length, pieceLength, have: stored.have.toBytes() };
}

/** Tells the task's scheduler that this host holds nothing of it any more. */
export function sendGone(world: HostWorld, taskId: TaskId): void {
  publish(world, String(partitionOf(taskId)), { page: 0, pages: 1, tasks: [], gone: [taskId] });
}

function publish(
  { bus, hostId, incarnation }: HoldingsWorld,
  to: string,
  page: Omit<Holds, 'incarnation'>,
): void {
  bus.publish(SUBJECTS.holds, { hostId, to }, { incarnation, ...page });
}

import type { Holds } from '../../core/host-messages.ts';
import { partitionOf, type TaskId } from '../../core/ids.ts';
import type { Store } from '../../storage/store.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import type { HostWorld } from './world.ts';

/** Tasks in one page of holdings: well under a message. */
const ROWS_PER_PAGE = 1_000;
const PAGE_BYTES = 128 * 1024;

/** Tells the owners of these partitions every task this host holds there, in pages. */
export async function sendHoldings(world: HostWorld, partitions: ReadonlySet<number>): Promise<void> {
  const byPartition = new Map<number, TaskId[]>();
  for (const { taskId, storedBytes } of world.store.rows()) {
    if (storedBytes === 0) continue;
    const partition = partitionOf(taskId);
    if (!partitions.has(partition)) continue;
    const tasks = byPartition.get(partition);
    if (tasks) tasks.push(taskId);
    else byPartition.set(partition, [taskId]);
  }
  for (const [partition, tasks] of byPartition) await sendPartition(world, partition, tasks);
}

async function sendPartition(world: HostWorld, partition: number, taskIds: readonly TaskId[]): Promise<void> {
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
  if (page.length > 0) pages.push(page);
  pages.forEach((tasks, index) => {
    publish(world, partition, { page: index, pages: pages.length, tasks, gone: [] });
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
  publish(world, partitionOf(taskId), { page: 0, pages: 1, tasks: [], gone: [taskId] });
}

function publish(
  { bus, hostId, incarnation }: HostWorld,
  partition: number,
  page: Omit<Holds, 'incarnation'>,
): void {
  bus.publish(SUBJECTS.holds, { hostId, partition: String(partition) }, { incarnation, ...page });
}

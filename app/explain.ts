import type { TaskHistory } from '../admin/control.ts';
import type { Delivery } from '../core/delivery.ts';
import type { Explanation, TaskDetail } from '../core/swarm-rows.ts';

/** What was heard of a task, from whom. */
export interface Heard {
  readonly taskId: string;
  /** What schedulers say. */
  readonly task: TaskDetail | undefined;
  /** What the log says, or why it is silent. */
  readonly history: TaskHistory | string;
  /** What hosts say of themselves, by their id. */
  readonly told: ReadonlyMap<string, Delivery>;
}

type Row = Explanation['hosts'][number];

/**
 * Puts together what was heard: of each host its own word, else the log's, else a scheduler's, who knows bytes alone.
 * Undefined where nobody said anything.
 * @param hostId only of this host
 */
export function explanation(
  { taskId, task, history, told }: Heard,
  hostId: string | undefined,
): Explanation | undefined {
  const rows = new Map<string, Row>();
  for (const peer of task?.peers ?? []) rows.set(peer.hostId, ofScheduler(peer, task));
  const logged = typeof history === 'string' ? undefined : history;
  for (const delivery of logged?.deliveries ?? []) {
    // A scheduler knows of what goes on now; the log of what is over.
    if (rows.get(delivery.hostId)?.outcome !== 'running') {
      rows.set(delivery.hostId, { ...delivery, toldBy: 'log' });
    }
  }
  for (const [host, delivery] of told) {
    const known = rows.get(host);
    // A host that was started anew remembers less than the log.
    if (known?.toldBy === 'log' && fetched(delivery) === 0 && delivery.outcome !== 'running') continue;
    rows.set(host, { ...delivery, hostId: host, toldBy: 'host' });
  }
  const hosts = [...rows.values()]
    .filter((row) => hostId === undefined || row.hostId === hostId)
    .sort((a, b) => (a.hostId < b.hostId ? -1 : 1));
  const { created } = logged ?? {};
  if (task === undefined && created === undefined && hosts.length === 0) return undefined;
  return {
    taskId,
    state: task?.state,
    length: task?.length ?? created?.length ?? hosts.find(({ length }) => length !== undefined)?.length,
    pieceLength: task?.pieceLength ?? created?.pieceLength,
    sources: task?.sources ?? created?.sources ?? [],
    heard: {
      scheduler: task !== undefined,
      hosts: told.size,
      log: typeof history === 'string' ? history : 'read',
    },
    ...sumOf(hosts),
    hosts,
  };
}

function fetched({ bytes }: Delivery): number {
  return bytes.origin + bytes.peers;
}

function ofScheduler(peer: TaskDetail['peers'][number], task: TaskDetail | undefined): Row {
  const { hostId, bytes, originReasons, state } = peer;
  return {
    hostId,
    toldBy: 'scheduler',
    outcome: state === 'fetching' ? 'running' : state === 'complete' ? 'complete' : 'left',
    begunMs: 0,
    atMs: 0,
    length: task?.length,
    bytes,
    droppedBytes: 0,
    originReasons,
    durationMs: 0,
    linkBytesPerSec: 0,
    sources: [],
  };
}

function sumOf(rows: readonly Row[]): Pick<Explanation, 'bytes' | 'originReasons'> {
  const bytes = { origin: 0, peers: 0, local: 0 };
  const originReasons: Record<string, number> = {};
  for (const row of rows) {
    bytes.origin += row.bytes.origin;
    bytes.peers += row.bytes.peers;
    bytes.local += row.bytes.local;
    for (const [reason, read] of Object.entries(row.originReasons)) {
      originReasons[reason] = (originReasons[reason] ?? 0) + read;
    }
  }
  return { bytes, originReasons };
}

import type { HostStatus, ImageRow } from '../../admin/control.ts';
import { reasonsText } from '../../core/delivery-text.ts';
import type { HostRow, SchedulerRow, TaskDetail, TaskRow } from '../../core/swarm-rows.ts';
import { formatBytes, formatDuration } from '../../core/units.ts';
import { factsText, tableText } from './tables.ts';

const UNKNOWN = '-';

const size = (bytes: number | undefined): string => (bytes === undefined ? UNKNOWN : formatBytes(bytes));

/** A daemon's state, for people. */
export function statusText(status: HostStatus): string {
  const { cache, transfers, bytes, nats } = status;
  return factsText([
    ['host', status.hostId],
    ['state', status.state],
    ...Object.entries(status.troubles),
    ['role', status.zone === undefined ? status.role : `${status.role}, zone ${status.zone}`],
    ['swarm', status.swarm],
    ['nats', nats.url === undefined ? nats.state : `${nats.url} (${nats.state})`],
    ['data plane', `${status.ip}:${status.dataPort}`],
    ['mirror, proxy', status.proxy === undefined ? UNKNOWN : `http://${status.proxy}`],
    ['cache', `${formatBytes(cache.bytes)} of ${formatBytes(cache.quotaBytes)}, ${cache.tasks} tasks`],
    ['uploads', `${transfers.up} of ${transfers.slotsUp} slots`],
    ['downloads', `${transfers.down} of ${transfers.slotsDown} slots`],
    [
      'received',
      `${formatBytes(bytes.origin)} from origins, ${formatBytes(bytes.peers)} from hosts, ${formatBytes(bytes.local)} local`,
    ],
    ['sent', formatBytes(bytes.sent)],
    ['up for', formatDuration(status.uptimeMs)],
    ['version', `${status.version} (pid ${status.pid})`],
  ]);
}

/** Tasks, one a line. */
export function tasksText(rows: readonly TaskRow[]): string {
  if (rows.length === 0) return 'no tasks\n';
  return tableText(
    ['TASK', 'STATE', 'SIZE', 'HOLDERS', 'FETCHING', 'SOURCE'],
    rows.map((row) => [
      row.taskId,
      row.state,
      size(row.length),
      String(row.holders),
      String(row.fetching),
      row.sources[0] ?? UNKNOWN,
    ]),
    [2, 3, 4],
  );
}

/** One task with its peers. */
export function taskText(task: TaskDetail): string {
  const pieces = task.length && task.pieceLength ? Math.ceil(task.length / task.pieceLength) : undefined;
  const facts: [string, string][] = [
    ['task', task.taskId],
    ['state', task.state],
    ['size', size(task.length)],
    ['pieces', pieces === undefined ? UNKNOWN : `${pieces} of ${size(task.pieceLength)}`],
    ['audience', task.audience],
    ...task.sources.map((source): [string, string] => ['source', source]),
    ['holders', `${task.holders}, and ${task.fetching} fetching`],
    ['from origin', reasonsText(task.originReasons) || 'nothing'],
  ];
  if (task.error !== undefined) facts.push(['error', `${task.error.message} (${task.error.code})`]);
  if (task.peers.length === 0) return factsText(facts);
  const peers = tableText(
    ['HOST', 'STATE', 'PIECES', 'FROM ORIGIN', 'FROM HOSTS', 'LOCAL'],
    task.peers.map((peer) => [
      peer.hostId,
      peer.state,
      `${peer.have}/${peer.pieces}`,
      formatBytes(peer.bytes.origin),
      formatBytes(peer.bytes.peers),
      formatBytes(peer.bytes.local),
    ]),
    [2, 3, 4, 5],
  );
  return `${factsText(facts)}\n${peers}`;
}

/** Images of this host, one a line. */
export function imagesText(rows: readonly ImageRow[], nowMs: number): string {
  if (rows.length === 0) return 'no images\n';
  return tableText(
    ['REGISTRY', 'REPOSITORY', 'TAG', 'DIGEST', 'PLATFORM', 'SIZE', 'HERE', 'PARTS', 'LAST USED'],
    rows.map((row) => [
      row.registry || UNKNOWN,
      row.repository || UNKNOWN,
      row.tag ?? UNKNOWN,
      row.digest,
      row.kind === 'index' ? 'index' : (row.platform ?? UNKNOWN),
      formatBytes(row.size),
      formatBytes(row.here),
      `${row.partsHere}/${row.parts}`,
      `${formatDuration(nowMs - row.lastUsedMs)} ago`,
    ]),
    [5, 6, 7, 8],
  );
}

/** Hosts, one a line. */
export function hostsText(rows: readonly HostRow[]): string {
  if (rows.length === 0) return 'no hosts\n';
  return tableText(
    ['HOST', 'ADDRESS', 'ROLE', 'ZONE', 'LABELS', 'UP', 'DOWN', 'CACHE', 'TASKS', 'HEARD OF', 'VERSION'],
    rows.map((row) => [
      row.hostId,
      row.ip.includes(':') ? `[${row.ip}]:${row.port}` : `${row.ip}:${row.port}`,
      row.role,
      row.zone ?? UNKNOWN,
      labelsText(row.labels),
      String(row.uploading),
      String(row.downloading),
      formatBytes(row.cachedBytes),
      String(row.cachedTasks),
      `${formatDuration(row.aliveAgoMs)} ago`,
      row.version,
    ]),
    [5, 6, 7, 8, 9],
  );
}

/** Schedulers, one a line. */
export function schedulersText(rows: readonly SchedulerRow[], nowMs: number): string {
  if (rows.length === 0) return 'no schedulers\n';
  return tableText(
    ['SCHEDULER', 'MACHINE', 'STATE', 'PARTITIONS', 'EPOCHS', 'TASKS', 'HOSTS', 'STARTED', 'VERSION'],
    rows.map((row) => [
      row.schedulerId,
      row.name,
      row.leaving ? 'leaving' : row.guided ? 'serving' : 'no store',
      String(row.partitions.length),
      epochsText(row),
      String(row.tasks),
      String(row.hosts),
      `${formatDuration(Math.max(0, nowMs - row.sinceMs))} ago`,
      row.version,
    ]),
    [3, 5, 6, 7],
  );
}

/** `1767225600362 to 1767225601386`; `-` where it serves nothing. */
function epochsText({ partitions, epochLeast, epoch }: SchedulerRow): string {
  if (partitions.length === 0) return UNKNOWN;
  return epochLeast === epoch ? String(epoch) : `${epochLeast} to ${epoch}`;
}

/** `disk=ssd,gpu=`; `-` where there are none. */
function labelsText(labels: HostRow['labels']): string {
  return (
    Object.entries(labels ?? {})
      .map((pair) => pair.join('='))
      .join(',') || UNKNOWN
  );
}

import type { HostStatus } from '../../admin/control.ts';
import { reasonsText } from '../../core/delivery-text.ts';
import { shownId } from '../../core/short-id.ts';
import type { TaskDetail } from '../../core/swarm-rows.ts';
import { countOf, formatBytes, formatDuration } from '../../core/units.ts';
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
    [
      'cache',
      `${formatBytes(cache.bytes)} of ${formatBytes(cache.quotaBytes)}, ${countOf(cache.tasks, 'task')}`,
    ],
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
      shownId(peer.hostId),
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

import type { ImageRow } from '../../admin/control.ts';
import { shownId } from '../../core/short-id.ts';
import type { HostRow, SchedulerRow, TaskRow } from '../../core/swarm-rows.ts';
import { formatBytes, formatDuration } from '../../core/units.ts';
import { type ListColumn, type ListView, listText } from './list.ts';

const UNKNOWN = '-';

const TASKS: readonly ListColumn<TaskRow>[] = [
  { title: 'TASK', cell: ({ taskId }) => shownId(taskId) },
  { title: 'ID', cell: ({ taskId }) => taskId, wide: true },
  { title: 'STATE', cell: ({ state }) => state },
  {
    title: 'SIZE',
    cell: ({ length }) => (length === undefined ? UNKNOWN : formatBytes(length)),
    value: ({ length = -1 }) => length,
    right: true,
  },
  { title: 'HOLDERS', cell: ({ holders }) => String(holders), value: ({ holders }) => holders, right: true },
  {
    title: 'FETCHING',
    cell: ({ fetching }) => String(fetching),
    value: ({ fetching }) => fetching,
    right: true,
  },
  { title: 'SOURCE', cell: ({ sources }) => sources[0] ?? UNKNOWN, cut: true },
];

/** Tasks, one a line. */
export function tasksText(rows: readonly TaskRow[], view: ListView): string {
  return rows.length === 0 ? 'no tasks\n' : listText(TASKS, rows, view);
}

const addressOf = ({ ip, port }: HostRow): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`);

const HOSTS: readonly ListColumn<HostRow>[] = [
  { title: 'HOST', cell: ({ hostId }) => shownId(hostId) },
  { title: 'ID', cell: ({ hostId }) => hostId, wide: true },
  { title: 'NAME', cell: ({ name }) => name ?? UNKNOWN, cut: true },
  { title: 'ADDRESS', cell: addressOf, cut: true },
  { title: 'ROLE', cell: ({ role }) => role },
  { title: 'ZONE', cell: ({ zone }) => zone ?? UNKNOWN, cut: true },
  { title: 'LABELS', cell: ({ labels }) => labelsText(labels), wide: true },
  {
    title: 'UP',
    cell: ({ uploading }) => String(uploading),
    value: ({ uploading }) => uploading,
    right: true,
    wide: true,
  },
  {
    title: 'DOWN',
    cell: ({ downloading }) => String(downloading),
    value: ({ downloading }) => downloading,
    right: true,
    wide: true,
  },
  {
    title: 'CACHE',
    cell: ({ cachedBytes }) => formatBytes(cachedBytes),
    value: ({ cachedBytes }) => cachedBytes,
    right: true,
  },
  {
    title: 'TASKS',
    cell: ({ cachedTasks }) => String(cachedTasks),
    value: ({ cachedTasks }) => cachedTasks,
    right: true,
  },
  {
    title: 'HEARD OF',
    cell: ({ aliveAgoMs }) => ago(aliveAgoMs),
    value: ({ aliveAgoMs }) => aliveAgoMs,
    right: true,
  },
  { title: 'VERSION', cell: ({ version }) => version, wide: true },
];

/** Hosts, one a line. */
export function hostsText(rows: readonly HostRow[], view: ListView): string {
  return rows.length === 0 ? 'no hosts\n' : listText(HOSTS, rows, view);
}

/** Images of this host, one a line. */
export function imagesText(rows: readonly ImageRow[], view: ListView, nowMs: number): string {
  if (rows.length === 0) return 'no images\n';
  const columns: readonly ListColumn<ImageRow>[] = [
    { title: 'REGISTRY', cell: ({ registry }) => registry || UNKNOWN, cut: true },
    { title: 'REPOSITORY', cell: ({ repository }) => repository || UNKNOWN, cut: true },
    { title: 'TAG', cell: ({ tag }) => tag ?? UNKNOWN, cut: true },
    { title: 'DIGEST', cell: ({ digest }) => shownId(digest) },
    { title: 'FULL DIGEST', cell: ({ digest }) => digest, wide: true },
    {
      title: 'PLATFORM',
      cell: ({ kind, platform }) => (kind === 'index' ? 'index' : (platform ?? UNKNOWN)),
      cut: true,
    },
    { title: 'SIZE', cell: ({ size }) => formatBytes(size), value: ({ size }) => size, right: true },
    { title: 'HERE', cell: ({ here }) => formatBytes(here), value: ({ here }) => here, right: true },
    {
      title: 'PARTS',
      cell: ({ parts, partsHere }) => `${partsHere}/${parts}`,
      value: ({ parts }) => parts,
      right: true,
    },
    {
      title: 'LAST USED',
      cell: ({ lastUsedMs }) => ago(nowMs - lastUsedMs),
      value: ({ lastUsedMs }) => nowMs - lastUsedMs,
      right: true,
      wide: true,
    },
  ];
  return listText(columns, rows, view);
}

/** Schedulers, one a line. */
export function schedulersText(rows: readonly SchedulerRow[], view: ListView, nowMs: number): string {
  if (rows.length === 0) return 'no schedulers\n';
  const columns: readonly ListColumn<SchedulerRow>[] = [
    { title: 'SCHEDULER', cell: ({ schedulerId }) => shownId(schedulerId) },
    { title: 'ID', cell: ({ schedulerId }) => schedulerId, wide: true },
    { title: 'MACHINE', cell: ({ name }) => name, cut: true },
    {
      title: 'STATE',
      cell: ({ leaving, guided }) => (leaving ? 'leaving' : guided ? 'serving' : 'no store'),
    },
    {
      title: 'PARTITIONS',
      cell: ({ partitions }) => String(partitions.length),
      value: ({ partitions }) => partitions.length,
      right: true,
    },
    { title: 'EPOCHS', cell: epochsText, wide: true },
    { title: 'TASKS', cell: ({ tasks }) => String(tasks), value: ({ tasks }) => tasks, right: true },
    { title: 'HOSTS', cell: ({ hosts }) => String(hosts), value: ({ hosts }) => hosts, right: true },
    {
      title: 'STARTED',
      cell: ({ sinceMs }) => ago(Math.max(0, nowMs - sinceMs)),
      value: ({ sinceMs }) => nowMs - sinceMs,
      right: true,
    },
    { title: 'VERSION', cell: ({ version }) => version, wide: true },
  ];
  return listText(columns, rows, view);
}

function ago(ms: number): string {
  return `${formatDuration(ms)} ago`;
}

/** `1767225600362 to 1767225601386`; `-` where it serves nothing. */
function epochsText({ partitions, epochLeast, epoch }: SchedulerRow): string {
  if (partitions.length === 0) return UNKNOWN;
  return epochLeast === epoch ? String(epoch) : `${epochLeast} to ${epoch}`;
}

/** `disk=ssd,gpu=`; `-` where there are none. */
function labelsText(labels: HostRow['labels']): string {
  const pairs = Object.entries(labels ?? {}).map((pair) => pair.join('='));
  return pairs.join(',') || UNKNOWN;
}

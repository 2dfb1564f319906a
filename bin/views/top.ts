import { reasonsText } from '../../core/delivery-text.ts';
import type { TaskDetail, TaskRow } from '../../core/swarm-rows.ts';
import { formatBytes, formatDuration } from '../../core/units.ts';
import {
  listedEvents,
  listedHosts,
  listedTasks,
  type Place,
  type Seen,
  SORTS,
  TABS,
  type Tab,
} from '../top/model.ts';
import { bar, type Column, cellsBar, fitted, type Line, span, table } from '../top/picture.ts';

const UNKNOWN = '-';
/** Lines that are not the list's: title, tabs, head of the table, keys. */
const FRAME_LINES = 4;

/** The whole picture: as many lines as the terminal has, each as wide as it is. */
export function topPicture(seen: Seen, place: Place, columns: number, lines: number): Line[] {
  const room = Math.max(1, lines - FRAME_LINES);
  const body = place.open ? openBody(seen, place, columns, room + 1) : listBody(seen, place, columns, room);
  const filled = [...body, ...Array.from({ length: Math.max(0, room + 1 - body.length) }, () => [])];
  return [title(seen), tabs(seen, place), ...filled.slice(0, room + 1), keys(place)]
    .slice(0, lines)
    .map((line) => fitted(line, columns));
}

function title({ swarm, atMs, tasks, hosts, schedulers, trouble }: Seen): Line {
  const clock = new Date(atMs).toISOString().slice(11, 19);
  const seeds = hosts.filter(({ role }) => role === 'seed').length;
  const moving = tasks.filter(({ fetching }) => fetching > 0).length;
  const counts = [
    `${counted(hosts.length, 'host')}${seeds > 0 ? ` (${counted(seeds, 'seed')})` : ''}`,
    `${counted(tasks.length, 'task')}, ${moving} moving`,
    counted(schedulers.length, 'scheduler'),
  ];
  const facts = span(`  ${clock} UTC  ${counts.join('  ')}`);
  const name = span(`shoal top: swarm ${swarm}`, 'strong');
  return trouble === undefined ? [name, facts] : [name, span(`  ${trouble}`, 'bad')];
}

function tabs({ events }: Seen, { tab, sort, filter, typing }: Place): Line {
  const names = TABS.flatMap((name, at) => [
    span(` ${at + 1} ${name} `, name === tab ? 'chosen' : 'plain'),
    span(' '),
  ]);
  const order = SORTS[tab].length > 1 ? `by ${SORTS[tab][sort[tab]]}` : '';
  const search = typing ? `/${filter}_` : filter === '' ? '' : `/${filter}`;
  const deaf = tab === 'events' && events === undefined ? 'events come over NATS: give --nats URL' : '';
  return [...names, span([order, search, deaf].filter(Boolean).join('  '), typing ? 'strong' : 'dim')];
}

function keys({ open, typing }: Place): Line {
  if (typing) return [span('Enter keep the filter  Esc drop it', 'dim')];
  if (open) return [span('Esc back  q quit', 'dim')];
  return [span('arrows move  Enter open  1-4 list  s sort  / filter  q quit', 'dim')];
}

const COLUMNS: Readonly<Record<Exclude<Tab, 'events'>, readonly Column[]>> = {
  tasks: [
    { title: 'TASK' },
    { title: 'STATE', spare: 3 },
    { title: 'SIZE', right: true },
    { title: 'COPIES', right: true },
    { title: 'MOVING', right: true },
    { title: 'DONE', spare: 1 },
    { title: 'RATE', right: true, spare: 2 },
    { title: 'SOURCE' },
  ],
  hosts: [
    { title: 'HOST' },
    { title: 'ROLE' },
    { title: 'UP', right: true },
    { title: 'DOWN', right: true },
    { title: 'CACHE', right: true },
    { title: 'TASKS', right: true },
    { title: 'HEARD OF', right: true, spare: 3 },
    { title: 'ZONE', spare: 1 },
    { title: 'VERSION', spare: 2 },
    { title: 'ADDRESS' },
  ],
  schedulers: [
    { title: 'SCHEDULER' },
    { title: 'STATE' },
    { title: 'PARTITIONS', right: true },
    { title: 'TASKS', right: true },
    { title: 'HOSTS', right: true },
    { title: 'STARTED', right: true, spare: 1 },
    { title: 'MACHINE' },
  ],
};

function listBody(seen: Seen, place: Place, columns: number, room: number): Line[] {
  if (place.tab === 'events') {
    return [
      [],
      ...window(listedEvents(seen, place), place.row, room).map(({ row, chosen }) => [span(row, chosen)]),
    ];
  }
  const shown = window(rowsOf(place.tab, seen, place), place.row, room);
  const { head, rows } = table(
    COLUMNS[place.tab],
    shown.map(({ row }) => row),
    columns,
  );
  if (rows.length === 0)
    return [
      [span(place.filter === '' ? `no ${place.tab}` : `no ${place.tab} with "${place.filter}"`, 'dim')],
    ];
  return [[span(head, 'dim')], ...rows.map((row, at): Line => [span(row, shown[at]?.chosen)])];
}

function rowsOf(tab: Exclude<Tab, 'events'>, seen: Seen, place: Place): string[][] {
  if (tab === 'tasks') return listedTasks(seen, place).map((row) => taskCells(seen, row));
  if (tab === 'hosts') {
    return listedHosts(seen, place).map((row) => [
      short(row.hostId),
      row.role,
      String(row.uploading),
      String(row.downloading),
      formatBytes(row.cachedBytes),
      String(row.cachedTasks),
      `${formatDuration(row.aliveAgoMs)} ago`,
      row.zone ?? UNKNOWN,
      row.version,
      row.ip.includes(':') ? `[${row.ip}]:${row.port}` : `${row.ip}:${row.port}`,
    ]);
  }
  return seen.schedulers.map((row) => [
    short(row.schedulerId),
    row.leaving ? 'leaving' : row.guided ? 'serving' : 'no store',
    String(row.partitions.length),
    String(row.tasks),
    String(row.hosts),
    `${formatDuration(Math.max(0, seen.atMs - row.sinceMs))} ago`,
    row.name,
  ]);
}

function taskCells({ details, rates }: Seen, row: TaskRow): string[] {
  const share = shareOf(details.get(row.taskId));
  const rate = rates.get(row.taskId) ?? 0;
  return [
    short(row.taskId),
    row.state,
    row.length === undefined ? UNKNOWN : formatBytes(row.length),
    String(row.holders),
    String(row.fetching),
    row.fetching === 0 || share === undefined ? '' : `${bar(share, 10)} ${Math.floor(share * 100)}%`,
    rate > 0 ? `${formatBytes(rate)}/s` : '',
    row.sources[0] ?? UNKNOWN,
  ];
}

/** How much of it those have who are fetching it. */
function shareOf(task: TaskDetail | undefined): number | undefined {
  const fetching = task?.peers.filter(({ state, pieces }) => state === 'fetching' && pieces > 0) ?? [];
  if (fetching.length === 0) return undefined;
  return fetching.reduce((sum, { have, pieces }) => sum + have / pieces, 0) / fetching.length;
}

function openBody(seen: Seen, { open, row }: Place, columns: number, room: number): Line[] {
  if (open?.tab === 'hosts') return hostBody(seen, open.id, room);
  const id = open?.id ?? '';
  const task = seen.details.get(id);
  if (task === undefined) return [[span(id, 'strong')], [span('asking…', 'dim')]];
  const rate = seen.rates.get(id) ?? 0;
  const facts: Line[] = [
    [span(id, 'strong')],
    [span(task.sources[0] ?? UNKNOWN)],
    [
      span(
        [
          task.state,
          task.length === undefined ? '' : formatBytes(task.length),
          counted(task.holders, 'copy', 'copies'),
          `${task.fetching} fetching`,
          rate > 0 ? `${formatBytes(rate)}/s` : '',
          `from the origin: ${reasonsText(task.originReasons) || 'nothing'}`,
        ]
          .filter(Boolean)
          .join('  '),
      ),
    ],
    [],
    [span('HOST          DONE  HOLDS, in order of the content', 'dim')],
  ];
  const rank = { fetching: 0, resting: 1 };
  const peers = [...task.peers].sort(
    (a, b) => (rank[a.state as keyof typeof rank] ?? 2) - (rank[b.state as keyof typeof rank] ?? 2),
  );
  const wide = Math.max(8, Math.min(64, columns - 40));
  const rows = peers.map(({ hostId, have, pieces, state, cells = '', from = [] }): Line => {
    const done = state === 'complete' ? 100 : pieces > 0 ? Math.floor((100 * have) / pieces) : 0;
    const map = cells === '' ? bar(done / 100, wide) : cellsBar(cells, wide);
    const parents = from.map(short);
    return [
      span(`${short(hostId)}  ${String(done).padStart(3)}%  `),
      span(map, state === 'complete' ? 'good' : 'plain'),
      span(parents.length > 0 ? `  from ${parents.join(', ')}` : `  ${state}`, 'dim'),
    ];
  });
  const first = Math.max(0, Math.min(row, rows.length - (room - facts.length)));
  return [...facts, ...rows.slice(first)];
}

function hostBody({ hosts, events }: Seen, id: string, room: number): Line[] {
  const host = hosts.find(({ hostId }) => hostId === id);
  if (host === undefined) return [[span(id, 'strong')], [span('has left the swarm', 'bad')]];
  const labels = Object.entries(host.labels ?? {}).map((pair) => pair.join('='));
  const facts: Line[] = [
    [span(id, 'strong')],
    [
      span(
        `${host.role}  ${host.ip} port ${host.port}  zone ${host.zone ?? UNKNOWN}  version ${host.version}`,
      ),
    ],
    [span(`labels ${labels.join(', ') || UNKNOWN}`)],
    [
      span(
        `uploads ${host.uploading}  downloads ${host.downloading}  cache ${formatBytes(host.cachedBytes)} in ${counted(host.cachedTasks, 'task')}  heard of ${formatDuration(host.aliveAgoMs)} ago`,
      ),
    ],
    [],
    [span('EVENTS', 'dim')],
  ];
  const own = (events ?? []).filter((line) => line.includes(id));
  return [...facts, ...own.slice(0, Math.max(0, room - facts.length)).map((line): Line => [span(line)])];
}

/** So many rows that the chosen one is among them. */
function window<R>(rows: readonly R[], chosen: number, room: number) {
  const at = Math.max(0, Math.min(chosen, rows.length - 1));
  const first = Math.max(0, Math.min(at - Math.floor(room / 2), rows.length - room));
  return rows.slice(first, first + room).map((row, offset) => ({
    row,
    chosen: first + offset === at ? ('chosen' as const) : ('plain' as const),
  }));
}

/** An id in twelve characters, whatever kind it is. */
function short(id: string): string {
  return id.replace(/^(sha256|sha512|url)-/, '').slice(0, 12);
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

import type { HostRow, SchedulerRow, TaskDetail, TaskRow } from '../../core/swarm-rows.ts';

export const TABS = ['tasks', 'hosts', 'schedulers', 'events'] as const;
export type Tab = (typeof TABS)[number];

/** Orders of each list that `s` goes through; the first is where it begins. */
export const SORTS = {
  tasks: ['moving', 'size', 'copies', 'id'],
  hosts: ['transfers', 'cache', 'role', 'id'],
  schedulers: ['id'],
  events: ['time'],
} as const satisfies Record<Tab, readonly string[]>;

/** What the swarm said last. */
export interface Seen {
  readonly swarm: string;
  readonly atMs: number;
  readonly tasks: readonly TaskRow[];
  readonly hosts: readonly HostRow[];
  readonly schedulers: readonly SchedulerRow[];
  /** Details of what moves or is looked at, by task id. */
  readonly details: ReadonlyMap<string, TaskDetail>;
  /** Bytes a second that all hosts of a task receive together, by task id. */
  readonly rates: ReadonlyMap<string, number>;
  /** Lines, the last one first; undefined where no event can be heard. */
  readonly events: readonly string[] | undefined;
  /** Why the rest is old. */
  readonly trouble: string | undefined;
}

/** Where the user is. */
export interface Place {
  readonly tab: Tab;
  readonly sort: Readonly<Record<Tab, number>>;
  readonly filter: string;
  /** The filter is being typed. */
  readonly typing: boolean;
  readonly row: number;
  /** The task or host that is looked at. */
  readonly open: { readonly tab: 'tasks' | 'hosts'; readonly id: string } | undefined;
  readonly quit: boolean;
}

export const START: Place = {
  tab: 'tasks',
  sort: { tasks: 0, hosts: 0, schedulers: 0, events: 0 },
  filter: '',
  typing: false,
  row: 0,
  open: undefined,
  quit: false,
};

/** A key as node:readline names it. */
export interface TypedKey {
  readonly name?: string | undefined;
  readonly sequence?: string | undefined;
  readonly ctrl?: boolean | undefined;
}

/** Where a key leads. `ids` are those of the list on the screen. */
export function press(place: Place, key: TypedKey, ids: readonly string[]): Place {
  if (key.ctrl && key.name === 'c') return { ...place, quit: true };
  if (place.typing) return type(place, key);
  const row = Math.max(0, Math.min(place.row, ids.length - 1));
  switch (key.name ?? key.sequence) {
    case 'q':
      return { ...place, quit: true };
    case 'up':
    case 'k':
      return { ...place, row: Math.max(0, row - 1) };
    case 'down':
    case 'j':
      return { ...place, row: Math.max(0, Math.min(ids.length - 1, row + 1)) };
    case 'pageup':
      return { ...place, row: Math.max(0, row - 10) };
    case 'pagedown':
      return { ...place, row: Math.max(0, Math.min(ids.length - 1, row + 10)) };
    case 'return': {
      const id = ids[row];
      if (id === undefined || (place.tab !== 'tasks' && place.tab !== 'hosts')) return place;
      return { ...place, open: { tab: place.tab, id } };
    }
    case 'escape':
    case 'backspace':
      return place.open ? { ...place, open: undefined } : { ...place, filter: '' };
    case 's': {
      const next = (place.sort[place.tab] + 1) % SORTS[place.tab].length;
      return { ...place, sort: { ...place.sort, [place.tab]: next } };
    }
    case 'tab':
    case 'right':
      return onTab(place, (TABS.indexOf(place.tab) + 1) % TABS.length);
    case 'left':
      return onTab(place, (TABS.indexOf(place.tab) + TABS.length - 1) % TABS.length);
    default: {
      if (key.sequence === '/') return { ...place, typing: true, open: undefined, row: 0 };
      const at = /^[1-4]$/.test(key.sequence ?? '') ? Number(key.sequence) - 1 : -1;
      return at < 0 ? place : onTab(place, at);
    }
  }
}

function onTab(place: Place, at: number): Place {
  return { ...place, tab: TABS[at] ?? place.tab, row: 0, open: undefined };
}

function type(place: Place, { name, sequence = '', ctrl }: TypedKey): Place {
  if (name === 'return') return { ...place, typing: false };
  if (name === 'escape') return { ...place, typing: false, filter: '' };
  if (name === 'backspace') return { ...place, filter: place.filter.slice(0, -1) };
  if (ctrl || !/^[\x20-\x7e]+$/.test(sequence)) return place;
  return { ...place, filter: (place.filter + sequence).slice(0, 80), row: 0 };
}

/** Tasks in the order that is asked for, those alone that have the filter in their id, state or source. */
export function listedTasks({ tasks, rates }: Seen, { filter, sort }: Place): TaskRow[] {
  const wanted = tasks.filter(({ taskId, state, sources }) =>
    has(filter, [taskId, taskId.replace('-', ':'), state, ...sources]),
  );
  const rate = ({ taskId }: TaskRow) => rates.get(taskId) ?? 0;
  switch (SORTS.tasks[sort.tasks]) {
    case 'size':
      return wanted.sort((a, b) => (b.length ?? 0) - (a.length ?? 0));
    case 'copies':
      return wanted.sort((a, b) => b.holders - a.holders);
    case 'id':
      return wanted;
    default:
      return wanted.sort((a, b) => b.fetching - a.fetching || rate(b) - rate(a));
  }
}

/** Hosts in the order that is asked for, those alone that have the filter in their id, address, role, zone or labels. */
export function listedHosts({ hosts }: Seen, { filter, sort }: Place): HostRow[] {
  const wanted = hosts.filter(({ hostId, ip, role, zone = '', labels = {} }) =>
    has(filter, [hostId, ip, role, zone, ...Object.entries(labels).map((pair) => pair.join('='))]),
  );
  const moving = ({ uploading, downloading }: HostRow) => uploading + downloading;
  switch (SORTS.hosts[sort.hosts]) {
    case 'cache':
      return wanted.sort((a, b) => b.cachedBytes - a.cachedBytes);
    case 'role':
      return wanted.sort((a, b) => b.role.localeCompare(a.role));
    case 'id':
      return wanted;
    default:
      return wanted.sort((a, b) => moving(b) - moving(a));
  }
}

/** Events that have the filter in them. */
export function listedEvents({ events = [] }: Seen, { filter }: Place): string[] {
  return events.filter((line) => has(filter, [line]));
}

/** The ids of the list on the screen, in its order. */
export function listedIds(seen: Seen, place: Place): string[] {
  if (place.tab === 'tasks') return listedTasks(seen, place).map(({ taskId }) => taskId);
  if (place.tab === 'hosts') return listedHosts(seen, place).map(({ hostId }) => hostId);
  if (place.tab === 'schedulers') return seen.schedulers.map(({ schedulerId }) => schedulerId);
  return listedEvents(seen, place).map((_, at) => String(at));
}

function has(filter: string, texts: readonly string[]): boolean {
  const wanted = filter.toLowerCase();
  return texts.some((text) => text.toLowerCase().includes(wanted));
}

/** A part of a chart as it is written: an object of the machine's config. */
export type Part = Readonly<Record<string, unknown>>;

/** Where something stands in a config: keys, and numbers within lists. */
export type Path = readonly (string | number)[];

/** A state of a chart, the root among them. */
export interface StateOf {
  /** Its keys from the root; empty for the root. */
  readonly keys: readonly string[];
  readonly path: Path;
  readonly part: Part;
}

/** One way out of a state, or one of the ways that an event has. */
export interface TransitionOf {
  readonly state: StateOf;
  readonly path: Path;
  /** `on expired`, `after idleMs`, `always`, `done`. */
  readonly event: string;
  /** States it leads to, by their keys; empty where it leads nowhere else. */
  readonly targets: readonly string[];
  readonly actions: readonly unknown[];
}

export function isPart(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What is written once or as a list, as a list. */
export function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

export function partOf(value: unknown): Part {
  return isPart(value) ? value : {};
}

/** Every state, outer ones first. */
export function statesOf(config: Part, keys: readonly string[] = [], path: Path = []): StateOf[] {
  const within = Object.entries(partOf(config['states'])).flatMap(([key, part]) =>
    statesOf(partOf(part), [...keys, key], [...path, 'states', key]),
  );
  return [{ keys, path, part: config }, ...within];
}

/** Every transition of a state: by event, by time, at once, and by the end of what it invoked or of its children. */
export function transitionsOf(state: StateOf): TransitionOf[] {
  const { part, path } = state;
  const by = (value: unknown, event: string, at: Path) => ways(state, value, event, [...path, ...at]);
  const table = (key: string) =>
    Object.entries(partOf(part[key])).flatMap(([name, value]) => by(value, `${key} ${name}`, [key, name]));
  const invoked = listOf(part['invoke']).flatMap((value, index, all) => {
    const at = Array.isArray(part['invoke']) ? ['invoke', index] : ['invoke'];
    const which = all.length > 1 ? `invoke ${index + 1}` : 'invoke';
    return ['onDone', 'onError', 'onSnapshot', 'onTimeout'].flatMap((key) =>
      by(partOf(value)[key], `${which} ${key}`, [...at, key]),
    );
  });
  return [
    ...table('on'),
    ...table('after'),
    ...by(part['always'], 'always', ['always']),
    ...by(part['onDone'], 'done', ['onDone']),
    ...invoked,
  ];
}

function ways(state: StateOf, value: unknown, event: string, path: Path): TransitionOf[] {
  const all = listOf(value);
  return all.map((way, index) => ({
    state,
    event: all.length > 1 ? `${event} (${index + 1} of ${all.length})` : event,
    path: Array.isArray(value) ? [...path, index] : path,
    targets: listOf(isPart(way) ? way['target'] : way).filter((target) => typeof target === 'string'),
    actions: isPart(way) ? listOf(way['actions']) : [],
  }));
}

/** The keys of the state that a target means, as XState reads it; undefined where there is none. */
export function resolve(config: Part, from: StateOf, target: string): readonly string[] | undefined {
  const states = statesOf(config);
  const [first = '', ...rest] = target.split('.');
  if (first.startsWith('#')) {
    const id = first.slice(1);
    const named = states.find(
      ({ part, keys }) => part['id'] === id || (keys.length === 0 && id === '(machine)'),
    );
    return named && [...named.keys, ...rest];
  }
  if (first === '') return [...from.keys, ...rest];
  return [...from.keys.slice(0, -1), first, ...rest];
}

/** Whether an outer state has a way for this event, which `{}` in an inner one shuts out. */
export function handledOutside(config: Part, state: StateOf, event: string): boolean {
  return statesOf(config)
    .filter(({ keys }) => keys.length < state.keys.length && keys.every((key, at) => key === state.keys[at]))
    .some(({ part }) => event in partOf(part['on']) || '*' in partOf(part['on']));
}

/** A config with one place replaced; `undefined` takes the key, or the item of a list, out. */
export function replaced(config: Part, path: Path, value: unknown): Part {
  return partOf(replace(config, path, value));
}

function replace(whole: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) return value;
  if (Array.isArray(whole)) {
    const list: unknown[] = [...whole];
    const item = replace(list[Number(key)], rest, value);
    list.splice(Number(key), 1, ...(item === undefined ? [] : [item]));
    return list;
  }
  const { [key]: inner, ...others } = partOf(whole);
  const next = replace(inner, rest, value);
  // The order of keys is the order of states and regions.
  return Object.fromEntries(
    Object.keys(partOf(whole)).flatMap((name) => {
      if (name !== String(key)) return [[name, others[name]]];
      return next === undefined ? [] : [[name, next]];
    }),
  );
}

import {
  handledOutside,
  isPart,
  listOf,
  type Part,
  type Path,
  replaced,
  resolve,
  type StateOf,
  statesOf,
  type TransitionOf,
  transitionsOf,
} from './chart.ts';

/** One change of a chart: where, and what is put there instead; nothing takes it out. */
interface Edit {
  readonly path: Path;
  readonly to?: unknown;
}

/** A chart with one state or transition less, or led elsewhere. */
export interface Mutant {
  /** The state or transition, in words. */
  readonly what: string;
  /** What was done to it. */
  readonly how: string;
  readonly edits: readonly Edit[];
}

/** What makes a state do anything by itself. */
const OWN = ['on', 'after', 'always', 'onDone', 'invoke', 'entry', 'exit'] as const;

/** A chart as a mutant has it. */
export function mutated(config: Part, { edits }: Pick<Mutant, 'edits'>): Part {
  // Backwards, so that what is taken out of a list does not move what is still to be changed.
  return [...edits].reverse().reduce((chart, { path, to }) => replaced(chart, path, to), config);
}

/** Every mutant of a chart. */
export function mutantsOf(config: Part): Mutant[] {
  return statesOf(config).flatMap((state) => [
    ...stateMutants(config, state),
    ...transitionsOf(state).flatMap((transition) => transitionMutants(config, transition)),
  ]);
}

function nameOf({ keys }: StateOf): string {
  return keys.length === 0 ? '(any)' : keys.join('.');
}

function stateMutants(config: Part, state: StateOf): Mutant[] {
  const what = nameOf(state);
  const out = (key: string): Edit => ({ path: [...state.path, key] });
  const parts = OWN.filter((key) => state.part[key] !== undefined && listed(state.part[key]) > 0);
  const single = (['entry', 'exit'] as const).filter((key) => parts.includes(key));
  const invoked = listOf(state.part['invoke']).map((_, index, all) => ({
    what: all.length > 1 ? `${what}, invoke ${index + 1}` : `${what}, invoke`,
    how: 'deleted',
    edits: [{ path: [...state.path, 'invoke', ...(Array.isArray(state.part['invoke']) ? [index] : [])] }],
  }));
  const whole = state.keys.length === 0 ? [] : wholeMutants(config, state);
  return [
    ...whole,
    ...(parts.length > 1 && state.keys.length > 0 ? [{ what, how: 'emptied', edits: parts.map(out) }] : []),
    ...single.map((key) => ({ what: `${what}, ${key}`, how: 'emptied', edits: [out(key)] })),
    ...invoked,
  ];
}

function listed(value: unknown): number {
  return isPart(value) ? Object.keys(value).length : listOf(value).length;
}

/** The state skipped: what leads into it leads to a sibling; and, where it is an end, no end any more. */
function wholeMutants(config: Part, state: StateOf): Mutant[] {
  const what = nameOf(state);
  const final = state.part['type'] === 'final';
  const open = final ? [{ what, how: 'not final', edits: [{ path: [...state.path, 'type'] }] }] : [];
  const sibling = siblingOf(config, state);
  const edits = leadElsewhere(config, state, sibling);
  if (edits.length === 0) return open;
  const how = sibling ? `what leads here leads to ${sibling.join('.')}` : 'what leads here is deleted';
  return [{ what, how, edits }, ...open];
}

/** The next state beside it; undefined for regions of a parallel state and where there is no other. */
function siblingOf(config: Part, state: StateOf): readonly string[] | undefined {
  const outer = state.keys.slice(0, -1);
  const parent = statesOf(config).find(({ keys }) => keys.join('.') === outer.join('.'));
  if (parent === undefined || parent.part['type'] === 'parallel') return undefined;
  const keys = Object.keys(isPart(parent.part['states']) ? parent.part['states'] : {});
  const next = keys[(keys.indexOf(state.keys.at(-1) ?? '') + 1) % keys.length];
  return keys.length < 2 || next === undefined ? undefined : [...outer, next];
}

function leadElsewhere(config: Part, state: StateOf, sibling: readonly string[] | undefined): Edit[] {
  const here = state.keys.join('.');
  const led = statesOf(config)
    .flatMap(transitionsOf)
    .filter(({ targets, state: from }) =>
      targets.some((target) => resolve(config, from, target)?.join('.') === here),
    );
  if (sibling === undefined) return led.map(({ path }) => ({ path }));
  const target = `#${String(config['id'])}.${sibling.join('.')}`;
  const parent = statesOf(config).find(({ keys }) => keys.join('.') === state.keys.slice(0, -1).join('.'));
  const initial = parent?.part['initial'] === state.keys.at(-1);
  return [
    ...(parent && initial ? [{ path: [...parent.path, 'initial'], to: sibling.at(-1) }] : []),
    ...led.map(({ path }) => ({ path: targetPath(config, path), to: target })),
  ];
}

/** Where the target of a transition is written: in its object, or it is the target itself. */
function targetPath(config: Part, path: Path): Path {
  const written = path.reduce<unknown>(
    (part, key) => (Array.isArray(part) ? part[Number(key)] : isPart(part) ? part[key] : undefined),
    config,
  );
  return isPart(written) ? [...path, 'target'] : path;
}

function transitionMutants(config: Part, transition: TransitionOf): Mutant[] {
  const { state, event, path, targets, actions } = transition;
  const leads = targets.length > 0 ? ` → ${targets.join(', ')}` : '';
  const what = `${nameOf(state)}: ${event}${leads}`;
  const idle = targets.length === 0 && actions.length === 0;
  const name = path.slice(state.path.length)[1];
  // `{}` says that nothing happens: without it nothing happens either, but where an outer state would act.
  if (idle && !(typeof name === 'string' && handledOutside(config, state, name))) return [];
  return [
    { what, how: 'deleted', edits: [{ path }] },
    ...(targets.length > 0 && actions.length > 0
      ? [{ what, how: 'its actions deleted', edits: [{ path: [...path, 'actions'] }] }]
      : []),
  ];
}

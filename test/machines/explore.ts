import type {
  AnyMachineSnapshot,
  AnyStateMachine,
  EventFromLogic,
  InputFrom,
  SnapshotFrom,
  StateValue,
} from 'xstate';
import { getShortestPaths } from 'xstate/graph';

interface Ground<M extends AnyStateMachine> {
  readonly machine: M;
  /** One event of every type; more than one where guards look at its data. */
  readonly events: readonly EventFromLogic<M>[];
  readonly input?: InputFrom<M>;
}

/** A state by its path, as `known.idle`; those that hold at the same time are joined by ` & `. */
export function pathOf(value: StateValue): string {
  if (typeof value === 'string') return value;
  const inside = Object.entries(value).flatMap(([key, below]) =>
    below === undefined ? [] : [[key, below] as const],
  );
  return inside.map(([key, below]) => `${key}.${pathOf(below)}`).join(' & ');
}

/** One snapshot of every state that any sequence of the events reaches, by state. */
export function reachable<M extends AnyStateMachine>(
  ground: Ground<M>,
  fromState?: SnapshotFrom<M>,
): Map<string, AnyMachineSnapshot> {
  const options = {
    events: [...ground.events],
    ...(fromState === undefined ? { input: ground.input } : { fromState }),
    serializeState: (snapshot: AnyMachineSnapshot) => pathOf(snapshot.value),
    // A machine that is done takes no event; the walk would go on.
    stopWhen: (snapshot: AnyMachineSnapshot) => snapshot.status === 'done',
  };
  const paths = getShortestPaths(ground.machine, options as never);
  return new Map(paths.map(({ state }) => [pathOf(state.value), state as AnyMachineSnapshot]));
}

/** By state, the types of event that do nothing there: no state is left and no action runs. */
export function ignored<M extends AnyStateMachine>(ground: Ground<M>): Record<string, string[]> {
  const table: Record<string, string[]> = {};
  for (const [value, snapshot] of reachable(ground)) {
    if (snapshot.status !== 'active') continue;
    const idle = ground.events.filter((event) => !snapshot.can(event));
    table[value] = [...new Set(idle.map(({ type }) => String(type)))].sort();
  }
  return table;
}

/** States in which nothing happens any more, sorted. */
export function finals<M extends AnyStateMachine>(ground: Ground<M>): string[] {
  return [...reachable(ground)]
    .filter(([, { status }]) => status === 'done')
    .map(([value]) => value)
    .sort();
}

/** States from which no sequence of events leads to an end. */
export function stranded<M extends AnyStateMachine>(ground: Ground<M>): string[] {
  return [...reachable(ground)]
    .filter(([, { status }]) => status === 'active')
    .filter(([, from]) => {
      const onward = reachable(ground, from as SnapshotFrom<M>);
      return ![...onward.values()].some(({ status }) => status === 'done');
    })
    .map(([value]) => value);
}

/** Every type of event that the machine names, sorted. */
export function eventTypes(machine: AnyStateMachine): string[] {
  return [...machine.events].map(String).sort();
}

/** The types of event that the ground walks with, sorted. */
export function walkedTypes<M extends AnyStateMachine>(ground: Ground<M>): string[] {
  return [...new Set(ground.events.map(({ type }) => String(type)))].sort();
}

import { inject, vi } from 'vitest';
import type { Part } from './chart.ts';
import type { Order } from './lane.ts';
import { mutated } from './mutants.ts';

type Maker = (config: Part, ...more: unknown[]) => unknown;
interface Setup {
  readonly createMachine: Maker;
  readonly extend: (more: unknown) => Setup;
}

declare module 'vitest' {
  interface ProvidedContext {
    /** The chart that is changed, and how; undefined leaves all as they are. */
    readonly order: Order | undefined;
  }
}

/** Makes a machine as the mutant has it, where it is the one that is changed. */
function changing(make: Maker): Maker {
  const order = inject('order');
  return (config, ...more) =>
    make(order !== undefined && order.chart === config['id'] ? mutated(config, order) : config, ...more);
}

function wrapped(made: Setup): Setup {
  return {
    ...made,
    createMachine: changing(made.createMachine),
    extend: (more) => wrapped(made.extend(more)),
  };
}

// The charts know nothing of this: what they import as XState changes the config before it is a machine.
vi.mock('xstate', async (original) => {
  const xstate = await original<typeof import('xstate')>();
  const { createMachine, setup } = xstate;
  return {
    ...xstate,
    createMachine: changing(createMachine as unknown as Maker),
    setup: (definition: Parameters<typeof setup>[0]) => wrapped(setup(definition) as unknown as Setup),
  };
});

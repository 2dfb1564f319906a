import { type Actor, createActor } from 'xstate';
import type { WireError } from '../../../core/errors.ts';
import { taskMachine } from '../../../machines/scheduler/task.ts';
import { Owners } from '../../owners.ts';

/** What the machine has a task do. */
interface TaskEffects {
  recordCreated(): void;
  recordManifest(): void;
  recordFailed(error: WireError | undefined): void;
  recordRetired(): void;
  startIdleTimer(): void;
  stopIdleTimer(): void;
}

const owners = new Owners<TaskEffects>();
const machine = taskMachine.provide({
  actions: {
    recordCreated: ({ self }) => owners.of(self).recordCreated(),
    recordManifest: ({ self }) => owners.of(self).recordManifest(),
    recordFailed: ({ self, context }) => owners.of(self).recordFailed(context.error),
    recordRetired: ({ self }) => owners.of(self).recordRetired(),
    startIdleTimer: ({ self }) => owners.of(self).startIdleTimer(),
    stopIdleTimer: ({ self }) => owners.of(self).stopIdleTimer(),
  },
});

/** The state of one task, not yet started. */
export function createTaskMachine(effects: TaskEffects): Actor<typeof taskMachine> {
  const actor = createActor(machine);
  owners.set(actor, effects);
  return actor;
}

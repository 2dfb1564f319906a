import { type Actor, createActor } from 'xstate';
import type { WireError } from '../../../core/errors.ts';
import { peerMachine } from '../../../machines/host/peer.ts';
import { Owners } from '../../owners.ts';

/** What the machine has a peer do. */
interface PeerEffects {
  startAdrift(): void;
  stopAdrift(): void;
  compareWhole(): void;
  complete(): void;
  giveUp(error: WireError | undefined): void;
  release(): void;
}

const owners = new Owners<PeerEffects>();
const machine = peerMachine.provide({
  actions: {
    startAdrift: ({ self }) => owners.of(self).startAdrift(),
    stopAdrift: ({ self }) => owners.of(self).stopAdrift(),
    compareWhole: ({ self }) => owners.of(self).compareWhole(),
    complete: ({ self }) => owners.of(self).complete(),
    giveUp: ({ self, context }) => owners.of(self).giveUp(context.error),
    release: ({ self }) => owners.of(self).release(),
  },
});

/** The state of one peer, not yet started. */
export function createPeerMachine(effects: PeerEffects): Actor<typeof peerMachine> {
  const actor = createActor(machine);
  owners.set(actor, effects);
  return actor;
}

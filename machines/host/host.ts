import { setup } from 'xstate';

export type HostEvent =
  | { readonly type: 'bus.connected' }
  | { readonly type: 'bus.disconnected' }
  | { readonly type: 'announce.accepted' }
  | { readonly type: 'announce.failed' }
  /** Time to announce again: the token is at half its life, or the last try failed. */
  | { readonly type: 'announce.due' }
  /** A scheduler was born and asks what everybody holds. */
  | { readonly type: 'census.received' }
  | { readonly type: 'drain' }
  | { readonly type: 'drained' };

/** A host's membership of the swarm. */
export const hostMachine = setup({
  types: { events: {} as HostEvent },
  actions: {
    /** Asks a scheduler for a membership token, its keys and the address book. */
    announce: () => {},
    /** Sets the time of the next try. */
    retryLater: () => {},
    /** Tells the schedulers every task this host holds. */
    sendHoldings: () => {},
    noteIsolation: () => {},
    noteReturn: () => {},
    /** Takes no new work, lets running transfers end. */
    drain: () => {},
  },
}).createMachine({
  id: 'host',
  initial: 'connecting',
  states: {
    connecting: {
      on: {
        'bus.connected': { actions: 'announce' },
        'announce.accepted': { target: 'announced', actions: 'sendHoldings' },
      },
    },
    announced: {
      on: {
        'bus.disconnected': 'isolated',
        'census.received': { actions: ['announce', 'sendHoldings'] },
        'announce.accepted': {},
      },
    },
    isolated: {
      entry: 'noteIsolation',
      on: {
        'bus.connected': { actions: 'announce' },
        'announce.accepted': { target: 'announced', actions: ['noteReturn', 'sendHoldings'] },
      },
    },
    draining: {
      entry: 'drain',
      on: { drained: 'stopped', 'announce.due': {}, 'announce.failed': {} },
    },
    stopped: { type: 'final' },
  },
  on: {
    'announce.due': { actions: 'announce' },
    'announce.failed': { actions: 'retryLater' },
    drain: '.draining',
  },
});

import { assign, setup } from 'xstate';
import type { WireError } from '../../core/errors.ts';
import type { HostId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import type { TaskState } from '../../core/sync-messages.ts';

export type TaskEvent =
  /** What the log has of the task was read, or there is nothing. */
  | { readonly type: 'log.read' }
  /** A host was asked to read the origin's first bytes, to learn the length. */
  | { readonly type: 'probe.assigned'; readonly hostId: HostId }
  /** The host answered, failed, or wants nothing any more. */
  | { readonly type: 'probe.ended'; readonly hostId: HostId }
  /** The piece length is known, and the length where the origin tells it. */
  | { readonly type: 'geometry.known' }
  /** The length is known too, at the end of a stream. */
  | { readonly type: 'length.known' }
  /** A host works on the task. */
  | { readonly type: 'work.began' }
  /** No host works on the task any more. */
  | { readonly type: 'work.ended' }
  /** The whole contradicts the digest: a host was asked to read pieces again. */
  | { readonly type: 'samples.assigned'; readonly hostId: HostId; readonly pieces: readonly number[] }
  /** The host told whether they agree with the source. */
  | { readonly type: 'samples.read'; readonly hostId: HostId }
  /** The content contradicts the digest: its source is banned and the next one begins from nothing. */
  | { readonly type: 'claim.dropped' }
  /** No source is left that agrees with the digest, or the origin replaced the content. */
  | { readonly type: 'content.refuted'; readonly error: WireError }
  /** A host is gone, or came back as another incarnation, or dropped the task. */
  | { readonly type: 'host.lost'; readonly hostId: HostId }
  | { readonly type: 'remove' }
  /** Another scheduler owns its partition now. */
  | { readonly type: 'cede' };

/** What a task does beside giving leases. */
export interface TaskEffects {
  readonly records: {
    /** Writes the task to the log and says so. */
    created(): void;
    /** Writes the hashes known so far to the log. */
    manifest(): void;
    failed(error: WireError): void;
    retired(): void;
    /** Nothing more is written: the log is another's. */
    ceded(): void;
  };
  /** Counts which hosts read the origin. */
  readonly reads: { begin(hostId: HostId): void; end(hostId: HostId): void };
  readonly claim: {
    /** Gives back every lease and slot. */
    release(): void;
  };
}

interface TaskContext {
  readonly effects: TaskEffects;
  /** While `resolving`: who reads the first bytes. */
  readonly prober: HostId | undefined;
  /** While `doubted`: who reads which pieces again. */
  readonly sampler: { readonly hostId: HostId; readonly pieces: readonly number[] } | undefined;
  /** Once `failed`. */
  readonly error: WireError | undefined;
}

/** One task in the scheduler that owns its partition. */
export const taskMachine = setup({
  types: {
    context: {} as TaskContext,
    events: {} as TaskEvent,
    input: {} as TaskEffects,
    tags: {} as TaskState,
  },
  delays: {
    idleMs: LIMITS.idleActorMs,
    /** A probe that takes longer is given to another host. */
    probeMs: 5_000,
    /** A host that takes longer to read its samples is passed over for another. */
    samplesMs: 30_000,
  },
  actions: {
    recordCreated: ({ context }) => context.effects.records.created(),
    recordManifest: ({ context }) => context.effects.records.manifest(),
    recordFailed: ({ context }) => {
      if (context.error) context.effects.records.failed(context.error);
    },
    recordRetired: ({ context }) => context.effects.records.retired(),
    recordCeded: ({ context }) => context.effects.records.ceded(),
    releaseLeases: ({ context }) => context.effects.claim.release(),
    beginProbe: ({ context }) => {
      if (context.prober) context.effects.reads.begin(context.prober);
    },
    endProbe: ({ context }) => {
      if (context.prober) context.effects.reads.end(context.prober);
    },
    forgetProber: assign({ prober: undefined }),
    forgetSampler: assign({ sampler: undefined }),
  },
  guards: {
    isProber: ({ context, event }) => 'hostId' in event && event.hostId === context.prober,
    isSampler: ({ context, event }) => 'hostId' in event && event.hostId === context.sampler?.hostId,
  },
}).createMachine({
  id: 'task',
  context: ({ input }) => ({ effects: input, prober: undefined, sampler: undefined, error: undefined }),
  initial: 'recovering',
  states: {
    recovering: { tags: 'pending', on: { 'log.read': 'alive' } },
    alive: {
      type: 'parallel',
      states: {
        content: {
          initial: 'unknown',
          states: {
            unknown: {
              initial: 'pending',
              on: { 'geometry.known': 'known' },
              states: {
                pending: {
                  tags: 'pending',
                  on: {
                    'probe.assigned': {
                      target: 'resolving',
                      actions: assign({ prober: ({ event }) => event.hostId }),
                    },
                    'work.ended': 'idle',
                  },
                },
                resolving: {
                  tags: 'resolving',
                  entry: 'beginProbe',
                  exit: ['endProbe', 'forgetProber'],
                  after: { probeMs: 'pending' },
                  on: {
                    'probe.ended': { guard: 'isProber', target: 'pending' },
                    'host.lost': { guard: 'isProber', target: 'pending' },
                    'work.ended': 'idle',
                  },
                },
                idle: {
                  tags: 'idle',
                  after: { idleMs: '#task.retired' },
                  on: { 'work.began': 'pending' },
                },
              },
            },
            known: {
              initial: 'distributing',
              on: { 'claim.dropped': 'unknown', 'length.known': { actions: 'recordCreated' } },
              states: {
                distributing: {
                  tags: 'distributing',
                  entry: 'recordCreated',
                  on: { 'work.ended': 'idle' },
                },
                idle: {
                  tags: 'idle',
                  entry: 'recordManifest',
                  after: { idleMs: '#task.retired' },
                  on: { 'work.began': 'distributing' },
                },
              },
            },
          },
        },
        digest: {
          initial: 'believed',
          states: {
            believed: {
              on: {
                'samples.assigned': {
                  target: 'doubted',
                  actions: assign({ sampler: ({ event: { hostId, pieces } }) => ({ hostId, pieces }) }),
                },
              },
            },
            doubted: {
              initial: 'sampling',
              exit: 'forgetSampler',
              on: {
                'samples.read': { guard: 'isSampler', target: 'believed' },
                'host.lost': { guard: 'isSampler', target: 'believed' },
                'claim.dropped': 'believed',
              },
              states: {
                sampling: { after: { samplesMs: 'overdue' } },
                overdue: {
                  on: {
                    'samples.assigned': {
                      target: 'sampling',
                      actions: assign({ sampler: ({ event: { hostId, pieces } }) => ({ hostId, pieces }) }),
                    },
                  },
                },
              },
            },
          },
        },
      },
    },
    failed: {
      tags: 'failed',
      entry: 'recordFailed',
      exit: assign({ error: undefined }),
      after: { idleMs: 'retired' },
      on: { 'content.refuted': {} },
    },
    retired: { type: 'final', tags: 'retired', entry: ['releaseLeases', 'recordRetired'] },
    ceded: { type: 'final', tags: 'retired', entry: ['releaseLeases', 'recordCeded'] },
  },
  on: {
    'content.refuted': { target: '.failed', actions: assign({ error: ({ event }) => event.error }) },
    remove: '.retired',
    cede: '.ceded',
  },
});

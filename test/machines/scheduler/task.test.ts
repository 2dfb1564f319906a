import { describe, expect, test } from 'vitest';
import { createActor, SimulatedClock } from 'xstate';
import type { HostId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import { type TaskEffects, type TaskEvent, taskMachine } from '../../../machines/scheduler/task.ts';
import { eventTypes, finals, ignored, pathOf, reachable, stranded, walkedTypes } from '../explore.ts';

const [A, B] = ['a', 'b'].map((letter) => letter.repeat(32)) as [HostId, HostId];
const error = { code: 'ERR_DIGEST_MISMATCH' as const, message: 'other content', retryable: false };
const told: readonly TaskEvent[] = [
  { type: 'log.read' },
  { type: 'probe.assigned', hostId: A },
  { type: 'probe.ended', hostId: A },
  { type: 'geometry.known' },
  { type: 'length.known' },
  { type: 'work.began' },
  { type: 'work.ended' },
  { type: 'samples.assigned', hostId: A, pieces: [1] },
  { type: 'samples.read', hostId: A },
  { type: 'claim.dropped' },
  { type: 'content.refuted', error },
  { type: 'host.lost', hostId: A },
  { type: 'remove' },
  { type: 'cede' },
];
const after = (delay: string, state: string) => ({ type: `xstate.after.${delay}.task.${state}` }) as never;
const events = [
  ...told,
  after('probeMs', 'alive.content.unknown.resolving'),
  after('idleMs', 'alive.content.unknown.idle'),
  after('idleMs', 'alive.content.known.idle'),
  after('samplesMs', 'alive.digest.doubted.sampling'),
  after('idleMs', 'failed'),
];

/** What a task did, in order. */
function noted(done: string[] = []): TaskEffects {
  return {
    records: {
      created: () => void done.push('created'),
      manifest: () => void done.push('manifest'),
      failed: ({ code }) => void done.push(`failed ${code}`),
      retired: () => void done.push('retired'),
      ceded: () => void done.push('ceded'),
    },
    reads: {
      begin: (hostId) => void done.push(`begin ${hostId[0]}`),
      end: (hostId) => void done.push(`end ${hostId[0]}`),
    },
    claim: { release: () => void done.push('release') },
  };
}

const ground = { machine: taskMachine, events, input: noted() };
const CONTENT = ['unknown.pending', 'unknown.resolving', 'unknown.idle', 'known.distributing', 'known.idle'];
const DIGEST = ['believed', 'doubted.sampling', 'doubted.overdue'];
const alive = (content: string, digest: string) => `alive.content.${content} & digest.${digest}`;

describe('the graph of a task', () => {
  test('every state is reached, and only the last one ends it', () => {
    expect(walkedTypes(ground)).toEqual(eventTypes(taskMachine));
    const states = CONTENT.flatMap((content) => DIGEST.map((digest) => alive(content, digest)));
    expect([...reachable(ground).keys()].sort()).toEqual(
      [...states, 'ceded', 'failed', 'recovering', 'retired'].sort(),
    );
    expect(finals(ground)).toEqual(['ceded', 'retired']);
    expect(stranded(ground)).toEqual([]);
  });

  test('every event does something in every state, but for these', () => {
    const walked = { ...ground, events: told };
    const everywhere = { ...ignored(ground), ...ignored(walked) };
    const content = [
      'geometry.known',
      'length.known',
      'probe.assigned',
      'probe.ended',
      'work.began',
      'work.ended',
    ];
    const digest = ['samples.read', 'host.lost', 'claim.dropped', 'log.read'];
    const quiet = (...does: string[]) =>
      [...content, ...digest].filter((type) => !does.includes(type)).sort();
    expect(everywhere[alive('unknown.pending', 'believed')]).toEqual(
      quiet('geometry.known', 'probe.assigned', 'work.ended'),
    );
    expect(everywhere[alive('unknown.resolving', 'believed')]).toEqual(
      quiet('geometry.known', 'probe.ended', 'host.lost', 'work.ended'),
    );
    expect(everywhere[alive('unknown.idle', 'believed')]).toEqual(quiet('geometry.known', 'work.began'));
    expect(everywhere[alive('known.distributing', 'believed')]).toEqual(
      quiet('claim.dropped', 'length.known', 'work.ended'),
    );
    expect(everywhere[alive('known.idle', 'believed')]).toEqual(
      quiet('claim.dropped', 'length.known', 'work.began'),
    );
    expect(everywhere[alive('known.distributing', 'doubted.sampling')]).toEqual(
      [
        ...quiet('samples.read', 'host.lost', 'claim.dropped', 'length.known', 'work.ended'),
        'samples.assigned',
      ].sort(),
    );
  });
});

/** A task whose log is read, that notes what it does. */
function watched() {
  const done: string[] = [];
  const clock = new SimulatedClock();
  const actor = createActor(taskMachine, { input: noted(done), clock }).start();
  /** What these events did. */
  const send = (...sent: readonly TaskEvent[]): string[] => {
    done.length = 0;
    for (const event of sent) actor.send(event);
    return [...done];
  };
  const pass = (ms: number): string[] => {
    done.length = 0;
    clock.increment(ms);
    return [...done];
  };
  send({ type: 'log.read' });
  return { actor, send, pass, value: () => pathOf(actor.getSnapshot().value) };
}

const probed: TaskEvent = { type: 'probe.assigned', hostId: A };
const known: TaskEvent = { type: 'geometry.known' };
const ended: TaskEvent = { type: 'work.ended' };
const began: TaskEvent = { type: 'work.began' };
const dropped: TaskEvent = { type: 'claim.dropped' };
const refuted: TaskEvent = { type: 'content.refuted', error };
const PATHS = [[], [probed], [ended], [known], [known, ended]] as const;

describe('a task', () => {
  test('is recorded once its length is known, however often it is told', () => {
    const task = watched();
    expect(task.send(probed)).toEqual(['begin a']);
    expect(task.send(known)).toEqual(['end a', 'created']);
    expect(task.send(known, probed, began)).toEqual([]);
    expect(task.send({ type: 'length.known' })).toEqual(['created']);
  });

  test('asks another host where the one asked for the length fails, is gone or takes too long', () => {
    for (const type of ['probe.ended', 'host.lost'] as const) {
      const task = watched();
      task.send(probed);
      expect(task.send({ type, hostId: B })).toEqual([]);
      expect(task.send({ type, hostId: A }, { type: 'probe.assigned', hostId: B })).toEqual([
        'end a',
        'begin b',
      ]);
    }
    const task = watched();
    task.send(probed);
    expect(task.pass(4_999)).toEqual([]);
    expect(task.pass(1)).toEqual(['end a']);
    expect(task.value()).toBe(alive('unknown.pending', 'believed'));
  });

  test('writes its hashes down when nobody works on it, and goes back to where it was when a host comes', () => {
    const task = watched();
    expect(task.send(known, ended, ended)).toEqual(['created', 'manifest']);
    expect(task.send(began)).toEqual(['created']);
    const other = watched();
    other.send(ended, began);
    expect(other.value()).toBe(alive('unknown.pending', 'believed'));
  });

  test('ends when nobody has worked on it for a while, and not before', () => {
    for (const path of [[ended], [known, ended]]) {
      const task = watched();
      task.send(...path);
      expect(task.pass(LIMITS.idleActorMs - 1)).toEqual([]);
      expect(task.pass(1)).toEqual(['release', 'retired']);
      expect(task.actor.getSnapshot().status).toBe('done');
      const kept = watched();
      kept.send(...path);
      kept.pass(LIMITS.idleActorMs - 1);
      kept.send(began);
      expect(kept.pass(LIMITS.idleActorMs)).toEqual([]);
    }
  });

  test('whose claim was dropped does not know its length any more', () => {
    for (const path of [[known], [known, ended]]) {
      const task = watched();
      task.send(...path, dropped);
      expect(task.value()).toBe(alive('unknown.pending', 'believed'));
    }
  });

  test('believes its digest again once the samples are read, or their reader is gone', () => {
    for (const type of ['samples.read', 'host.lost'] as const) {
      const task = watched();
      task.send(known, { type: 'samples.assigned', hostId: A, pieces: [3] });
      expect(task.actor.getSnapshot().context.sampler).toEqual({ hostId: A, pieces: [3] });
      task.send({ type, hostId: B }, { type: 'samples.assigned', hostId: B, pieces: [4] });
      expect(task.actor.getSnapshot().context.sampler?.hostId).toBe(A);
      task.send({ type, hostId: A });
      expect(task.actor.getSnapshot().context.sampler).toBeUndefined();
    }
  });

  test('asks another for samples when the first takes too long', () => {
    const task = watched();
    task.send(known, { type: 'samples.assigned', hostId: A, pieces: [3] });
    task.pass(30_000);
    expect(task.actor.getSnapshot().context.sampler?.hostId).toBe(A);
    task.send({ type: 'samples.assigned', hostId: B, pieces: [4] });
    expect(task.actor.getSnapshot().context.sampler?.hostId).toBe(B);
  });

  test('keeps its error when refuted, tells it once, and ends after a while', () => {
    for (const path of PATHS) {
      const task = watched();
      task.send(...path);
      expect(task.send(refuted).slice(-1)).toEqual(['failed ERR_DIGEST_MISMATCH']);
      expect(task.actor.getSnapshot().context.error).toEqual(error);
      expect(task.send(refuted, known, began, dropped)).toEqual([]);
      expect(task.pass(LIMITS.idleActorMs)).toEqual(['release', 'retired']);
      expect(task.actor.getSnapshot().context.error).toBeUndefined();
    }
  });

  test('is retired from every state by a removal', () => {
    for (const path of PATHS) {
      const task = watched();
      task.send(...path);
      expect(task.send({ type: 'remove' }).slice(-2)).toEqual(['release', 'retired']);
    }
  });
});

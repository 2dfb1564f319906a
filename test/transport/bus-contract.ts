import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { ShoalError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import type { Bus, LogSubject, PublishSubject, QueueSubject, RequestSubject } from '../../transport/bus.ts';

/** What the contract suite needs of an implementation. */
export interface BusWorld {
  /** A connected bus of the one swarm. */
  bus(name: string): Promise<Bus>;
  /** Cuts every bus off; all of them have noticed when it returns. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  /** Returns when what `bus` subscribed is in force. */
  settle(bus: Bus): Promise<void>;
  dispose(): Promise<void>;
}

const text = z.object({ text: z.string() });
type Text = z.infer<typeof text>;

export const ask: RequestSubject<{ hostId: string; taskId: string; sender: string }, Text, Text> = {
  kind: 'request',
  template: 'ask.{hostId}.{taskId}.{sender}.now',
  sender: 'sender',
  message: text,
  reply: text,
};
export const tell: PublishSubject<{ hostId: string }, Text> = {
  kind: 'publish',
  template: 'tell.{hostId}',
  message: text,
};
const work: QueueSubject<{ kind: string; jobId: string }, Text> = {
  kind: 'queue',
  stream: 'jobs',
  template: 'job.{kind}.{jobId}',
  message: text,
};
const record: LogSubject<{ partition: string; taskId: string }, Text> = {
  kind: 'log',
  stream: 'tasks',
  template: 'log.{partition}.{taskId}.created',
  message: text,
};
/** The same subjects as somebody sees them who sends what he likes. */
const anyAsk = { ...ask, message: z.unknown(), reply: z.unknown() } as RequestSubject<
  { hostId: string; taskId: string; sender: string },
  unknown,
  unknown
>;
const anyTell = { ...tell, message: z.unknown() } as PublishSubject<{ hostId: string }, unknown>;
const anyRecord = { ...record, message: z.unknown() } as LogSubject<
  { partition: string; taskId: string },
  unknown
>;

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    return error instanceof ShoalError ? error.code : `not a ShoalError: ${String(error)}`;
  }
}

/** The rules every bus keeps. */
export function busContract(name: string, makeWorld: () => Promise<BusWorld>): void {
  describe(`a bus ${name}`, () => {
    let world: BusWorld;
    let server: Bus;
    let client: Bus;
    const tokens = { hostId: 'h1', taskId: 't1', sender: 'client' };
    const within = { timeoutMs: 60_000 };

    beforeAll(async () => {
      world = await makeWorld();
      server = await world.bus('server');
      client = await world.bus('client');
    });
    afterAll(async () => {
      await Promise.all([server.close(), client.close()]);
      await world.dispose();
    });

    test('answers a request, with the tokens of its subject', async () => {
      const serving = server.serve(ask, {}, (message, at) => ({ text: `${message.text} ${at.hostId}` }));
      await world.settle(server);
      expect(await client.request(ask, tokens, { text: 'hello' }, within)).toEqual({ text: 'hello h1' });
      serving.close();
      await world.settle(server);
      expect(await codeOf(client.request(ask, tokens, { text: 'hello' }, within))).toBe(
        'ERR_BUS_NO_RESPONDERS',
      );
    });

    test('carries bytes and undefined fields, and drops fields it does not know', async () => {
      const blob = z.object({ bytes: z.instanceof(Uint8Array), note: z.string().optional() });
      const subject = { ...ask, message: blob, reply: blob } as RequestSubject<
        { hostId: string; taskId: string; sender: string },
        z.infer<typeof blob>,
        z.infer<typeof blob>
      >;
      const serving = server.serve(subject, {}, (message) => message);
      await world.settle(server);
      const message = { bytes: new Uint8Array([0, 255, 7]), note: undefined, later: 1 };
      const reply = await client.request(subject, tokens, message, within);
      expect([...reply.bytes]).toEqual([0, 255, 7]);
      expect(reply.note).toBeUndefined();
      expect(Object.keys(reply)).not.toContain('later');
      serving.close();
    });

    test('carries an error to the asker with its code and details', async () => {
      const serving = server.serve(ask, {}, async ({ text: wanted }) => {
        if (wanted === 'plain') throw new Error('a bug');
        throw new ShoalError('ERR_TASK_CHANGED', 'not mine – é', { details: { owner: 's2' } });
      });
      await world.settle(server);
      const error = await client.request(ask, tokens, { text: 'x' }, within).catch((caught) => caught);
      expect(error).toBeInstanceOf(ShoalError);
      expect(error).toMatchObject({ code: 'ERR_TASK_CHANGED', message: 'not mine – é' });
      expect(error.details).toEqual({ owner: 's2' });
      expect(await codeOf(client.request(ask, tokens, { text: 'plain' }, within))).toBe('ERR_INTERNAL');
      serving.close();
    });

    test('fails at once where nobody serves the subject', async () => {
      await world.settle(server);
      expect(await codeOf(client.request(ask, tokens, { text: 'x' }, { timeoutMs: 600_000 }))).toBe(
        'ERR_BUS_NO_RESPONDERS',
      );
    });

    test('ends a request at its time limit, and when its signal aborts', async () => {
      const serving = server.serve(ask, {}, () => new Promise<Text>(() => {}));
      const own = await world.bus('silent');
      const held = own.serve(ask, { hostId: 'silent' }, () => new Promise<Text>(() => {}));
      serving.close();
      await world.settle(own);
      await world.settle(server);
      const silent = { hostId: 'silent', taskId: 't', sender: 'client' };
      expect(await codeOf(client.request(ask, silent, { text: 'x' }, { timeoutMs: 50 }))).toBe(
        'ERR_BUS_TIMEOUT',
      );
      const abort = new AbortController();
      const asked = codeOf(
        client.request(ask, silent, { text: 'x' }, { timeoutMs: 600_000, signal: abort.signal }),
      );
      abort.abort();
      expect(await asked).toBe('ERR_CANCELLED');
      expect(
        await codeOf(
          client.request(ask, silent, { text: 'x' }, { timeoutMs: 600_000, signal: abort.signal }),
        ),
      ).toBe('ERR_CANCELLED');
      held.close();
      await own.close();
    });

    test('drops a request in the name of another, and answers neither of them', async () => {
      const asked: string[] = [];
      const serving = server.serve(ask, {}, (message) => {
        asked.push(message.text);
        return message;
      });
      await world.settle(server);
      const before = server.counters.invalid;
      const forged = { ...tokens, sender: 'another' };
      expect(await codeOf(client.request(ask, forged, { text: 'x' }, { timeoutMs: 200 }))).toBe(
        'ERR_BUS_TIMEOUT',
      );
      expect(asked).toEqual([]);
      expect(server.counters.invalid).toBe(before + 1);
      serving.close();
    });

    test('hands each request of a queue to one of its members', async () => {
      const counts = [0, 0];
      const other = await world.bus('other');
      const serve = (bus: Bus, index: 0 | 1) =>
        bus.serve(
          ask,
          {},
          (message) => {
            counts[index] = (counts[index] ?? 0) + 1;
            return message;
          },
          { queue: 'q' },
        );
      const serving = serve(server, 0);
      serve(other, 1);
      await world.settle(server);
      await world.settle(other);
      await Promise.all(
        Array.from({ length: 100 }, () => client.request(ask, tokens, { text: 'x' }, within)),
      );
      expect((counts[0] ?? 0) + (counts[1] ?? 0)).toBe(100);
      expect(Math.min(...counts)).toBeGreaterThan(10);
      await other.close();
      await Promise.all(Array.from({ length: 10 }, () => client.request(ask, tokens, { text: 'x' }, within)));
      expect((counts[0] ?? 0) + (counts[1] ?? 0)).toBe(110);
      serving.close();
    });

    test('hears only the tokens it asked for, and all where it asked for none', async () => {
      const heard: string[] = [];
      const one = server.subscribe(tell, { hostId: 'h1' }, ({ text: what }) => heard.push(`one ${what}`));
      const all = server.subscribe(tell, {}, ({ text: what }, at) => heard.push(`${at.hostId} ${what}`));
      await world.settle(server);
      expect(client.publish(tell, { hostId: 'h2' }, { text: 'b' })).toBe(true);
      expect(client.publish(tell, { hostId: 'h1' }, { text: 'a' })).toBe(true);
      await vi.waitFor(() => expect(heard).toHaveLength(3));
      expect([...heard].sort()).toEqual(['h1 a', 'h2 b', 'one a']);
      one.close();
      all.close();
    });

    test('gives work to one worker, once, and has one message of each subject', async () => {
      const done: string[] = [];
      const other = await world.bus('worker');
      const take = (bus: Bus) =>
        bus.work(work, { ackMs: 60_000, atOnce: 2 }, async ({ text: what }, { jobId }) => {
          done.push(`${jobId} ${what}`);
        });
      expect(await client.enqueue(work, { kind: 'k', jobId: 'a' }, { text: 'first' })).toBe(true);
      expect(await client.enqueue(work, { kind: 'k', jobId: 'a' }, { text: 'again' })).toBe(false);
      const working = [take(server), take(other)];
      for (const jobId of ['b', 'c', 'd', 'e'])
        expect(await client.enqueue(work, { kind: 'k', jobId }, { text: 'x' })).toBe(true);
      await vi.waitFor(() => expect(done).toHaveLength(5), 10_000);
      expect([...done].sort()).toEqual(['a first', 'b x', 'c x', 'd x', 'e x']);
      // What is dealt with is gone: the same subject is taken again.
      await vi.waitFor(async () => {
        const queued = await client.enqueue(work, { kind: 'k', jobId: 'a' }, { text: 'second' });
        expect(queued).toBe(true);
      }, 10_000);
      await vi.waitFor(() => expect(done).toContain('a second'), 10_000);
      for (const each of working) each.close();
      await other.close();
    });

    test('gives work again that failed, and that of a worker that is gone', async () => {
      const tried: string[] = [];
      const dying = await world.bus('dying');
      const held = dying.work(work, { ackMs: 1_000, atOnce: 1 }, () => {
        tried.push('dying');
        return new Promise(() => {});
      });
      await client.enqueue(work, { kind: 'k', jobId: 'f' }, { text: 'x' });
      await vi.waitFor(() => expect(tried).toEqual(['dying']), 10_000);
      const working = server.work(work, { ackMs: 1_000, atOnce: 1 }, async () => {
        tried.push('server');
        if (tried.length === 2) throw new Error('not yet');
      });
      // While it says that it is at it, nobody else has it.
      held.close();
      await dying.close();
      await vi.waitFor(() => expect(tried).toEqual(['dying', 'server', 'server']), 20_000);
      expect(await client.enqueue(work, { kind: 'k', jobId: 'g' }, { text: 'x' })).toBe(true);
      await vi.waitFor(() => expect(tried).toHaveLength(4), 10_000);
      working.close();
    });

    test('keeps the order of what one bus publishes', async () => {
      const heard: number[] = [];
      const all = server.subscribe(tell, {}, ({ text: what }) => heard.push(Number(what)));
      await world.settle(server);
      for (let index = 0; index < 500; index += 1)
        client.publish(tell, { hostId: 'h' }, { text: `${index}` });
      await vi.waitFor(() => expect(heard).toHaveLength(500));
      expect(heard).toEqual(Array.from({ length: 500 }, (_, index) => index));
      all.close();
    });

    test('drops and counts an invalid message, answers an invalid request, and goes on', async () => {
      const heard: string[] = [];
      const hearing = server.subscribe(tell, {}, ({ text: what }) => heard.push(what));
      const serving = server.serve(ask, { hostId: 'strict' }, (message) => message);
      await world.settle(server);
      const before = server.counters.invalid;
      for (const bad of [{ text: 7 }, null, 'text', [], { txt: 'a' }, new Uint8Array(9)]) {
        client.publish(anyTell, { hostId: 'h' }, bad);
      }
      client.publish(tell, { hostId: 'h' }, { text: 'good' });
      await vi.waitFor(() => expect(heard).toEqual(['good']));
      expect(server.counters.invalid).toBe(before + 6);
      const strict = { hostId: 'strict', taskId: 't', sender: 'client' };
      expect(await codeOf(client.request(anyAsk, strict, { text: 7 }, within))).toBe(
        'ERR_BUS_MESSAGE_INVALID',
      );
      expect(await client.request(ask, strict, { text: 'good' }, within)).toEqual({ text: 'good' });
      hearing.close();
      serving.close();
    });

    test('refuses an invalid reply', async () => {
      const serving = server.serve(anyAsk, { hostId: 'liar' }, () => ({ text: 7 }));
      await world.settle(server);
      const liar = { hostId: 'liar', taskId: 't', sender: 'client' };
      expect(await codeOf(client.request(ask, liar, { text: 'x' }, within))).toBe('ERR_BUS_MESSAGE_INVALID');
      serving.close();
    });

    test('refuses a message beyond 256 KiB in every direction, and carries one just below', async () => {
      const big = { text: 'x'.repeat(LIMITS.messageBytes) };
      const fits = { text: 'x'.repeat(LIMITS.messageBytes - 32) };
      const serving = server.serve(ask, { hostId: 'big' }, ({ text: what }) => (what === 'big' ? big : fits));
      await world.settle(server);
      const to = { hostId: 'big', taskId: 't', sender: 'client' };
      expect(() => client.publish(tell, { hostId: 'h' }, big)).toThrow(/256|262144/);
      expect(await codeOf(client.request(ask, to, big, within))).toBe('ERR_BUS_MESSAGE_TOO_LARGE');
      expect(await codeOf(client.request(ask, to, { text: 'big' }, within))).toBe(
        'ERR_BUS_MESSAGE_TOO_LARGE',
      );
      expect(await codeOf(client.append(record, { partition: '1', taskId: 't' }, big))).toBe(
        'ERR_BUS_MESSAGE_TOO_LARGE',
      );
      expect((await client.request(ask, to, fits, within)).text).toHaveLength(LIMITS.messageBytes - 32);
      serving.close();
    });

    test('refuses a token that would change the subject', async () => {
      for (const hostId of ['', '*', '>', 'a.b', 'a b', 'ä', 'x'.repeat(201)]) {
        expect(() => client.publish(tell, { hostId }, { text: 'x' })).toThrow(ShoalError);
        expect(() => client.subscribe(tell, { hostId }, () => {})).toThrow(ShoalError);
      }
      expect(() => client.emit({ type: 'a.b', subject: 'task.>', body: {} })).toThrow(ShoalError);
    });

    test('gathers the answers of everybody who serves, and none where nobody does', async () => {
      const other = await world.bus('other');
      server.serve(ask, { hostId: 'all' }, () => ({ text: 'a' }));
      other.serve(ask, { hostId: 'all' }, () => ({ text: 'b' }));
      other.serve(ask, { hostId: 'all' }, () => {
        throw new ShoalError('ERR_TASK_NOT_FOUND', 'not here');
      });
      await world.settle(server);
      await world.settle(other);
      const all = { hostId: 'all', taskId: 't', sender: 'client' };
      await vi.waitFor(async () => {
        const answers = await client.gather(ask, all, { text: 'x' }, { waitMs: 100 });
        expect(answers.map((answer) => answer.text).sort()).toEqual(['a', 'b']);
      });
      const none = { hostId: 'none', taskId: 't', sender: 'client' };
      expect(await client.gather(ask, none, { text: 'x' }, { waitMs: 600_000 })).toEqual([]);
      await other.close();
    });

    test('gathers as many answers as wanted without waiting for more', async () => {
      const server2 = await world.bus('other');
      for (const each of [server, server2]) {
        each.serve(ask, { hostId: 'most' }, () => ({ text: 'a' }));
        await world.settle(each);
      }
      const to = { hostId: 'most', taskId: 't', sender: client.name };
      const started = performance.now();
      expect(await client.gather(ask, to, { text: 'x' }, { waitMs: 20_000, most: 2 })).toHaveLength(2);
      expect(performance.now() - started).toBeLessThan(10_000);
      await server2.close();
    });

    test('what is not admitted is not looked at: a request is told so, a message is dropped', async () => {
      const asked: string[] = [];
      const admit = ({ hostId }: { hostId: string }) => hostId !== 'flooder';
      const note = ({ text }: { text: string }) => {
        asked.push(text);
        return { text };
      };
      const serving = server.serve(ask, {}, note, { admit });
      const hearing = server.subscribe(tell, {}, note, { admit });
      await world.settle(server);
      const options = { timeoutMs: 5_000 };
      const flooding = client.request(
        ask,
        { hostId: 'flooder', taskId: 't', sender: client.name },
        { text: 'no' },
        options,
      );
      expect(await codeOf(flooding)).toBe('ERR_SCHED_BUSY');
      client.publish(tell, { hostId: 'flooder' }, { text: 'no' });
      client.publish(tell, { hostId: 'other' }, { text: 'told' });
      await client.request(
        ask,
        { hostId: 'other', taskId: 't', sender: client.name },
        { text: 'asked' },
        options,
      );
      expect(asked.sort()).toEqual(['asked', 'told']);
      serving.close();
      hearing.close();
    });

    test('publishes events as JSON below event, and hears them', async () => {
      const heard: [string, unknown][] = [];
      const hearing = server.subscribeEvents((subject, body) => heard.push([subject, body]));
      await world.settle(server);
      const body = { specversion: '1.0', type: 'shoal.task.created', data: { é: [1] } };
      expect(client.emit({ type: 'task.created', subject: 'task.created.h1.t1', body })).toBe(true);
      await vi.waitFor(() => expect(heard).toEqual([['task.created.h1.t1', body]]));
      hearing.close();
    });

    test('sheds requests beyond what it can answer at a time, and counts them as slow', async () => {
      const busy = await world.bus('busy');
      const releases: (() => void)[] = [];
      busy.serve(ask, { hostId: 'busy' }, (message) => {
        return new Promise<Text>((resolve) => {
          releases.push(() => resolve(message));
        });
      });
      await world.settle(busy);
      const to = { hostId: 'busy', taskId: 't', sender: 'client' };
      let shed = 0;
      const asked = Array.from({ length: LIMITS.busHandlers + 50 }, async () => {
        const code = await codeOf(client.request(ask, to, { text: 'x' }, { timeoutMs: 600_000 }));
        if (code === 'ERR_BUS_UNAVAILABLE') shed += 1;
        return code;
      });
      await vi.waitFor(() => expect(shed).toBe(50));
      expect(busy.counters.slow).toBe(50);
      for (const release of releases) release();
      const codes = await Promise.all(asked);
      expect(codes.filter((code) => code === 'no error')).toHaveLength(LIMITS.busHandlers);
      await busy.close();
    });

    test('keeps the last record of each subject, oldest first', async () => {
      const at = (partition: string, taskId: string) => ({ partition, taskId });
      expect(await client.readLog(record, { partition: '63' })).toEqual([]);
      await client.append(record, at('7', 'a'), { text: 'first' });
      await client.append(record, at('7', 'b'), { text: 'second' });
      await client.append(record, at('8', 'c'), { text: 'third' });
      await client.append(record, at('7', 'a'), { text: 'fourth' });
      expect(await server.readLog(record, { partition: '7' })).toEqual([
        { tokens: at('7', 'b'), message: { text: 'second' } },
        { tokens: at('7', 'a'), message: { text: 'fourth' } },
      ]);
      expect(await server.readLog(record, at('8', 'c'))).toHaveLength(1);
      expect((await server.readLog(record, {})).map(({ message }) => message.text)).toEqual([
        'second',
        'third',
        'fourth',
      ]);
    });

    test('skips and counts records it cannot read', async () => {
      await client.append(anyRecord, { partition: '9', taskId: 'bad' }, { wrong: true });
      await client.append(record, { partition: '9', taskId: 'good' }, { text: 'x' });
      const before = server.counters.invalid;
      expect(await server.readLog(record, { partition: '9' })).toHaveLength(1);
      expect(server.counters.invalid).toBe(before + 1);
    });

    test('reads thousands of records', async () => {
      const many = Array.from({ length: 3000 }, (_, index) => ({ partition: '20', taskId: `t${index}` }));
      for (let from = 0; from < many.length; from += 500) {
        await Promise.all(
          many.slice(from, from + 500).map((at) => client.append(record, at, { text: at.taskId })),
        );
      }
      const records = await server.readLog(record, { partition: '20' });
      expect(records.map(({ tokens: at }) => at)).toHaveLength(3000);
      expect(new Set(records.map(({ message }) => message.text)).size).toBe(3000);
    });

    test('sets a directory entry only where its revision is the expected one', async () => {
      const ours = server.directory('directory');
      const theirs = client.directory('directory');
      const bytes = (what: string) => new TextEncoder().encode(what);
      expect(await ours.get('a.b')).toBeUndefined();
      const first = await ours.put('a.b', bytes('one'), 0);
      expect(await codeOf(theirs.put('a.b', bytes('two'), 0))).toBe('ERR_BUS_CONFLICT');
      const second = await theirs.put('a.b', bytes('two'), first);
      expect(second).toBeGreaterThan(first);
      expect(await codeOf(ours.put('a.b', bytes('three'), first))).toBe('ERR_BUS_CONFLICT');
      expect(await codeOf(ours.remove('a.b', first))).toBe('ERR_BUS_CONFLICT');
      const got = await ours.get('a.b');
      expect([...(got?.value ?? [])]).toEqual([...bytes('two')]);
      expect(got?.revision).toBe(second);
      await ours.remove('a.b', second);
      expect(await theirs.get('a.b')).toBeUndefined();
      expect(await theirs.entries()).toEqual([]);
      expect(await codeOf(theirs.put('a.b', bytes('x'), second))).toBe('ERR_BUS_CONFLICT');
      const again = await theirs.put('a.b', bytes('back'), 0);
      expect((await ours.entries()).map(({ key, revision }) => [key, revision])).toEqual([['a.b', again]]);
      for (const key of ['', '.a', 'a.', 'a..b', 'a*', '>', 'ä', 'x'.repeat(600)]) {
        expect(await codeOf(ours.put(key, bytes('x'), 0))).toBe('ERR_BUS_MESSAGE_INVALID');
      }
    });

    test('lets one of many win an entry', async () => {
      const value = new Uint8Array([1]);
      const codes = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          codeOf((index % 2 ? server : client).directory('ownership').put('lock', value, 0)),
        ),
      );
      expect(codes.filter((code) => code === 'no error')).toHaveLength(1);
      expect(codes.filter((code) => code === 'ERR_BUS_CONFLICT')).toHaveLength(19);
    });

    test('watches a directory: what is there, what changes, what goes', async () => {
      const directory = client.directory('ownership');
      const text = (value: Uint8Array | undefined) => (value === undefined ? '-' : `${value[0]}`);
      const first = await directory.put('w.1', new Uint8Array([1]), 0);
      const seen: string[] = [];
      const watching = server.directory('ownership').watch(({ key, value }) => {
        if (key.startsWith('w.')) seen.push(`${key} ${text(value)}`);
      });
      await vi.waitFor(() => expect(seen).toEqual(['w.1 1']));
      const second = await directory.put('w.1', new Uint8Array([2]), first);
      await vi.waitFor(() => expect(seen).toEqual(['w.1 1', 'w.1 2']));
      await directory.put('w.2', new Uint8Array([3]), 0);
      await directory.remove('w.1', second);
      await vi.waitFor(() => expect(seen).toEqual(['w.1 1', 'w.1 2', 'w.2 3', 'w.1 -']));
      watching.close();
    });

    test('while cut off refuses at once, and afterwards goes on where it was', async () => {
      const heard: string[] = [];
      const states: string[] = [];
      const seen: string[] = [];
      const hearing = server.subscribe(tell, {}, ({ text: what }) => heard.push(what));
      const held = server.serve(ask, { hostId: 'held' }, () => new Promise<Text>(() => {}));
      const watching = server.directory('ownership').watch(({ key }) => {
        if (key.startsWith('cut.')) seen.push(key);
      });
      client.onState((state) => states.push(state));
      await world.settle(server);
      const to = { hostId: 'held', taskId: 't', sender: 'client' };
      const hanging = codeOf(client.request(ask, to, { text: 'x' }, { timeoutMs: 600_000 }));
      await world.settle(client);

      await world.cut();
      expect(await hanging).toBe('ERR_BUS_UNAVAILABLE');
      expect(client.state).toBe('disconnected');
      const dropped = client.counters.dropped;
      expect(client.publish(tell, { hostId: 'h' }, { text: 'lost' })).toBe(false);
      expect(client.emit({ type: 'a.b', subject: 'a.b', body: {} })).toBe(false);
      expect(client.counters.dropped).toBe(dropped + 2);
      const directory = client.directory('ownership');
      const codes = await Promise.all([
        codeOf(client.request(ask, to, { text: 'x' }, { timeoutMs: 600_000 })),
        codeOf(client.gather(ask, to, { text: 'x' }, { waitMs: 600_000 })),
        codeOf(client.append(record, { partition: '1', taskId: 't' }, { text: 'x' })),
        codeOf(client.readLog(record, {})),
        codeOf(directory.get('a')),
        codeOf(directory.put('a', new Uint8Array(), 0)),
        codeOf(directory.entries()),
      ]);
      expect(new Set(codes)).toEqual(new Set(['ERR_BUS_UNAVAILABLE']));
      // Subscriptions made while cut off begin to work when the connection is back.
      const late = server.serve(ask, { hostId: 'late' }, (message) => message);

      await world.restore();
      expect(client.publish(tell, { hostId: 'h' }, { text: 'back' })).toBe(true);
      await vi.waitFor(() => expect(heard).toEqual(['back']));
      const echo = { hostId: 'late', taskId: 't', sender: 'client' };
      expect(await client.request(ask, echo, { text: 'x' }, within)).toEqual({ text: 'x' });
      await directory.put('cut.1', new Uint8Array([1]), 0);
      await vi.waitFor(() => expect(seen).toEqual(['cut.1']));
      expect(states).toEqual(['disconnected', 'connected']);
      for (const subscription of [hearing, held, watching, late]) subscription.close();
    });

    test('answers what it has begun before it closes, and refuses everything after', async () => {
      const own = await world.bus('closing');
      let release: () => void = () => {};
      const began = new Promise<void>((resolve) => {
        own.serve(ask, { hostId: 'closing' }, (message) => {
          resolve();
          return new Promise<Text>((done) => {
            release = () => done(message);
          });
        });
      });
      await world.settle(own);
      const asked = client.request(
        ask,
        { hostId: 'closing', taskId: 't', sender: 'client' },
        { text: 'x' },
        within,
      );
      await began;
      const closing = own.close();
      release();
      await closing;
      expect(await asked).toEqual({ text: 'x' });
      expect(own.state).toBe('closed');
      expect(own.publish(tell, { hostId: 'h' }, { text: 'x' })).toBe(false);
      expect(await codeOf(own.request(ask, tokens, { text: 'x' }, within))).toBe('ERR_BUS_UNAVAILABLE');
    });
  });
}

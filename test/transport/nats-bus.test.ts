import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { ShoalError } from '../../core/errors.ts';
import type { Bus } from '../../transport/bus.ts';
import { connectNatsBus, type NatsBusOptions } from '../../transport/nats-bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { freePort } from '../support/free-port.ts';
import { startNats, type TestNats, type TestNatsOptions } from '../support/nats-server.ts';
import { ask, codeOf, tell } from './bus-contract.ts';
import { settle } from './settle.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function server(options?: TestNatsOptions): Promise<TestNats> {
  const nats = await startNats(options);
  open.push({ close: () => nats[Symbol.asyncDispose]() });
  return nats;
}

function bus(options: Partial<NatsBusOptions> & { servers: string }): Bus {
  const made = connectNatsBus({ name: 'tester', swarm: 'test', ...options });
  open.push(made);
  return made;
}

const reach = (which: Bus, state: string) =>
  vi.waitFor(() => expect(which.state).toBe(state), { interval: 5 });

const at = (taskId: string) => ({ partition: '1', taskId });
const ended = (epoch: number) => ({ epoch, atMs: 0 });

/** A plain TCP proxy that can stop passing on what the server sends. */
async function proxy(port: number) {
  const sockets = new Set<Socket>();
  const through = createServer((client) => {
    const upstream = dial(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.pipe(upstream);
    upstream.pipe(client);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.end());
    current = upstream;
  });
  let current: Socket | undefined;
  through.listen(0, '127.0.0.1');
  await vi.waitFor(() => expect(through.listening).toBe(true));
  open.push({
    close: async () => {
      for (const socket of sockets) socket.destroy();
      through.close();
    },
  });
  return {
    url: `nats://127.0.0.1:${(through.address() as AddressInfo).port}`,
    pause: () => current?.pause(),
    resume: () => current?.resume(),
  };
}

describe('a bus over NATS', () => {
  test('starts while NATS is down, takes subscriptions, and works when NATS comes', async () => {
    const port = await freePort();
    const early = bus({ servers: `nats://127.0.0.1:${port}`, name: 'early' });
    const heard: string[] = [];
    early.subscribe(tell, {}, ({ text }) => heard.push(text));
    early.serve(ask, {}, (message) => message);
    const seen: string[] = [];
    early.directory('directory').watch(({ key }) => seen.push(key));
    expect(early.state).toBe('disconnected');
    expect(early.publish(tell, { hostId: 'h' }, { text: 'lost' })).toBe(false);
    expect(
      await codeOf(
        early.request(
          ask,
          { hostId: 'h', taskId: 't', sender: 'early' },
          { text: 'x' },
          { timeoutMs: 1_000 },
        ),
      ),
    ).toBe('ERR_BUS_UNAVAILABLE');
    const nats = await server({ port });
    await reach(early, 'connected');
    const late = bus({ servers: nats.url, name: 'late' });
    await reach(late, 'connected');
    const to = { hostId: 'h', taskId: 't', sender: 'late' };
    expect(await late.request(ask, to, { text: 'x' }, { timeoutMs: 60_000 })).toEqual({ text: 'x' });
    late.publish(tell, { hostId: 'h' }, { text: 'found' });
    await vi.waitFor(() => expect(heard).toEqual(['found']));
    await late.directory('directory').put('k', new Uint8Array([1]), 0);
    await vi.waitFor(() => expect(seen).toEqual(['k']));
  });

  test('closes while NATS is down', async () => {
    const alone = connectNatsBus({
      servers: `nats://127.0.0.1:${await freePort()}`,
      name: 'alone',
      swarm: 'test',
    });
    await alone.close();
    expect(alone.state).toBe('closed');
  });

  test('keeps trying with credentials that are refused, before the first connection and after it', async () => {
    const config = (pass: string) => `authorization { user: "u", password: "${pass}" }`;
    const nats = await server({ config: config('other') });
    const login = bus({ servers: `nats://u:right@127.0.0.1:${nats.port}` });
    await vi.waitFor(() => expect(login.state).toBe('disconnected'));
    await nats.restart({ config: config('right') });
    await reach(login, 'connected');
    await nats.restart({ config: config('other') });
    await reach(login, 'disconnected');
    await vi.waitFor(() => expect(login.state).toBe('disconnected'));
    await nats.restart({ config: config('right') });
    await reach(login, 'connected');
  });

  test('refuses a configuration that can never work', () => {
    for (const servers of ['http://127.0.0.1:4222', 'nats://', '', 'nats://h:99999']) {
      expect(() => connectNatsBus({ servers, name: 'n', swarm: 's' })).toThrow(ShoalError);
    }
    for (const name of ['', 'a.b', '*'])
      expect(() => connectNatsBus({ servers: 'h', name, swarm: 's' })).toThrow(ShoalError);
    expect(() => connectNatsBus({ servers: 'h', name: 'n', swarm: 'a.b' })).toThrow(ShoalError);
  });

  test('says at once what permissions refuse, and goes on with the rest', async () => {
    const config = `authorization { users: [
      { user: "all", password: "x" }
      { user: "few", password: "x", permissions: {
        publish: { allow: ["test.v1.tell.h1"] }, subscribe: { allow: ["test.v1.tell.h1", "_INBOX_SHOAL.client.few.>"] } } }
    ] }`;
    const nats = await server({ config });
    const all = bus({ servers: nats.url, name: 'all', credentials: { user: 'all', pass: 'x' } });
    const few = bus({ servers: nats.url, name: 'few', credentials: { user: 'few', pass: 'x' } });
    await Promise.all([reach(all, 'connected'), reach(few, 'connected')]);
    const heardByAll: string[] = [];
    const heardByFew: string[] = [];
    all.subscribe(tell, {}, ({ text }) => heardByAll.push(text));
    all.serve(ask, {}, (message) => message);
    few.subscribe(tell, {}, ({ text }) => heardByFew.push(`any ${text}`));
    few.subscribe(tell, { hostId: 'h1' }, ({ text }) => heardByFew.push(text));
    await settle(all);
    const to = { hostId: 'h', taskId: 't', sender: 'few' };
    const never = 600_000;
    expect(await codeOf(few.request(ask, to, { text: 'x' }, { timeoutMs: never }))).toBe('ERR_BUS_DENIED');
    expect(await codeOf(few.gather(ask, to, { text: 'x' }, { waitMs: never }))).toBe('ERR_BUS_DENIED');
    expect(await codeOf(few.append(SUBJECTS.logRetired, at('t'), ended(1)))).toBe('ERR_BUS_DENIED');
    expect(await codeOf(few.directory('directory').get('k'))).toBe('ERR_BUS_DENIED');
    const dropped = few.counters.dropped;
    few.publish(tell, { hostId: 'h2' }, { text: 'forbidden' });
    await vi.waitFor(() => expect(few.counters.dropped).toBe(dropped + 1));
    few.publish(tell, { hostId: 'h1' }, { text: 'allowed' });
    await vi.waitFor(() => expect(heardByAll).toEqual(['allowed']));
    await vi.waitFor(() => expect(heardByFew).toEqual(['allowed']));
    expect(few.state).toBe('connected');
  });

  test('works without JetStream but for the log and the directories, which say so', async () => {
    const nats = await server({ jetstream: false });
    const plain = bus({ servers: nats.url });
    await reach(plain, 'connected');
    plain.serve(ask, {}, (message) => message);
    const to = { hostId: 'h', taskId: 't', sender: plain.name };
    expect(await plain.request(ask, to, { text: 'x' }, { timeoutMs: 60_000 })).toEqual({ text: 'x' });
    const refused = await plain.append(SUBJECTS.logRetired, at('t'), ended(1)).catch((error) => error);
    expect(refused).toMatchObject({ code: 'ERR_BUS_UNAVAILABLE', message: /JetStream is not enabled/ });
    expect(await codeOf(plain.readLog(SUBJECTS.logRetired, {}))).toBe('ERR_BUS_UNAVAILABLE');
    expect(await codeOf(plain.directory('ownership').entries())).toBe('ERR_BUS_UNAVAILABLE');
  });

  test('ends what waits for JetStream as soon as the connection drops', async () => {
    const nats = await server();
    const waiting = bus({ servers: nats.url });
    await reach(waiting, 'connected');
    const directory = waiting.directory('directory');
    await waiting.append(SUBJECTS.logRetired, at('t'), ended(1));
    const revision = await directory.put('k', new Uint8Array([1]), 0);
    process.kill(nats.pid, 'SIGSTOP');
    const asked = [
      waiting.append(SUBJECTS.logRetired, at('t'), ended(2)),
      waiting.readLog(SUBJECTS.logRetired, {}),
      directory.get('k'),
      directory.put('k', new Uint8Array([2]), revision),
      directory.remove('k', revision),
      directory.entries(),
    ].map(codeOf);
    await nats.stop();
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['ERR_BUS_UNAVAILABLE']));
  });

  test("says so where a record is beyond the server's own limit", async () => {
    const nats = await server({ config: 'max_payload: 65536' });
    const narrow = bus({ servers: nats.url });
    await reach(narrow, 'connected');
    const big = new Uint8Array(100_000);
    expect(await codeOf(narrow.directory('directory').put('k', big, 0))).toBe('ERR_BUS_MESSAGE_TOO_LARGE');
  });

  test('makes its streams again where the server lost its store', async () => {
    const nats = await server();
    const one = bus({ servers: nats.url });
    await reach(one, 'connected');
    const heard: string[] = [];
    one.directory('ownership').watch(({ key, value }) => {
      heard.push(`${key} ${value === undefined ? 'gone' : 'there'}`);
    });
    await one.append(SUBJECTS.logRetired, at('t'), ended(1));
    await one.directory('ownership').put('k', new Uint8Array([1]), 0);
    await vi.waitFor(() => expect(heard).toEqual(['k there']));
    await nats.stop();
    await reach(one, 'disconnected');
    await nats.restart({ wipe: true });
    await reach(one, 'connected');
    expect(await one.readLog(SUBJECTS.logRetired, {})).toEqual([]);
    await one.append(SUBJECTS.logRetired, at('t'), ended(2));
    expect((await one.readLog(SUBJECTS.logRetired, {})).map(({ message }) => message.epoch)).toEqual([2]);
    await one.directory('ownership').put('other', new Uint8Array([1]), 0);
    await vi.waitFor(() =>
      expect(heard).toEqual(expect.arrayContaining(['k there', 'k gone', 'other there'])),
    );
  });

  test('makes a stream again that somebody removed, brings a different one in step, in any number at once', async () => {
    const nats = await server();
    const buses = Array.from({ length: 8 }, (_, index) => bus({ servers: nats.url, name: `b${index}` }));
    await Promise.all(buses.map((each) => reach(each, 'connected')));
    await Promise.all(
      buses.map((each, index) => each.append(SUBJECTS.logRetired, at(`t${index}`), ended(1))),
    );
    const [first] = buses;
    if (first === undefined) throw new Error('no bus');
    expect(await first.readLog(SUBJECTS.logRetired, {})).toHaveLength(8);

    const admin = await jetstream(nats);
    await admin.call('STREAM.DELETE.test-tasks', {});
    await first.append(SUBJECTS.logRetired, at('t'), ended(2));
    expect(await first.readLog(SUBJECTS.logRetired, {})).toHaveLength(1);

    const { config } = await admin.call('STREAM.INFO.test-tasks', {});
    await admin.call('STREAM.UPDATE.test-tasks', { ...config, max_bytes: 1_000_000, duplicate_window: 60e9 });
    // A bus that has not noticed yet would append to the server that is gone.
    await nats.stop();
    await Promise.all(buses.map((each) => reach(each, 'disconnected')));
    await nats.restart();
    await Promise.all(buses.map((each) => reach(each, 'connected')));
    await Promise.all(
      buses.map((each, index) => each.append(SUBJECTS.logRetired, at(`n${index}`), ended(3))),
    );
    const { config: after } = await (await jetstream(nats)).call('STREAM.INFO.test-tasks', {});
    expect(after).toMatchObject({
      max_bytes: 512 * 1024 * 1024,
      max_msgs_per_subject: 1,
      duplicate_window: 60e9,
    });
    expect(await first.readLog(SUBJECTS.logRetired, {})).toHaveLength(9);
  });

  test('outlasts what a server does while another client makes the stream: no answer, subjects taken, nobody listening', async () => {
    const nats = await server({ jetstream: false });
    const { connect } = await import('@nats-io/transport-node');
    const racing = await connect({ servers: nats.url });
    open.push(racing);
    const asked: string[] = [];
    const missing = { error: { code: 404, err_code: 10059, description: 'stream not found' } };
    const taken = {
      error: { code: 400, err_code: 10065, description: 'subjects overlap with an existing stream' },
    };
    const there = { config: { name: 'test-tasks' }, state: {} };
    const answers = [undefined, missing, taken, there, there, there, there];
    racing.subscribe('$JS.API.STREAM.*.test-tasks', {
      callback: (_, message) => {
        const verb = message.subject.split('.')[3] ?? '';
        asked.push(verb);
        const answer = verb === 'UPDATE' ? there : answers.shift();
        if (answer !== undefined) message.respond(JSON.stringify(answer));
        if (verb === 'UPDATE' || answers.length > 0) return;
        racing.subscribe('test.v1.log.>', {
          callback: (_, entry) => void entry.respond(JSON.stringify({ stream: 'test-tasks', seq: 1 })),
        });
      },
    });
    await racing.flush();
    const patient = bus({ servers: nats.url });
    await reach(patient, 'connected');
    await patient.append(SUBJECTS.logRetired, at('t'), ended(1));
    expect(asked.join(' ')).toBe('INFO INFO CREATE INFO INFO UPDATE INFO INFO UPDATE');
  });

  test('comes back where the server cut it off as a slow consumer', async () => {
    const nats = await server({ config: 'max_pending: 1048576\nwrite_deadline: "100ms"' });
    const slowly = await proxy(nats.port);
    const reader = bus({ servers: slowly.url, name: 'reader' });
    const writer = bus({ servers: nats.url, name: 'writer' });
    const heard: string[] = [];
    const states: string[] = [];
    reader.onState((state) => states.push(state));
    reader.subscribe(tell, {}, ({ text }) => heard.push(text.slice(0, 20)));
    await Promise.all([reach(reader, 'connected'), reach(writer, 'connected')]);
    slowly.pause();
    const text = 'x'.repeat(200_000);
    for (let index = 0; index < 100; index += 1) writer.publish(tell, { hostId: 'h' }, { text });
    await settle(writer);
    slowly.resume();
    await vi.waitFor(() => expect(states).toEqual(['connected', 'disconnected', 'connected']));
    expect(heard.length).toBeLessThan(100);
    writer.publish(tell, { hostId: 'h' }, { text: 'and on' });
    await vi.waitFor(() => expect(heard.at(-1)).toBe('and on'));
  });

  test('notices a server that hangs without closing', async () => {
    const nats = await server();
    const hanging = bus({ servers: nats.url, pingMs: 200 });
    await reach(hanging, 'connected');
    process.kill(nats.pid, 'SIGSTOP');
    try {
      await reach(hanging, 'disconnected');
    } finally {
      process.kill(nats.pid, 'SIGCONT');
    }
    await reach(hanging, 'connected');
  });
});

/** The JSON API of JetStream, as an operator's tool uses it. */
async function jetstream(nats: TestNats) {
  const { connect } = await import('@nats-io/transport-node');
  const connection = await connect({ servers: nats.url });
  open.push(connection);
  const answer = z.looseObject({ config: z.record(z.string(), z.unknown()).optional() });
  return {
    call: async (verb: string, body: unknown) =>
      answer.parse((await connection.request(`$JS.API.${verb}`, JSON.stringify(body))).json()),
  };
}

import { expect, test } from 'vitest';
import type { Claim, ClaimVerdict, Question } from '../../../core/claim.ts';
import type { DownloadRequest } from '../../../core/download.ts';
import { ShoalError } from '../../../core/errors.ts';
import type { TaskId } from '../../../core/ids.ts';
import type { SimHost } from '../../../sim/host.ts';
import type { SimContent } from '../../../sim/origin.ts';
import { createSimulation, type Simulation } from '../../../sim/world.ts';
import { digestOf, MIB, URL_A } from '../../sim/scene.ts';
import { type Reading, read } from './reading.ts';

const KEY = { authorization: 'Bearer key' };
const WRONG = { authorization: 'Bearer wrong' };

async function swarm(hosts = 2): Promise<Simulation> {
  const sim = createSimulation({ seed: 41, hosts, linkBytesPerSec: 4 * MIB });
  sim.start();
  await sim.run(2_500);
  return sim;
}

const host = (sim: Simulation, index: number) => sim.hosts[index] as SimHost;

/** A blob of a registry, and how a client asks for it. */
function blob(sim: Simulation, authorization?: string) {
  const bytes = sim.random.fork('blob').bytes(MIB);
  const digest = digestOf({ bytes });
  const url = `http://registry.test/v2/team/app/blobs/${digest}`;
  const content = sim.publish(url, MIB, { bytes, ...(authorization && { authorization }) });
  return { content, digest, url, request: { resource: url, digest } };
}

/** A claim of a request's own; the sources' answers to other requests say nothing of it. */
function claimTo(url: string, question: Question, credential?: string): { readonly claim: Claim } {
  return { claim: { content: `${url}?own`, credential, question } };
}

const answered = (verdict: ClaimVerdict): Question => ({ kind: 'answered', verdict });
const letIn = answered({ kind: 'allowed', open: false });
const turnedAway = (why: string) =>
  answered({ kind: 'refused', error: new ShoalError('ERR_SOURCE_REFUSED', why) });

/** HEAD of the blob, which `sim.registry` answers. */
function head(url: string): Question {
  const { origin: base, pathname: path } = new URL(url);
  return { kind: 'registry', base, path, authorization: undefined, headers: {}, limitMs: 60_000 };
}

/** The registry changes its mind on who may have it. */
function close(sim: Simulation, url: string, content: SimContent, authorization: string): void {
  sim.origin.contents.set(url, { ...content, authorization });
}

async function outcome(reading: Reading, content: SimContent): Promise<string> {
  await reading.end();
  if (reading.error === undefined) return reading.bytes().equals(content.bytes) ? 'all' : 'wrong';
  expect(reading.chunks).toEqual([]);
  expect(reading.starts).toEqual([]);
  return reading.error.code;
}

async function got(sim: Simulation, index: number, request: Partial<DownloadRequest> & { resource: string }) {
  const get = host(sim, index).get(request);
  await sim.run(60_000, () => get.state !== 'running');
  return get.error?.code ?? (get.state === 'done' ? 'all' : get.state);
}

test('content behind credentials is given to nobody without them, on the host that has it and on any other', async () => {
  const sim = await swarm();
  const { content, digest, request } = blob(sim, KEY.authorization);
  expect(await got(sim, 0, { ...request, headers: KEY })).toBe('all');
  for (const index of [0, 1]) {
    for (const headers of [{}, WRONG]) {
      expect(await got(sim, index, { ...request, headers })).toBe('ERR_SOURCE_REFUSED');
      expect(await got(sim, index, { resource: digest, headers })).toBe('ERR_SOURCE_REFUSED');
      const streamed = read(sim, host(sim, index), { resource: digest, headers });
      expect(await outcome(streamed, content)).toBe('ERR_SOURCE_REFUSED');
    }
  }
  expect(await got(sim, 1, { resource: digest, headers: KEY })).toBe('all');
});

/** A server of an attacker that says yes to everybody, and gives what it likes. */
function evil(sim: Simulation, digest: string, bytes: Uint8Array) {
  const url = `http://evil.test/v2/x/blobs/${digest}`;
  return { url, content: sim.publish(url, bytes.length, { bytes }), request: { resource: url, digest } };
}

/** Content with zeros in a sixth of it, and how a server would give it that knows all but the rest. */
function guessed(sim: Simulation) {
  const bytes = sim.random.fork('guessed').bytes(2 * MIB);
  bytes.fill(0, MIB, MIB + Math.floor(MIB / 3));
  const known = bytes.slice();
  known.fill(0, 0, 64 * 1024);
  return { bytes, guesses: [new Uint8Array(bytes.length), known] };
}

/** A registry of somebody else that has the content too, for those with `WRONG`. */
function fork(sim: Simulation, content: SimContent, digest: string) {
  const url = `http://other.test/v2/fork/blobs/${digest}`;
  sim.publish(url, content.bytes.length, { bytes: content.bytes, authorization: WRONG.authorization });
  return { url, request: { resource: url, digest, headers: WRONG } };
}

test.each([
  ['after the content was read', false],
  ['before anybody else asks for the content', true],
])('a server of somebody else opens nothing, whatever it guesses: %s', async (_, isFirst) => {
  const sim = await swarm();
  const { bytes, guesses } = guessed(sim);
  const digest = digestOf({ bytes });
  const url = `http://registry.test/v2/team/app/blobs/${digest}`;
  sim.publish(url, bytes.length, { bytes, authorization: KEY.authorization });
  const own = { resource: url, digest, headers: KEY };
  if (!isFirst) expect(await got(sim, 0, own)).toBe('all');
  for (const guess of guesses) {
    const { url: bad, request } = evil(sim, digest, guess);
    const attempts = [0, 1].flatMap((index) =>
      [{}, WRONG].flatMap((headers) => {
        const asked = { ...request, headers };
        return [
          read(sim, host(sim, index), asked),
          read(sim, host(sim, index), { ...asked, ...claimTo(bad, letIn) }),
        ];
      }),
    );
    const honest = [0, 1].map((index) => host(sim, index).get(own));
    for (const attempt of attempts) {
      await attempt.end();
      // What it is given is what that server gave, and not all of that.
      expect(['ERR_DIGEST_MISMATCH', 'ERR_SOURCE_FORBIDDEN']).toContain(attempt.error?.code);
      expect(attempt.bytes().equals(Buffer.from(guess.subarray(0, attempt.bytes().length)))).toBe(true);
    }
    await sim.run(60_000, () => honest.every(({ state }) => state !== 'running'));
    expect(honest.map(({ state, error }) => error?.code ?? state)).toEqual(['done', 'done']);
  }
});

test('whoever may have other content of the registry may not have this', async () => {
  const sim = await swarm();
  const { digest, request } = blob(sim, KEY.authorization);
  expect(await got(sim, 0, { ...request, headers: KEY })).toBe('all');
  const bytes = sim.random.fork('public').bytes(MIB);
  const open = digestOf({ bytes });
  for (const name of [`blobs/${open}`, 'manifests/latest', `blobs/${open.replace(':', '%3A')}`]) {
    const url = `http://registry.test/v2/open/app/${name}`;
    sim.publish(url, MIB, { bytes });
    for (const index of [0, 1]) {
      const asked = { resource: url, digest };
      expect(await got(sim, index, asked), name).toBe('ERR_DIGEST_MISMATCH');
      const claimed = read(sim, host(sim, index), { ...asked, ...claimTo(url, letIn) });
      await claimed.end();
      expect(claimed.bytes().equals(Buffer.from(bytes.subarray(0, claimed.bytes().length)))).toBe(true);
    }
  }
});

test('a manifest that names content lets nobody in to what is not public', async () => {
  const sim = await swarm(1);
  const { content, digest, url, request } = blob(sim, KEY.authorization);
  expect(await got(sim, 0, { ...request, headers: KEY })).toBe('all');
  const mine = url.replace('/team/app/', '/mine/app/');
  const { admission } = host(sim, 0);
  const manifest = { content: 'http://registry.test/v2/mine/app/manifests/1', credential: undefined };
  await admission?.prove(
    { ...manifest, question: answered({ kind: 'allowed', open: true }) },
    { wasOpen: false },
    AbortSignal.timeout(60_000),
  );
  admission?.vouch(manifest, [mine]);
  const asked: string[] = [];
  sim.registry = ({ path }) => {
    asked.push(path);
    return Promise.resolve({ status: 404, headers: {}, body: new Uint8Array(), as: 'anonymous' });
  };
  const claim = { content: mine, credential: undefined, question: head(mine) };
  expect(await outcome(read(sim, host(sim, 0), { resource: mine, digest, claim }), content)).toBe(
    'ERR_SOURCE_REFUSED',
  );
  // By HEAD, and where that is refused for the first byte.
  expect(new Set(asked)).toEqual(new Set([new URL(mine).pathname]));
});

test('another registry that has the content gives it to its own clients, once for all that come together', async () => {
  const sim = await swarm(4);
  const { content, digest, request } = blob(sim, KEY.authorization);
  expect(await got(sim, 0, { ...request, headers: KEY })).toBe('all');
  const other = fork(sim, content, digest);
  const before = sim.origin.bodyBytes;
  const gets = [0, 1, 2].map((index) => host(sim, index).get(other.request));
  const streamed = read(sim, host(sim, 2), other.request);
  expect(await outcome(streamed, content)).toBe('all');
  await sim.run(60_000, () => gets.every(({ state }) => state !== 'running'));
  expect(gets.map(({ state, error }) => error?.code ?? state)).toEqual(['done', 'done', 'done']);
  expect(await got(sim, 3, other.request)).toBe('all');
  expect((sim.origin.bodyBytes - before) / MIB).toBeLessThan(1.01);
  for (const index of [0, 3]) {
    expect(await got(sim, index, { ...other.request, headers: KEY })).toBe('ERR_SOURCE_REFUSED');
    expect(await got(sim, index, { ...other.request, headers: {} })).toBe('ERR_SOURCE_REFUSED');
    expect(await got(sim, index, { ...request, headers: WRONG })).toBe('ERR_SOURCE_REFUSED');
    expect(await got(sim, index, { ...request, headers: KEY })).toBe('all');
  }
});

test.each(['with a scheduler', 'without one'])(
  'two registries that are asked at once are read each for its own clients: %s',
  async (how) => {
    const sim = await swarm(4);
    const { content, digest, request } = blob(sim, KEY.authorization);
    const other = fork(sim, content, digest);
    sim.cutNats(how === 'without one');
    const gets = [0, 1, 2, 3].map((index) =>
      host(sim, index).get(index % 2 === 0 ? { ...request, headers: KEY } : other.request),
    );
    await sim.run(120_000, () => gets.every(({ state }) => state !== 'running'));
    expect(gets.map(({ state, error }) => error?.code ?? state)).toEqual(['done', 'done', 'done', 'done']);
    for (const { host: at, result } of gets) {
      const stored = await at.store.open(result?.taskId as TaskId);
      const isOther = gets.findIndex(({ host: of }) => of === at) % 2 === 1;
      expect(stored?.record.home).toBe(isOther ? 'http://other.test' : 'http://registry.test');
    }
    if (how === 'with a scheduler') expect(sim.origin.bodyBytes / MIB).toBeLessThan(2.02);
  },
);

test('where content was read is known after a restart of a host, and of a scheduler, with its log and without', async () => {
  const sim = await swarm(3);
  const { content, digest, request } = blob(sim, KEY.authorization);
  expect(await got(sim, 0, { ...request, headers: KEY })).toBe('all');
  await host(sim, 0).restart();
  await sim.scheduler.restart();
  await sim.run(3_000);
  const bad = evil(sim, digest, new Uint8Array(MIB));
  for (const index of [0, 1]) expect(await got(sim, index, bad.request)).toBe('ERR_DIGEST_MISMATCH');
  const before = sim.origin.bodyBytes;
  for (const index of [0, 1]) expect(await got(sim, index, { ...request, headers: KEY })).toBe('all');
  expect(sim.origin.bodyBytes - before).toBe(0);
  const other = fork(sim, content, digest);
  expect(await got(sim, 2, other.request)).toBe('all');
  await host(sim, 2).restart();
  await sim.run(3_000);
  sim.origin.bodyBytes = 0;
  expect(await got(sim, 2, other.request)).toBe('all');
  expect(sim.origin.bodyBytes).toBe(0);
});

test('content that its registry opens is everybody’s, and no other server’s word makes it so', async () => {
  const sim = await swarm(2);
  const { content, digest, url, request } = blob(sim, KEY.authorization);
  expect(await got(sim, 0, { ...request, headers: KEY })).toBe('all');
  evil(sim, digest, new Uint8Array(MIB));
  expect(await got(sim, 0, { resource: digest })).toBe('ERR_SOURCE_REFUSED');
  await sim.run(1_001);
  sim.origin.contents.set(url, { bytes: content.bytes, ...(content.etag && { etag: content.etag }) });
  for (const index of [0, 1]) expect(await got(sim, index, { resource: digest })).toBe('all');
});

test('without the origin public content is given under any name, and what others alone have is not', async () => {
  const sim = await swarm(2);
  const { digest, request } = blob(sim);
  expect(await got(sim, 0, request)).toBe('all');
  const resource = `http://other.test/v2/x/blobs/${digest}`;
  sim.publish(resource, MIB, { authorization: KEY.authorization });
  for (const index of [0, 1]) expect(await got(sim, index, { resource, digest, noOrigin: true })).toBe('all');
});

test('credentials that were given for one server are sent to no other', async () => {
  const sim = await swarm(1);
  const { content, digest, request } = blob(sim, KEY.authorization);
  expect(await got(sim, 0, { ...request, headers: KEY })).toBe('all');
  const other = `http://other.test/v2/fork/blobs/${digest}`;
  sim.publish(other, MIB, { bytes: content.bytes });
  const secret = { authorization: 'Bearer for other.test' };
  await got(sim, 0, { resource: other, digest, headers: secret });
  const leaked = sim.origin.requests.filter(({ url, headers }) => {
    return headers['authorization'] === secret.authorization && !url.startsWith('http://other.test/');
  });
  expect(leaked).toEqual([]);
});

test('what a registry closes is refused once the memory ends, by every door, and the record says so', async () => {
  const sim = await swarm(1);
  const { content, digest, url, request } = blob(sim);
  expect(await got(sim, 0, request)).toBe('all');
  close(sim, url, content, KEY.authorization);
  expect(await got(sim, 0, { resource: digest })).toBe('all');
  await sim.run(30_001);
  expect(await got(sim, 0, { resource: digest })).toBe('ERR_SOURCE_REFUSED');
  expect(await got(sim, 0, request)).toBe('ERR_SOURCE_REFUSED');
  const [row] = [...host(sim, 0).store.rows()];
  expect(row?.audience).toBe('source');
  expect(await got(sim, 0, { ...request, headers: KEY })).toBe('all');
  sim.origin.node.up = false;
  await sim.run(2_000);
  expect(await got(sim, 0, { resource: digest })).toBe('ERR_SOURCE_UNAVAILABLE');
});

test('while the registry is out of reach public content is given, and closed content to whom it let in of late', async () => {
  const sim = await swarm(1);
  const { digest, request } = blob(sim);
  expect(await got(sim, 0, request)).toBe('all');
  const bytes = sim.random.fork('closed').bytes(MIB);
  const closed = {
    resource: `http://registry.test/v2/b/blobs/${digestOf({ bytes })}`,
    digest: digestOf({ bytes }),
  };
  sim.publish(closed.resource, MIB, { bytes, authorization: KEY.authorization });
  expect(await got(sim, 0, { ...closed, headers: KEY })).toBe('all');
  sim.origin.node.up = false;
  await sim.run(300_000);
  expect(await got(sim, 0, { resource: digest })).toBe('all');
  expect(await got(sim, 0, { ...closed, headers: KEY })).toBe('all');
  expect(await got(sim, 0, { ...closed, headers: WRONG })).toBe('ERR_SOURCE_UNAVAILABLE');
  expect(await got(sim, 0, closed)).toBe('ERR_SOURCE_UNAVAILABLE');
  await sim.run(310_000);
  expect(await got(sim, 0, { ...closed, headers: KEY })).toBe('ERR_SOURCE_UNAVAILABLE');
  expect(await got(sim, 0, request)).toBe('all');
});

test('a plain public URL is not asked again for what is cached under its digest', async () => {
  const sim = await swarm(1);
  const content = sim.publish(URL_A, MIB);
  expect(await got(sim, 0, { resource: URL_A, digest: digestOf(content) })).toBe('all');
  const { length } = sim.origin.requests;
  await sim.run(60_000);
  expect(await got(sim, 0, { resource: digestOf(content) })).toBe('all');
  expect(sim.origin.requests).toHaveLength(length);
});

test('without a scheduler closed content is given by no host that does not know better', async () => {
  const sim = await swarm();
  const { digest, request } = blob(sim, KEY.authorization);
  expect(await got(sim, 0, { ...request, headers: KEY })).toBe('all');
  sim.cutNats(true);
  expect(await got(sim, 1, { resource: digest })).toBe('ERR_SOURCE_REFUSED');
});

test('a request’s own claim is asked for beside the download, and nothing is given before it is answered', async () => {
  const sim = await swarm(1);
  const { content, url, request } = blob(sim);
  const asked: string[] = [];
  let admit = (): void => {};
  sim.registry = ({ method, path }) => {
    asked.push(`${method} ${path}`);
    return new Promise((resolve) => {
      admit = () => resolve({ status: 200, headers: {}, body: new Uint8Array(), as: 'client' });
    });
  };
  const reading = read(sim, host(sim, 0), { ...request, ...claimTo(url, head(url)) });
  await sim.run(20_000);
  expect(asked).toEqual([`HEAD ${new URL(url).pathname}`]);
  expect(host(sim, 0).store.usage.bytes).toBe(MIB);
  expect([reading.chunks, reading.starts]).toEqual([[], []]);
  admit();
  expect(await outcome(reading, content)).toBe('all');
});

test.each(['cold', 'cached'])('a claim that is refused ends this request alone: %s', async (how) => {
  const sim = await swarm(1);
  const { content, url, request } = blob(sim);
  if (how === 'cached') await got(sim, 0, request);
  const refused = read(sim, host(sim, 0), {
    ...request,
    ...claimTo(url, turnedAway('not you'), 'Bearer other'),
  });
  const other = read(sim, host(sim, 0), { ...request, ...claimTo(url, letIn) });
  expect(await outcome(refused, content)).toBe('ERR_SOURCE_REFUSED');
  expect(refused.error?.message).toBe('not you');
  expect(await outcome(other, content)).toBe('all');
});

test.each([
  ['public', 'all'],
  ['closed', 'ERR_SOURCE_UNAVAILABLE'],
])(
  'with its source out of reach a claim waits for what the swarm says, here that the content was %s: %s',
  async (how, end) => {
    const sim = await swarm();
    const { content, url, request } = blob(sim, how === 'closed' ? KEY.authorization : undefined);
    expect(await got(sim, 0, { ...request, headers: how === 'closed' ? KEY : {} })).toBe('all');
    sim.origin.node.up = false;
    for (const index of [0, 1]) {
      const reading = read(sim, host(sim, index), { ...request, ...claimTo(url, head(url)) });
      expect(await outcome(reading, content)).toBe(end);
    }
  },
);

test('a claim of its own needs a URL', async () => {
  const sim = await swarm(1);
  const { content, digest, url } = blob(sim);
  const reading = read(sim, host(sim, 0), { resource: digest, ...claimTo(url, letIn) });
  expect(await outcome(reading, content)).toBe('ERR_CONFIG_INVALID');
});

test('the media type that a source gave is kept with the content', async () => {
  const sim = await swarm(1);
  const { content, url, request } = blob(sim);
  sim.origin.contents.set(url, { ...content, mediaType: 'application/vnd.oci.image.manifest.v1+json' });
  for (const from of ['swarm', 'cache']) {
    const reading = await read(sim, host(sim, 0), request).end();
    expect(reading.starts).toMatchObject([{ from, mediaType: 'application/vnd.oci.image.manifest.v1+json' }]);
  }
});

test.each([
  { hosts: 1, nats: true },
  { hosts: 3, nats: true },
  { hosts: 1, nats: false },
])(
  'clients with wrong credentials take nothing from those with right ones that came with them: %o',
  async ({ hosts, nats }) => {
    const sim = await swarm(hosts);
    sim.cutNats(!nats);
    const { content, url, request } = blob(sim, KEY.authorization);
    const wrong = claimTo(url, turnedAway('not with these'), WRONG.authorization);
    const away = read(sim, host(sim, 0), { ...request, headers: WRONG, ...wrong });
    const gets = [WRONG, {}, KEY, { authorization: 'Bearer other' }].map((headers) =>
      host(sim, 0).get({ ...request, headers }),
    );
    const right = claimTo(url, letIn, KEY.authorization);
    const admitted = read(sim, host(sim, 0), { ...request, headers: KEY, ...right });
    await sim.run(60_000, () => gets.every(({ state }) => state !== 'running'));
    const refused = 'ERR_SOURCE_REFUSED';
    expect(gets.map(({ error, state }) => error?.code ?? state)).toEqual([refused, refused, 'done', refused]);
    expect(await outcome(away, content)).toBe(refused);
    expect(await outcome(admitted, content)).toBe('all');
    expect(sim.origin.bodyBytes / content.bytes.length).toBeLessThan(1.01);
  },
);

import { expect, test } from 'vitest';
import type { Claim, ClaimVerdict, Question } from '../../../core/claim.ts';
import type { DownloadRequest } from '../../../core/download.ts';
import { ShoalError } from '../../../core/errors.ts';
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

test('a server of somebody else that lets everyone in does not open content that it does not have', async () => {
  const sim = await swarm();
  const { digest, request } = blob(sim, KEY.authorization);
  expect(await got(sim, 0, { ...request, headers: KEY })).toBe('all');
  for (const url of [`http://evil.test/v2/x/blobs/${digest}`, 'http://evil.test/file']) {
    sim.publish(url, MIB);
    for (const index of [0, 1]) {
      for (const headers of [{}, WRONG]) {
        const evil = { resource: url, digest, headers };
        expect(await got(sim, index, evil)).toBe('ERR_SOURCE_REFUSED');
        const admitted = read(sim, host(sim, index), { ...evil, ...claimTo(url, letIn) });
        await admitted.end();
        expect(admitted.error?.code).toBe('ERR_SOURCE_REFUSED');
        expect(admitted.chunks).toEqual([]);
      }
    }
  }
});

test('the same content under another name is given to whom that name lets in, and not read again', async () => {
  const sim = await swarm(1);
  const { content, digest, request } = blob(sim, KEY.authorization);
  expect(await got(sim, 0, { ...request, headers: KEY })).toBe('all');
  const other = `http://other.test/v2/fork/blobs/${digest}`;
  sim.publish(other, MIB, { bytes: content.bytes, authorization: WRONG.authorization });
  const before = sim.origin.bodyBytes;
  expect(await got(sim, 0, { resource: other, digest, headers: WRONG })).toBe('all');
  expect(await got(sim, 0, { resource: other, digest, headers: KEY })).toBe('ERR_SOURCE_REFUSED');
  expect(sim.origin.bodyBytes - before).toBeLessThan(2_000);
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

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AdmissionWorld, ClientAdmission } from '../../../actors/client/admission.ts';
import type { Claim, Claimant } from '../../../core/claim.ts';
import { ShoalError } from '../../../core/errors.ts';
import { type Digest, taskIdOfDigest } from '../../../core/ids.ts';
import { silentLogger } from '../../../core/logger.ts';
import { onAbort } from '../../../core/on-abort.ts';
import type { Origin, ProbeAnswer } from '../../../origins/origin.ts';
import { SimClock } from '../../../sim/clock.ts';
import { SimRandom } from '../../../sim/random.ts';
import { createMemoryStore } from '../../../storage/memory-store.ts';
import { never } from '../../origins/support.ts';

const DIGEST = `sha256:${'aa'.repeat(32)}` as Digest;
const TASK = taskIdOfDigest(DIGEST);
const URL_B = `https://registry.test/v2/a/blobs/${DIGEST}`;

/** What a source says. */
type Word = (signal: AbortSignal) => Promise<ProbeAnswer>;

const letsIn =
  (audience: 'public' | 'source'): Word =>
  async () => ({
    kind: 'content',
    probed: { length: 1, etag: undefined, lastModified: undefined, ranges: true, audience },
    body: { start: 0, end: 1, pump: async () => 1, discard() {} },
  });
const says =
  (code: 'ERR_SOURCE_REFUSED' | 'ERR_SOURCE_UNAVAILABLE'): Word =>
  async () => {
    throw new ShoalError(code, 'no');
  };
const open = letsIn('public');
const allowed = letsIn('source');
const refused = says('ERR_SOURCE_REFUSED');
const down = says('ERR_SOURCE_UNAVAILABLE');

function claimOf({ content = URL_B, credential }: Partial<Claimant>, who = ''): Claim {
  const question = { kind: 'first-byte', url: content, headers: { who }, limitMs: 1e12 } as const;
  return { content, credential, question };
}

type Claiming = Partial<Claimant> & { wasOpen?: boolean; isOwn?: true };

function scene(more: { memoryMs?: number; graceMs?: number } = {}) {
  const clock = new SimClock();
  const asked: string[] = [];
  let word: Word = open;
  const origin: Origin = {
    probe: ({ headers }, signal) => {
      asked.push(headers['who'] ?? '');
      return word(signal);
    },
    read: () => Promise.reject(new Error('not read')),
    allows: () => true,
    close: async () => {},
  };
  const store = createMemoryStore({ clock });
  const record = { taskId: TASK, length: 1, pieceLength: 131_072, audience: 'public' as const, sources: [] };
  const stored = store.create(record);
  const registry = { ask: () => Promise.reject(new Error('not asked')) };
  const random = new SimRandom(1);
  const world: AdmissionWorld = { clock, random, origin, registry, store, log: silentLogger };
  const admission = new ClientAdmission(world, { memoryMs: 30_000, graceMs: 600_000, ...more });
  /** What a source says from now on. */
  const source = (next: Word) => {
    word = next;
  };
  /** What comes of a claim when the source would say this. */
  const claim = (next: Word, { wasOpen = false, isOwn, ...who }: Claiming = {}) => {
    word = next;
    const known = isOwn === true ? { wasOpen, isOwn } : { wasOpen };
    return admission.prove(claimOf(who), known, never).then(
      () => 'in',
      (error: ShoalError) => error.code,
    );
  };
  /** Contents whose records say by now that they are not public. */
  const closed = async () => {
    await stored;
    return store.row(TASK)?.audience === 'source' ? [URL_B] : [];
  };
  const pass = (ms: number) => clock.run(clock.now() + ms);
  return { admission, clock, closed, source, claim, pass, asked: () => asked.length, askers: asked };
}

const key = { credential: 'Bearer a' };

test('who was let in is let in again without a question, until the memory ends', async () => {
  const { claim, pass, asked } = scene();
  expect(await claim(allowed, key)).toBe('in');
  await pass(29_000);
  expect(await claim(refused, key)).toBe('in');
  expect(asked()).toBe(1);
  await pass(1_001);
  expect(await claim(refused, key)).toBe('ERR_SOURCE_REFUSED');
  expect(asked()).toBe(2);
});

test('without a memory every claim is a question', async () => {
  const { claim, asked } = scene({ memoryMs: 0 });
  await claim(allowed, key);
  await claim(allowed, key);
  expect(asked()).toBe(2);
});

test('a refusal is asked for again after a second, so that who has just been let in need not wait', async () => {
  const { claim, pass, asked } = scene();
  expect(await claim(refused, key)).toBe('ERR_SOURCE_REFUSED');
  expect(await claim(allowed, key)).toBe('ERR_SOURCE_REFUSED');
  expect(asked()).toBe(1);
  await pass(1_001);
  expect(await claim(allowed, key)).toBe('in');
});

test.each([
  ['another credential', { credential: 'Bearer b' }],
  ['no credential', { credential: undefined }],
  ['an empty credential', { credential: '' }],
  ['other content', { ...key, content: `${URL_B}b` }],
  ['content and credential cut elsewhere', { content: `${URL_B}\nBearer a`, credential: undefined }],
])('%s is another claim', async (_, who) => {
  const { claim } = scene();
  expect(await claim(allowed, key)).toBe('in');
  expect(await claim(refused, who)).toBe('ERR_SOURCE_REFUSED');
});

test('those who claim the same at once share one question', async () => {
  const { admission, source, asked } = scene();
  let answer = (): void => {};
  source(async (signal) => {
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    return allowed(signal);
  });
  const claims = [1, 2, 3].map(() => admission.prove(claimOf(key), { wasOpen: false }, never));
  answer();
  await Promise.all(claims);
  expect(asked()).toBe(1);
});

test('a question that was called off is no answer: the next one who waits asks', async () => {
  const { admission, source, askers } = scene();
  const client = new AbortController();
  source((signal) => new Promise((_, reject) => onAbort(signal, () => reject(signal.reason as Error))));
  const first = admission.prove(claimOf(key, 'first'), { wasOpen: false }, client.signal);
  const others = ['second', 'third'].map((who) =>
    admission.prove(claimOf(key, who), { wasOpen: false }, never),
  );
  source(allowed);
  client.abort(new ShoalError('ERR_CANCELLED', 'gone'));
  await expect(first).rejects.toMatchObject({ code: 'ERR_CANCELLED' });
  await Promise.all(others);
  expect(askers).toEqual(['first', 'second']);
});

test('out of reach is not refused: a credential proven within the grace is let in, and no other', async () => {
  const { claim, pass } = scene();
  expect(await claim(allowed, key)).toBe('in');
  await pass(600_000);
  expect(await claim(down, key)).toBe('in');
  expect(await claim(down, { credential: 'Bearer b' })).toBe('ERR_SOURCE_UNAVAILABLE');
  expect(await claim(down)).toBe('ERR_SOURCE_UNAVAILABLE');
  await pass(1_001);
  expect(await claim(down, key)).toBe('ERR_SOURCE_UNAVAILABLE');
});

test('being let in while the source is out of reach does not make the grace longer', async () => {
  const { claim, pass } = scene();
  await claim(allowed, key);
  for (let minute = 1; minute <= 9; minute += 1) {
    await pass(60_000);
    expect(await claim(down, key)).toBe('in');
  }
  await pass(61_000);
  expect(await claim(down, key)).toBe('ERR_SOURCE_UNAVAILABLE');
});

test('no grace: with the source out of reach the memory is all there is', async () => {
  const { claim, pass } = scene({ graceMs: 0 });
  await claim(allowed, key);
  await pass(20_000);
  expect(await claim(down, key)).toBe('in');
  await pass(11_000);
  expect(await claim(down, key)).toBe('ERR_SOURCE_UNAVAILABLE');
});

test('a refusal ends the grace at once, also where the source is out of reach right after', async () => {
  const { claim, pass } = scene();
  await claim(allowed, key);
  await pass(30_001);
  expect(await claim(refused, key)).toBe('ERR_SOURCE_REFUSED');
  await pass(1_001);
  expect(await claim(down, key)).toBe('ERR_SOURCE_UNAVAILABLE');
});

test('what was open is given to everybody while the source is out of reach, however long ago that was', async () => {
  const { claim, pass } = scene();
  expect(await claim(open)).toBe('in');
  await pass(86_400_000);
  expect(await claim(down)).toBe('in');
  expect(await claim(down, key)).toBe('in');
  expect(await claim(down, { content: `${URL_B}b` })).toBe('ERR_SOURCE_UNAVAILABLE');
  expect(await claim(down, { content: `${URL_B}c`, wasOpen: true })).toBe('in');
});

test('once it refuses those without credentials it is open to nobody, whatever the record says', async () => {
  const { claim, pass, closed } = scene();
  await claim(open);
  await pass(30_001);
  expect(await claim(refused, { wasOpen: true })).toBe('ERR_SOURCE_REFUSED');
  await expect.poll(closed).toEqual([URL_B]);
  await pass(1_001);
  expect(await claim(down, { wasOpen: true })).toBe('ERR_SOURCE_UNAVAILABLE');
  expect(await claim(down, { ...key, wasOpen: true })).toBe('ERR_SOURCE_UNAVAILABLE');
  await pass(1_001);
  expect(await claim(open)).toBe('in');
  await pass(30_001);
  expect(await claim(down)).toBe('in');
});

test('wrong credentials close nothing for others, but what they were refused they do not get in an outage', async () => {
  const { claim, pass, closed } = scene();
  await claim(open);
  expect(await claim(refused, { credential: 'wrong', wasOpen: true })).toBe('ERR_SOURCE_REFUSED');
  expect(await closed()).toEqual([]);
  await pass(1_001);
  expect(await claim(down, { credential: 'wrong', wasOpen: true })).toBe('ERR_SOURCE_UNAVAILABLE');
  await pass(30_000);
  expect(await claim(down, { wasOpen: true })).toBe('in');
});

test('whether it was open is looked up when the source turns out to be out of reach', async () => {
  const { admission, source } = scene();
  let wasOpen = false;
  source((signal) => {
    wasOpen = true;
    return down(signal);
  });
  const known = {
    get wasOpen() {
      return wasOpen;
    },
  };
  await expect(admission.prove(claimOf({}), known, never)).resolves.toBe('own');
});

test('no history of answers lets a claim in that its rules do not', async () => {
  const step = fc.record({
    credential: fc.constantFrom(undefined, 'a', 'b'),
    kind: fc.constantFrom('open', 'allowed', 'refused', 'down'),
    passMs: fc.constantFrom(0, 500, 5_000, 31_000, 300_000, 601_000),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const { claim, pass, clock } = scene();
      const proven = new Map<string | undefined, number>();
      let isOpen = false;
      for (const { credential, kind, passMs } of steps) {
        await pass(passMs);
        const now = clock.now();
        const verdict = { open, allowed, refused, down }[kind];
        const answer = await claim(verdict, { credential });
        const isRemembered = now - (proven.get(credential) ?? Number.NEGATIVE_INFINITY) < 30_000;
        if (answer === 'in') {
          const inGrace = now - (proven.get(credential) ?? Number.NEGATIVE_INFINITY) <= 600_000;
          const may = kind === 'open' || kind === 'allowed' || isRemembered || inGrace || isOpen;
          expect(may).toBe(true);
        }
        if (isRemembered) continue;
        if (answer === 'in' && (kind === 'open' || kind === 'allowed')) {
          proven.set(credential, now);
          if (kind === 'open') isOpen = true;
        }
        if (answer === 'ERR_SOURCE_REFUSED' && kind === 'refused') {
          proven.delete(credential);
          if (credential === undefined) isOpen = false;
        }
      }
    }),
    { numRuns: 150 },
  );
});

describe('what a content that was given to everybody names', () => {
  const NAMED = `${URL_B}-named`;
  const named = { ...key, content: NAMED };

  test('needs no question of its own, and no longer than that answer is remembered', async () => {
    const { admission, claim, pass, asked } = scene();
    await claim(open, key);
    await pass(20_000);
    admission.vouch({ content: URL_B, ...key }, [NAMED]);
    expect(await claim(refused, named)).toBe('in');
    expect(asked()).toBe(1);
    await pass(10_001);
    expect(await claim(refused, named)).toBe('ERR_SOURCE_REFUSED');
  });

  test('needs one where it is known not to be public, and so where somebody alone was let in to what names it', async () => {
    const { admission, claim, asked } = scene();
    await claim(open);
    admission.vouch({ content: URL_B, credential: undefined }, [NAMED]);
    expect(await claim(refused, { content: NAMED, isOwn: true })).toBe('ERR_SOURCE_REFUSED');
    expect(await claim(open, { content: NAMED })).toBe('ERR_SOURCE_REFUSED');
    expect(asked()).toBe(2);
    await claim(allowed, key);
    admission.vouch({ content: URL_B, ...key }, [NAMED]);
    expect(await claim(refused, named)).toBe('ERR_SOURCE_REFUSED');
  });

  test('is told apart from what was asked for itself', async () => {
    const { admission, source } = scene();
    source(open);
    expect(await admission.prove(claimOf({}), { wasOpen: false }, never)).toBe('own');
    admission.vouch({ content: URL_B, credential: undefined }, [NAMED]);
    const claims = () => admission.prove(claimOf({ content: NAMED }), { wasOpen: false }, never);
    expect(await claims()).toBe('named');
    await admission.prove(claimOf({ content: NAMED }), { wasOpen: false, isOwn: true }, never);
    expect(await claims()).toBe('own');
  });

  test('is not open to another credential, and not where nobody was let in', async () => {
    const { admission, claim, pass } = scene();
    admission.vouch({ content: URL_B, ...key }, [NAMED]);
    expect(await claim(refused, named)).toBe('ERR_SOURCE_REFUSED');
    await pass(1_001);
    await claim(refused, key);
    admission.vouch({ content: URL_B, ...key }, [NAMED]);
    expect(await claim(refused, named)).toBe('ERR_SOURCE_REFUSED');
    await pass(1_001);
    await claim(open, key);
    admission.vouch({ content: URL_B, ...key }, [NAMED]);
    expect(await claim(refused, { ...named, credential: 'Bearer b' })).toBe('ERR_SOURCE_REFUSED');
    expect(await claim(refused, { ...named, credential: undefined })).toBe('ERR_SOURCE_REFUSED');
  });

  test('has no grace: that is for what was proven itself', async () => {
    const { admission, claim, pass } = scene();
    await claim(open, key);
    admission.vouch({ content: URL_B, ...key }, [NAMED]);
    expect(await claim(down, named)).toBe('in');
    await pass(30_001);
    expect(await claim(down, key)).toBe('in');
    expect(await claim(down, named)).toBe('ERR_SOURCE_UNAVAILABLE');
    admission.vouch({ content: URL_B, ...key }, [NAMED]);
    expect(await claim(down, named)).toBe('ERR_SOURCE_UNAVAILABLE');
  });

  test('stays refused where it was refused itself a moment ago', async () => {
    const { admission, claim } = scene();
    await claim(refused, named);
    await claim(open, key);
    admission.vouch({ content: URL_B, ...key }, [NAMED]);
    expect(await claim(open, named)).toBe('ERR_SOURCE_REFUSED');
  });

  test('needs a question where nothing is remembered', async () => {
    const { admission, claim, asked } = scene({ memoryMs: 0 });
    await claim(open, key);
    admission.vouch({ content: URL_B, ...key }, [NAMED]);
    await claim(open, named);
    expect(asked()).toBe(2);
  });
});

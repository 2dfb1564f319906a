import { expect, test } from 'vitest';
import { PeerContent } from '../../../../actors/host/peer/content.ts';
import { type OriginAccess, PeerOrigin } from '../../../../actors/host/peer/origin.ts';
import type { HostWorld } from '../../../../actors/host/world.ts';
import { ShoalError } from '../../../../core/errors.ts';
import { type Digest, type TaskId, taskIdOfDigest } from '../../../../core/ids.ts';
import type { Source } from '../../../../core/source.ts';
import { placeFor } from '../../../../origins/place.ts';
import { SimClock } from '../../../../sim/clock.ts';
import { createMemoryStore } from '../../../../storage/memory-store.ts';

const REFUSED = new ShoalError('ERR_SOURCE_REFUSED', 'the origin answered 401');
const GONE = new ShoalError('ERR_SOURCE_UNAVAILABLE', 'no answer');
const A = 'http://a.test/x';
const B = 'http://b.test/x';

function as(url: string, authorization?: string, mayReadOrigin = true): OriginAccess & { sources: [Source] } {
  const headers = authorization === undefined ? {} : { authorization };
  return { sources: [{ url, credentials: authorization !== undefined }], headers, mayReadOrigin };
}

const URL_TASK = `url-${'ab'.repeat(32)}` as TaskId;
const DIGEST = `sha256:${'ab'.repeat(32)}` as Digest;
const DIGEST_TASK = taskIdOfDigest(DIGEST);

function contentOf(taskId: TaskId): PeerContent {
  return new PeerContent(createMemoryStore({ clock: new SimClock() }), taskId, [], 'life');
}

/** The origin as a host reads it; `at.ms` is the time there. */
function origin(access: OriginAccess, at = { ms: 0 }, content = contentOf(URL_TASK)): PeerOrigin {
  const world = { clock: { now: () => at.ms }, origin: { allows: () => true } } as unknown as HostWorld;
  return new PeerOrigin(access, world, content);
}

test('where one client is refused the origin is read as the next one, each once, and as who comes when none is left', () => {
  const way = origin(as(A, 'wrong'));
  for (const key of ['wrong', 'other', 'other', 'right']) expect(way.gain(as(A, key))).toBe(false);
  expect(way.gain(as(A, 'none', false))).toBe(false);
  expect(way.failed('origin-status', REFUSED, 0)).toBe(true);
  expect(way.request()?.headers).toEqual({ authorization: 'other' });
  expect(way.failed('origin-status', REFUSED, 0)).toBe(true);
  expect(way.request()?.headers).toEqual({ authorization: 'right' });
  expect(way.failed('origin-status', REFUSED, 0)).toBe(false);
  expect(way.request()).toBeUndefined();
  expect(way.gain(as(B))).toBe(true);
  expect(way.request()).toEqual({ url: B, headers: {} });
});

test('out of reach for one is out of reach for all that name the same URL, another URL is tried', () => {
  const way = origin(as(A, 'one'));
  way.gain(as(A, 'two'));
  way.gain(as(B, 'three'));
  expect(way.failed('origin-unavailable', GONE, 0)).toBe(true);
  expect(way.request()).toEqual({ url: B, headers: { authorization: 'three' } });
  expect(way.failed('origin-changed', GONE, 0)).toBe(false);
  expect(way.request()).toBeUndefined();
});

test('a thousand clients at once are not all kept', () => {
  const way = origin(as(A, 'first'));
  for (let client = 0; client < 1_000; client += 1) way.gain(as(A, `client ${client}`));
  let goesOn = 0;
  while (way.failed('origin-status', REFUSED, 0)) goesOn += 1;
  expect(goesOn).toBe(16);
});

test('what fails of the reads of the client before says nothing of the next one', () => {
  const at = { ms: 0 };
  const way = origin(as(A, 'wrong'), at);
  way.gain(as(A, 'right'));
  at.ms = 100;
  expect(way.failed('origin-status', REFUSED, 10)).toBe(true);
  at.ms = 110;
  for (let late = 0; late < 3; late += 1) expect(way.failed('origin-status', REFUSED, 20 + late)).toBe(true);
  expect(way.request()?.headers).toEqual({ authorization: 'right' });
  expect(way.failed('origin-changed', GONE, 20)).toBe(false);
  expect(way.request()).toBeUndefined();
});

test('content of a digest is read at one place: at the first that is asked, or where others read it', async () => {
  const content = contentOf(DIGEST_TASK);
  const way = origin(as(A, 'key'), undefined, content);
  expect(way.home).toBe(placeFor(as(A, 'key').sources[0], DIGEST));
  expect(way.request()?.url).toBe(A);
  const elsewhere = placeFor(as(B, 'key').sources[0], DIGEST);
  await content.learnHome(elsewhere);
  expect([way.home, way.request(), way.gain(as(A, 'more'))]).toEqual([elsewhere, undefined, false]);
  expect(way.failed('origin-status', REFUSED, 0)).toBe(false);
  expect(way.gain(as(B))).toBe(false);
  expect(way.gain(as(B, 'more'))).toBe(true);
  expect(way.request()?.url).toBe(B);
});

test('who names no source reads what others tell of, where the content is read', async () => {
  const content = contentOf(DIGEST_TASK);
  const way = origin({ sources: [], headers: {}, mayReadOrigin: true }, undefined, content);
  expect(way.home).toBeUndefined();
  const url = `https://registry.test/v2/x/blobs/${DIGEST}`;
  await content.learnHome('https://registry.test');
  for (const source of [
    { url: A, credentials: false },
    { url, credentials: true },
  ])
    content.addSource(source);
  expect(way.request()).toBeUndefined();
  content.addSource({ url: url.replace('/x/', '/y/'), credentials: false });
  expect(way.request()?.url).toContain('/y/');
});

test('a digest whose length is known, and not where it is read, is read where this host would', async () => {
  const content = contentOf(DIGEST_TASK);
  await content.learn(16, 8);
  const way = origin(as(A), undefined, content);
  expect(way.home).toBe(placeFor({ url: A, credentials: false }, DIGEST));
  expect(way.request()?.url).toBe(A);
});

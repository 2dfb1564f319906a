import { expect, test } from 'vitest';
import type { PeerContent } from '../../../../actors/host/peer/content.ts';
import { type OriginAccess, PeerOrigin } from '../../../../actors/host/peer/origin.ts';
import type { HostWorld } from '../../../../actors/host/world.ts';
import { ShoalError } from '../../../../core/errors.ts';

const REFUSED = new ShoalError('ERR_SOURCE_REFUSED', 'the origin answered 401');
const GONE = new ShoalError('ERR_SOURCE_UNAVAILABLE', 'no answer');
const A = 'http://a.test/x';
const B = 'http://b.test/x';

function as(url: string, authorization?: string, mayReadOrigin = true): OriginAccess {
  const headers = authorization === undefined ? {} : { authorization };
  return { sources: [{ url, credentials: authorization !== undefined }], headers, mayReadOrigin };
}

/** The origin as a host reads it; `at.ms` is the time there. */
function origin(access: OriginAccess, at = { ms: 0 }): PeerOrigin {
  const world = { clock: { now: () => at.ms } } as HostWorld;
  return new PeerOrigin(access, world, { sources: [] } as unknown as PeerContent);
}

test('where one client is refused the origin is read as the next one, each once, and as who comes when none is left', () => {
  const way = origin(as(A, 'wrong'));
  for (const key of ['wrong', 'other', 'other', 'right']) expect(way.gain(as(A, key))).toBe(false);
  expect(way.gain(as(A, 'none', false))).toBe(false);
  expect(way.failed('origin-status', REFUSED, 0)).toBe(true);
  expect(way.request()?.headers).toEqual({ authorization: 'other' });
  expect(way.failed('origin-status', REFUSED, 0)).toBe(true);
  expect(way.request()?.headers).toEqual({ authorization: 'right' });
  expect(way.onlySource).toBe(A);
  expect(way.failed('origin-status', REFUSED, 0)).toBe(false);
  expect(way.request()).toBeUndefined();
  expect(way.gain(as(B))).toBe(true);
  expect(way.request()).toEqual({ url: B, headers: {} });
  expect(way.onlySource).toBeUndefined();
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

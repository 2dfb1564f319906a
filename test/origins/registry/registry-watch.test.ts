import { expect, test } from 'vitest';
import { type ErrorCode, ShoalError } from '../../../core/errors.ts';
import { registryNamer } from '../../../core/registry-names.ts';
import type { RegistryClient } from '../../../origins/registry/registry.ts';
import { registryTroubleOf } from '../../../origins/registry/registry-trouble.ts';
import { RegistryWatch } from '../../../origins/registry/registry-watch.ts';
import { SimClock } from '../../../sim/clock.ts';

const BASE = 'https://lab.example:5000';
const HOUR_MS = 3_600_000;
const never = new AbortController().signal;

/** A watched registry that fails with this code while there is one. */
function scene() {
  const clock = new SimClock();
  const told: string[] = [];
  let code: ErrorCode | undefined;
  const watch = new RegistryWatch({
    clock,
    nameOf: registryNamer({}),
    onFailed: ({ registry, fault, times }) => told.push(`${registry} ${fault} ${times}`),
    onRecovered: ({ registry }) => told.push(`${registry} is back`),
  });
  const client: RegistryClient = {
    async ask() {
      if (code !== undefined) throw new ShoalError(code, 'no');
      return { status: 200, headers: {}, body: new Uint8Array(), as: 'anonymous' };
    },
  };
  const watched = watch.watched(client);
  const ask = (base: string, signal = never) =>
    watched.ask({ base, path: '/v2/', method: 'GET' }, signal).catch(() => undefined);
  return { clock, told, watch, ask, fail: (next: ErrorCode | undefined) => (code = next) };
}

test('a registry that fails is told of once, again each hour, and when it is back', async () => {
  const { clock, told, watch, ask, fail } = scene();
  fail('ERR_SOURCE_UNAVAILABLE');
  for (let minute = 0; minute < 61; minute++) {
    await ask(BASE);
    await clock.run(clock.now() + 60_000);
  }
  expect(told).toEqual(['lab.example:5000 unreachable 1', 'lab.example:5000 unreachable 61']);
  expect(watch.troubled).toMatchObject([{ registry: 'lab.example:5000', times: 61 }]);
  fail(undefined);
  await ask(BASE);
  expect(told.at(-1)).toBe('lab.example:5000 is back');
  expect(watch.troubled).toEqual([]);
});

test('another fault is news; one that nobody met for an hour is forgotten', async () => {
  const { clock, told, watch, ask, fail } = scene();
  fail('ERR_SOURCE_UNAVAILABLE');
  await ask(BASE);
  fail('ERR_SOURCE_ADDRESS_REFUSED');
  await ask(BASE);
  expect(told).toEqual(['lab.example:5000 unreachable 1', 'lab.example:5000 refused 2']);
  await clock.run(clock.now() + HOUR_MS);
  expect(watch.troubled).toEqual([]);
});

test('what says nothing of the registry, or ends with a client that left, is not told of', async () => {
  const { told, ask, fail } = scene();
  fail('ERR_SOURCE_NOT_FOUND');
  await ask(BASE);
  fail('ERR_SOURCE_UNAVAILABLE');
  await ask(BASE, AbortSignal.abort());
  expect(told).toEqual([]);
});

test('names that clients make up fill no memory, and no log', async () => {
  const { told, watch, ask, fail } = scene();
  fail('ERR_SOURCE_UNAVAILABLE');
  for (let index = 0; index < 400; index++) await ask(`https://r${index}.example`);
  expect(watch.troubled).toHaveLength(256);
  expect(told).toHaveLength(256);
});

test('an answer that is no TLS is one of a registry that speaks http', () => {
  const spoken = (reason: string) =>
    registryTroubleOf(new ShoalError('ERR_SOURCE_TLS', 'no', { details: { reason } }), 'lab:5000', BASE);
  expect(spoken('ERR_SSL_WRONG_VERSION_NUMBER')).toMatchObject({
    fault: 'plain-http',
    fix: 'start the daemon with --registry lab:5000=http://lab.example:5000',
  });
  expect(spoken('SELF_SIGNED_CERT_IN_CHAIN')).toMatchObject({ fault: 'untrusted' });
});

import { expect, test } from 'vitest';
import type { Logger } from '../../core/logger.ts';
import { sparingLogger } from '../../core/sparing-logger.ts';
import { SimClock } from '../../sim/clock.ts';

function scene() {
  const clock = new SimClock();
  const lines: { fields: Readonly<Record<string, unknown>>; message: string }[] = [];
  const take = (fields: Readonly<Record<string, unknown>>, message: string) =>
    void lines.push({ fields, message });
  const all: Logger = { debug: take, info: take, warn: take, error: take };
  return { log: sparingLogger(all, clock), lines, pass: (ms: number) => clock.run(clock.now() + ms) };
}

test('the same of one host is a few lines, then one a minute with a count', async () => {
  const { log, lines, pass } = scene();
  for (let index = 0; index < 500; index += 1) log.warn({ hostId: 'a', piece: index }, 'a reader lies');
  expect(lines.map(({ fields }) => fields['piece'])).toEqual([0, 1, 2]);
  await pass(60_000);
  expect(lines.at(-1)).toEqual({
    fields: { hostId: 'a', more: 497, seconds: 60 },
    message: 'a reader lies',
  });
  log.warn({ hostId: 'a' }, 'a reader lies');
  await pass(60_000);
  expect(lines).toHaveLength(5);
});

test('other hosts, and other words of the same host, are lines of their own', () => {
  const { log, lines } = scene();
  for (let index = 0; index < 10; index += 1) {
    for (const hostId of ['a', 'b']) log.info({ hostId }, 'host announced');
    log.error({ hostId: 'a' }, 'crashed');
    log.debug({ hostId: 'a' }, 'small talk');
  }
  const of = (message: string) => lines.filter((line) => line.message === message).length;
  expect([of('host announced'), of('crashed'), of('small talk')]).toEqual([6, 3, 10]);
});

test('of hosts without end it says so much and no more', async () => {
  const { log, lines, pass } = scene();
  for (let index = 0; index < 20_000; index += 1) log.info({ hostId: String(index) }, 'host announced');
  expect(lines).toHaveLength(1024 + 3);
  await pass(60_000);
  expect(lines.at(-1)?.fields).toEqual({ more: 20_000 - 1024 - 3, seconds: 60 });
});

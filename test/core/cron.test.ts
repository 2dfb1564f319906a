import { expect, test } from 'vitest';
import { nextFiring } from '../../core/cron.ts';

const at = (text: string) => Date.parse(text);

test.each([
  ['* * * * *', undefined, '2026-01-01T00:00:30Z', '2026-01-01T00:01:00Z'],
  ['0 3 * * *', undefined, '2026-01-01T03:00:00Z', '2026-01-02T03:00:00Z'],
  ['0 3 * * *', 'Europe/Berlin', '2026-01-01T03:00:00Z', '2026-01-02T02:00:00Z'],
  // In the hour that summer time takes away: right after it.
  ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-29T01:00:00Z'],
  ['0 12 * * 1', undefined, '2026-01-01T00:00:00Z', '2026-01-05T12:00:00Z'],
])('%s in %s after %s is at %s', (cron, timeZone, after, next) => {
  const schedule = { cron, ...(timeZone !== undefined && { timeZone }) };
  expect(new Date(nextFiring(schedule, at(after)) ?? 0).toISOString()).toBe(new Date(next).toISOString());
});

test.each(['', 'soon', '* * * *', '* * * * * *', '60 * * * *'])('%j is no schedule', (cron) => {
  expect(() => nextFiring({ cron }, 0)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }));
});

test('a time zone that is none is refused, and a day that never comes never does', () => {
  expect(() => nextFiring({ cron: '* * * * *', timeZone: 'Nowhere/None' }, 0)).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }),
  );
  expect(nextFiring({ cron: '0 0 30 2 *' }, 0)).toBeUndefined();
});

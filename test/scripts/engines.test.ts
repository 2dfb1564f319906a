import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';

/** The oldest Node that Shoal runs on. */
const OLDEST = 20;

const locked = z
  .object({
    packages: z.record(
      z.string(),
      z.object({ engines: z.object({ node: z.string().optional() }).optional() }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')));

/** Whether one way of a range, such as `>=18.12`, `^20.19.0` or `20 || >=22`, begins at a Node that old. */
function runsOn(range: string): boolean {
  return range.split('||').some((way) => {
    const [, major] = /(\d+)/.exec(way) ?? [];
    return major === undefined || Number(major) === OLDEST || (/>=/.test(way) && Number(major) <= OLDEST);
  });
}

test('every package runs on the oldest Node, so that npm warns of none', () => {
  const entries = Object.entries(locked.packages);
  expect(entries.length).toBeGreaterThan(100);
  const newer = entries.filter(([, { engines }]) => engines?.node !== undefined && !runsOn(engines.node));
  expect(newer.map(([path, { engines }]) => `${path}: ${engines?.node}`)).toEqual([]);
});

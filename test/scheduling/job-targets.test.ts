import { expect, test } from 'vitest';
import { ShoalError } from '../../core/errors.ts';
import type { HostId } from '../../core/ids.ts';
import type { JobPin, JobTargets } from '../../core/jobs.ts';
import { chooseHosts, choosePinHosts, type TargetHost } from '../../scheduling/job-targets.ts';
import { seededRandom } from '../transport/real-clock.ts';

const host = (digit: string, rest: Partial<TargetHost> = {}): TargetHost => ({
  hostId: digit.repeat(32) as HostId,
  ip: `10.0.0.${digit}`,
  name: `node-${digit}`,
  role: 'normal',
  ...rest,
});

const SWARM = [
  host('1', { zone: 'a', labels: { disk: 'ssd', gpu: '' } }),
  host('2', { zone: 'a', role: 'seed' }),
  host('3', { zone: 'b', labels: { disk: 'ssd' } }),
  host('4', { zone: 'b', role: 'seed', labels: { disk: 'hdd' } }),
];

function chosen(choice: JobTargets, hosts: readonly TargetHost[] = SWARM): string {
  try {
    return chooseHosts(hosts, choice, seededRandom(1))
      .map(({ hostId }) => hostId[0])
      .join('');
  } catch (error) {
    return error instanceof ShoalError ? error.code : String(error);
  }
}

test.each<[string, JobTargets, string]>([
  ['nothing said: the seeds', {}, '24'],
  ['the seeds', { role: 'seed' }, '24'],
  ['all, seeds first', { role: 'any' }, '2413'],
  ['a zone: all of it', { zone: 'a' }, '21'],
  ['the seeds of a zone', { role: 'seed', zone: 'b' }, '4'],
  ['a label', { labels: { disk: 'ssd' } }, '13'],
  ['two labels', { labels: { disk: 'ssd', gpu: '' } }, '1'],
  ['a label and a zone', { labels: { disk: 'ssd' }, zone: 'b' }, '3'],
  ['more than there are', { role: 'seed', count: 9 }, '24'],
  ['a host by its id', { names: ['1'.repeat(32)] }, '1'],
  ['a host by the beginning of its id, and one by its address', { names: ['3333', '10.0.0.1'] }, '31'],
  ['a host by the name of its machine', { names: ['NODE-3'] }, '3'],
  ['half of one host', { role: 'seed', percent: 50, zone: 'b' }, '4'],
  ['a host twice', { names: ['3333', '33333'] }, '3'],
  ['a host in another zone', { names: ['3333'], zone: 'a' }, 'ERR_HOST_NOT_FOUND'],
  ['a beginning that is too short', { names: ['33'] }, 'ERR_HOST_NOT_FOUND'],
  ['a host that is not there', { names: ['3333', 'ffff'] }, 'ERR_HOST_NOT_FOUND'],
  ['no such zone', { zone: 'c' }, 'ERR_HOST_NOT_FOUND'],
  ['a label of everything', { labels: { constructor: '' } }, 'ERR_HOST_NOT_FOUND'],
])('%s', (_, choice, expected) => {
  expect(chosen(choice)).toBe(expected);
});

test('without seeds one host is taken where nothing is said, and none where seeds are asked for', () => {
  const normal = SWARM.filter(({ role }) => role === 'normal');
  expect(chosen({}, normal)).toMatch(/^[13]$/);
  expect(chosen({ role: 'seed' }, normal)).toBe('ERR_HOST_NOT_FOUND');
  expect(chosen({}, [])).toBe('ERR_HOST_NOT_FOUND');
});

test('a name that fits several hosts is refused', () => {
  expect(
    chosen({ names: ['1111'] }, [host('1'), { ...host('1'), hostId: `1111${'2'.repeat(28)}` as HostId }]),
  ).toBe('ERR_CONFIG_INVALID');
});

test('a count takes so many, each host as likely as the others', () => {
  const random = seededRandom(5);
  const seen = new Map<string, number>();
  for (let run = 0; run < 400; run += 1) {
    const rows = chooseHosts(SWARM, { count: 2 }, random);
    expect(new Set(rows.map(({ hostId }) => hostId)).size).toBe(2);
    for (const { hostId } of rows) seen.set(hostId, (seen.get(hostId) ?? 0) + 1);
  }
  for (const times of seen.values()) expect(Math.abs(times - 200)).toBeLessThan(60);
});

const ZONED = [
  host('1', { zone: 'a' }),
  host('2', { zone: 'a' }),
  host('3', { zone: 'a' }),
  host('4', { zone: 'b' }),
  host('5', { zone: 'c' }),
];
const holders = (pin: JobPin, held: string[] = [], targets: JobTargets = {}, seed = 1) =>
  choosePinHosts(ZONED, targets, pin, new Set(held.map((digit) => host(digit).hostId)), seededRandom(seed));
const digitsOf = (rows: readonly TargetHost[]) => rows.map(({ hostId }) => hostId[0]).sort();
const zonesOf = (rows: readonly TargetHost[]) => new Set(rows.map(({ zone }) => zone)).size;

test('a pin stays where it is, and is filled up', () => {
  expect(digitsOf(holders({ copies: 2 }, ['1', '2']))).toEqual(['1', '2']);
  expect(digitsOf(holders({ copies: 3 }, ['1', '2']))).toEqual(expect.arrayContaining(['1', '2']));
  expect(holders({ copies: 3 }, ['1', '2'])).toHaveLength(3);
  expect(holders({ copies: 1 }, ['1', '2'])).toHaveLength(1);
  expect(digitsOf(holders({ copies: 9 }))).toEqual(['1', '2', '3', '4', '5']);
  expect(digitsOf(holders({ copies: 9 }, [], { zone: 'a' }))).toEqual(['1', '2', '3']);
  expect(holders({ copies: 2 }, [], { zone: 'nowhere' })).toEqual([]);
});

test('a pin of several zones is in so many, however few copies it has', () => {
  for (let seed = 0; seed < 50; seed += 1) {
    expect(zonesOf(holders({ copies: 3, zones: 3 }, [], {}, seed))).toBe(3);
    expect(holders({ copies: 3, zones: 3 }, [], {}, seed)).toHaveLength(3);
    expect(zonesOf(holders({ copies: 2, zones: 2 }, ['1', '2'], {}, seed))).toBe(2);
    expect(holders({ copies: 2, zones: 2 }, ['1', '2'], {}, seed)).toHaveLength(2);
    expect(zonesOf(holders({ copies: 1, zones: 3 }, [], {}, seed))).toBe(3);
    expect(digitsOf(holders({ copies: 3, zones: 2 }, ['1', '2', '4'], {}, seed))).toEqual(['1', '2', '4']);
    expect(zonesOf(holders({ copies: 3, zones: 9 }, [], {}, seed))).toBe(3);
  }
});

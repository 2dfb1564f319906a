import { expect, test } from 'vitest';
import { chooseHosts, type HostChoice } from '../../app/preheat/choose-hosts.ts';
import { ShoalError } from '../../core/errors.ts';
import type { HostRow } from '../../core/swarm-rows.ts';
import { seededRandom } from '../transport/real-clock.ts';

const host = (digit: string, rest: Partial<HostRow> = {}): HostRow => ({
  hostId: digit.repeat(32),
  ip: `10.0.0.${digit}`,
  port: 7400,
  role: 'normal',
  version: '1',
  aliveAgoMs: 0,
  uploading: 0,
  downloading: 0,
  cachedBytes: 0,
  cachedTasks: 0,
  ...rest,
});

const SWARM = [
  host('1', { zone: 'a', labels: { disk: 'ssd', gpu: '' } }),
  host('2', { zone: 'a', role: 'seed' }),
  host('3', { zone: 'b', labels: { disk: 'ssd' } }),
  host('4', { zone: 'b', role: 'seed', labels: { disk: 'hdd' } }),
];

function chosen(choice: HostChoice, hosts: readonly HostRow[] = SWARM): string {
  try {
    return chooseHosts(hosts, choice, seededRandom(1))
      .map(({ hostId }) => hostId[0])
      .join('');
  } catch (error) {
    return error instanceof ShoalError ? error.code : String(error);
  }
}

test.each<[string, HostChoice, string]>([
  ['nothing said: the seeds', {}, '24'],
  ['the seeds', { on: 'seeds' }, '24'],
  ['all, seeds first', { on: 'all' }, '2413'],
  ['a zone: all of it', { zone: 'a' }, '21'],
  ['the seeds of a zone', { on: 'seeds', zone: 'b' }, '4'],
  ['a label', { labels: { disk: 'ssd' } }, '13'],
  ['two labels', { labels: { disk: 'ssd', gpu: '' } }, '1'],
  ['a label and a zone', { labels: { disk: 'ssd' }, zone: 'b' }, '3'],
  ['more than there are', { on: 'seeds', count: 9 }, '24'],
  ['a host by its id', { on: ['1'.repeat(32)] }, '1'],
  ['a host by the beginning of its id, and one by its address', { on: ['3333', '10.0.0.1'] }, '31'],
  ['a host twice', { on: ['3333', '33333'] }, '3'],
  ['a host in another zone', { on: ['3333'], zone: 'a' }, 'ERR_HOST_NOT_FOUND'],
  ['a beginning that is too short', { on: ['33'] }, 'ERR_HOST_NOT_FOUND'],
  ['a host that is not there', { on: ['3333', 'ffff'] }, 'ERR_HOST_NOT_FOUND'],
  ['no such zone', { zone: 'c' }, 'ERR_HOST_NOT_FOUND'],
  ['a label of everything', { labels: { constructor: '' } }, 'ERR_HOST_NOT_FOUND'],
])('%s', (_, choice, expected) => {
  expect(chosen(choice)).toBe(expected);
});

test('without seeds one host is taken where nothing is said, and none where seeds are asked for', () => {
  const normal = SWARM.filter(({ role }) => role === 'normal');
  expect(chosen({}, normal)).toMatch(/^[13]$/);
  expect(chosen({ on: 'seeds' }, normal)).toBe('ERR_HOST_NOT_FOUND');
  expect(chosen({}, [])).toBe('ERR_HOST_NOT_FOUND');
});

test('a name that fits several hosts is refused', () => {
  expect(chosen({ on: ['1111'] }, [host('1'), { ...host('1'), hostId: `1111${'2'.repeat(28)}` }])).toBe(
    'ERR_CONFIG_INVALID',
  );
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

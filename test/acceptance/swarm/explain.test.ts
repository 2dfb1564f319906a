import { expect, test } from 'vitest';
import { taskHistorySchema } from '../../../admin/control.ts';
import { ORIGIN_REASONS } from '../../../core/origin-reasons.ts';
import { type Explanation, explanationSchema } from '../../../core/swarm-rows.ts';
import { SHOAL, startCommand, until } from '../../support/child.ts';
import { lastJson } from '../../support/swarm.ts';
import { note, openScene, type Scene, SIZE, SLOW } from './scene.ts';

const FOUR = ['peer1', 'peer2', 'peer3', 'peer4'];

/** Gets by digest, so that the task is named by it. */
const getOnFour = (scene: Scene) =>
  new Map(FOUR.map((host) => [host, scene.get(host, { digest: scene.digest })]));

const sum = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((all, one) => all + one, 0);

async function ask(scene: Scene, host: string, ...words: string[]): Promise<unknown> {
  const command = [...words, scene.digest, '--dir', scene.swarm.dirOf(host), '--json'];
  const { code, stdout, stderr } = await startCommand([...SHOAL, ...command]).done;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return lastJson(stdout);
}

/** What a daemon says once at least so many hosts are known to have all. */
function explained(scene: Scene, host: string, hosts: number): Promise<Explanation> {
  return until('the hosts to be explained', async () => {
    const said = explanationSchema.parse(await ask(scene, host, 'explain'));
    return said.hosts.filter(({ outcome }) => outcome === 'complete').length >= hosts ? said : undefined;
  });
}

/** Bytes add up to the size on each host, each origin byte has one reason, and the parts of the time to its whole. */
function addsUp({ hosts, originReasons, bytes }: Explanation): void {
  for (const row of hosts.filter(({ outcome }) => outcome === 'complete')) {
    expect(row.bytes.origin + row.bytes.peers + row.bytes.local - row.droppedBytes).toBe(SIZE);
    expect(sum(row.originReasons)).toBe(row.bytes.origin);
    expect(sum(row.time ?? {})).toBeCloseTo(row.durationMs, 3);
    const given = row.sources.reduce((all, source) => all + source.bytes, 0);
    expect(given).toBe(row.bytes.origin + row.bytes.peers);
  }
  expect(sum(originReasons)).toBe(bytes.origin);
  for (const reason of Object.keys(originReasons)) expect(ORIGIN_REASONS).toHaveProperty(reason);
  note(`origin ${(bytes.origin / SIZE).toFixed(3)} copies: ${JSON.stringify(originReasons)}`);
  for (const { hostId, durationMs, time, toldBy } of hosts) {
    note(`${hostId.slice(0, 8)} ${toldBy} ${Math.round(durationMs)} ms ${JSON.stringify(time)}`);
  }
}

test('a cold swarm: what the origin gave is all there, since nobody had it yet', async () => {
  const scene = await openScene({ hostFlags: SLOW });
  const outcomes = await scene.allRight(getOnFour(scene));
  const said = await explained(scene, 'peer1', 5);
  addsUp(said);
  expect(said.hosts).toHaveLength(5);
  // On a busy machine a host may be adrift for a moment, and says so.
  expect(said.originReasons['no-holder']).toBeGreaterThan(0.95 * said.bytes.origin);
  expect(said.bytes.origin).toBeLessThanOrEqual(scene.origin.bodyBytes('/file'));
  expect(said.bytes.origin).toBeGreaterThan(0.99 * scene.origin.bodyBytes('/file'));
  for (const { result } of outcomes) expect(sum(result?.time ?? {})).toBeCloseTo(result?.durationMs ?? 0, 3);
  const history = await until('all deliveries to be logged', async () => {
    const logged = taskHistorySchema.parse(await ask(scene, 'peer1', 'task', 'history'));
    return logged.deliveries.length === 5 ? logged : undefined;
  });
  expect(history.created?.length).toBe(SIZE);
  // With all hosts and the scheduler gone, the log alone tells the same.
  for (const name of ['scheduler', ...scene.swarm.hosts]) await scene.swarm.kill(name);
  for (const name of ['scheduler', 'peer1']) scene.swarm.start(name);
  await scene.swarm.ready('peer1');
  const after = await explained(scene, 'peer1', 5);
  addsUp(after);
  expect(after.hosts.every(({ toldBy }) => toldBy === 'log')).toBe(true);
  expect(after.hosts.map(({ bytes }) => bytes)).toEqual(said.hosts.map(({ bytes }) => bytes));
});

test('a parent is killed: the failures are told, and every byte still has its reason', async () => {
  // What hosts send is the limit, so that each of them is sending at any time.
  const scene = await openScene({ hostFlags: ['--limit-down', '20MB', '--limit-up', '10MB'] });
  const gets = getOnFour(scene);
  await scene.swarm.holds('peer4', SIZE * 0.4);
  await scene.swarm.kill('peer4');
  gets.get('peer4')?.signal('SIGKILL');
  gets.delete('peer4');
  await scene.allRight(gets);
  const said = await explained(scene, 'peer1', 4);
  addsUp(said);
  const failed = said.hosts.flatMap(({ sources }) => sources.flatMap((source) => Object.keys(source.failed)));
  expect(failed.length).toBeGreaterThan(0);
});

test('NATS is cut for good: a host still tells of itself, and of all when NATS is back', async () => {
  const scene = await openScene({ hostFlags: SLOW });
  const gets = getOnFour(scene);
  await scene.swarm.holds('peer1', SIZE * 0.4);
  await scene.swarm.kill('nats');
  await scene.allRight(gets);
  const alone = await explained(scene, 'peer1', 1);
  addsUp(alone);
  expect(alone.heard).toMatchObject({ scheduler: false, hosts: 1 });
  scene.swarm.start('nats');
  const said = await explained(scene, 'peer1', 4);
  addsUp(said);
  expect(said.originReasons['no-holder']).toBeGreaterThan(0);
});

test('the scheduler is killed and started again: nothing of the account is lost', async () => {
  const scene = await openScene({ hostFlags: SLOW });
  const gets = getOnFour(scene);
  await scene.swarm.holds('peer1', SIZE * 0.4);
  await scene.swarm.kill('scheduler');
  scene.swarm.start('scheduler');
  await scene.allRight(gets);
  const said = await explained(scene, 'peer1', 5);
  addsUp(said);
  expect(said.hosts).toHaveLength(5);
});

import { beforeAll, expect, test } from 'vitest';
import { hostId } from '../scheduling/world.ts';
import { taskAt } from './double.ts';
import { gatewayScene } from './scene.ts';

const TASKS = 100_000;
const HOSTS = 10_000;
/** What a page may take of the processor, of gateway, bus and scheduler together. */
const PAGE_CPU_MS = 100;

let scene: Awaited<ReturnType<typeof gatewayScene>>;
beforeAll(async () => {
  scene = await gatewayScene({ tasks: TASKS, hosts: HOSTS, holders: HOSTS });
  return () => scene[Symbol.asyncDispose]();
});

async function cpuMs(run: () => Promise<unknown>): Promise<number> {
  const begun = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / 1_000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

type Answer = Awaited<ReturnType<typeof scene.app.inject>>;
const after = (id: string) => Buffer.from(id).toString('base64url');
const somewhere = (run: number) => Math.floor(((run * 7_919) % 97) * (TASKS / 97));

test.each([
  ['tasks from the first', () => '/api/v1/tasks'],
  [
    'tasks from the middle',
    (run: number) => `/api/v1/tasks?limit=500&cursor=${after(taskAt(somewhere(run)))}`,
  ],
  ['one task by its id', (run: number) => `/api/v1/tasks?id=${taskAt(somewhere(run))}`],
  ['a search by URL', (run: number) => `/api/v1/tasks?url=blobs/${somewhere(run)}`],
  ['the tasks of an image', () => '/api/v1/tasks?image=registry.example.org/team/app'],
  ['hosts from the first', () => '/api/v1/hosts?limit=500'],
  ['hosts from the middle', (run: number) => `/api/v1/hosts?cursor=${after(hostId(somewhere(run) % HOSTS))}`],
  ['hosts of a zone', () => '/api/v1/hosts?zone=rack7'],
  ['the hosts of a task', (run: number) => `/api/v1/tasks/${taskAt(somewhere(run))}/hosts?limit=500`],
  ['a task', (run: number) => `/api/v1/tasks/${taskAt(somewhere(run))}`],
  ['the hosts of an image', () => '/api/v1/images/hosts?image=alpine&limit=500'],
])('a page of %s costs little of the processor', async (_, urlOf) => {
  const costs: number[] = [];
  for (let run = 0; costs.length < 9; run += 1) {
    const url = urlOf(run);
    let answer: Answer | undefined;
    const cost = await cpuMs(async () => {
      answer = await scene.app.inject({ url, headers: { authorization: `Bearer ${scene.admin}` } });
    });
    // On a machine without time left no scheduler may have answered in half a second: asked again, it is counted.
    if (answer?.statusCode === 503 && run < 30) continue;
    expect(answer?.statusCode, answer?.body).toBe(200);
    costs.push(cost);
  }
  expect(median(costs), costs.map(Math.round).join(' ')).toBeLessThan(PAGE_CPU_MS);
});

test('what 100,000 tasks hold is walked to the end, and a page holds no more memory than its rows', async () => {
  let rows = 0;
  let largest = 0;
  for (let url: string | undefined = '/api/v1/tasks?limit=500'; url !== undefined; ) {
    const answer = await scene.app.inject({ url, headers: { authorization: `Bearer ${scene.admin}` } });
    const page: { readonly tasks: unknown[]; readonly next?: string } = answer.json();
    rows += page.tasks.length;
    largest = Math.max(largest, answer.rawPayload.length);
    url = page.next && `/api/v1/tasks?limit=500&cursor=${page.next}`;
  }
  expect(rows).toBe(TASKS + 2);
  expect(largest).toBeLessThan(256 * 1024);
});

import { expect, test, vi } from 'vitest';
import { jobHost } from './fake-jobs.ts';
import { gatewayScene } from './scene.ts';

const PREHEAT = { kind: 'preheat', what: ['alpine:3.20'], targets: { role: 'any' } };

test('a job is created once for each key, and shown with its hosts', async () => {
  await using scene = await gatewayScene();
  const create = (key: string, token = scene.admin) =>
    scene.ask({
      method: 'POST',
      url: '/api/v1/jobs',
      body: PREHEAT,
      token,
      headers: { 'idempotency-key': key },
    });
  const { job, created } = (await create('one')).json();
  expect([created, job.state, job.request.what]).toEqual([true, 'accepted', ['alpine:3.20']]);
  expect((await create('one')).json()).toMatchObject({ created: false, job: { id: job.id } });
  expect((await create('two')).json().job.id).not.toBe(job.id);
  const other = await scene.tokenWith('jobs');
  expect((await create('one', other)).json().created).toBe(true);

  scene.jobs.change(job.id, { state: 'running' }, [jobHost(0, 'succeeded'), jobHost(1, 'failed')]);
  const url = `/api/v1/jobs/${job.id.slice(0, 8)}`;
  expect((await scene.ask({ url })).json()).toMatchObject({ id: job.id, progress: { hosts: 2, failed: 1 } });
  const page = (await scene.ask({ url: `${url}/hosts?limit=1` })).json();
  expect(page.hosts).toHaveLength(1);
  const rest = (await scene.ask({ url: `${url}/hosts?limit=1&cursor=${page.next}` })).json();
  expect([rest.hosts.length, rest.next]).toEqual([1, undefined]);
  expect((await scene.ask({ url: `${url}/hosts?state=failed` })).json().hosts).toHaveLength(1);
  expect((await scene.ask({ url: '/api/v1/jobs?state=running' })).json().jobs).toHaveLength(1);
  const cancelled = await scene.ask({ method: 'POST', url: `${url}/cancel` });
  expect(cancelled.json().state).toBe('cancelled');
  expect((await scene.ask({ url: '/api/v1/jobs/abcdef12' })).status).toBe(404);
});

test('headers go with the job, and stand in no answer and no log of changes', async () => {
  await using scene = await gatewayScene();
  const heard: unknown[] = [];
  scene.hub.bus('listener').subscribeEvents((_, body) => heard.push(body));
  const body = { ...PREHEAT, headers: { Authorization: 'Bearer very-secret' } };
  const answer = await scene.ask({ method: 'POST', url: '/api/v1/jobs', body });
  expect(answer.text).not.toContain('very-secret');
  expect(scene.jobs.asked[0]?.options.headers).toEqual({ Authorization: 'Bearer very-secret' });
  expect(JSON.stringify(scene.jobs.asked[0]?.request)).not.toContain('very-secret');
  await vi.waitFor(() => expect(heard).toHaveLength(1));
  expect(JSON.stringify(heard)).not.toContain('very-secret');
});

test.each([
  ['no body', undefined],
  ['a list', []],
  ['an unknown kind', { ...PREHEAT, kind: 'dance' }],
  ['nothing to fetch', { ...PREHEAT, what: [] }],
  ['a URL with a login', { ...PREHEAT, what: ['https://user:secret@example.org/file'] }],
  ['a field that there is not', { ...PREHEAT, prority: 3 }],
  ['a header that is none', { ...PREHEAT, headers: { 'a b': 'c' } }],
  ['a pin of a preheat', { ...PREHEAT, pin: { copies: 2 } }],
])('a job of %s is refused, and its secrets are not told back', async (_, body) => {
  await using scene = await gatewayScene();
  const answer = await scene.ask({
    method: 'POST',
    url: '/api/v1/jobs',
    ...(body !== undefined && { body }),
  });
  expect(answer.status).toBe(400);
  expect(answer.text).not.toContain('secret');
  expect(scene.jobs.records.size).toBe(0);
});

test('a job is watched until it is over', async () => {
  await using scene = await gatewayScene();
  const { job } = (await scene.ask({ method: 'POST', url: '/api/v1/jobs', body: PREHEAT })).json();
  const watching = scene.ask({ url: `/api/v1/jobs/${job.id}/watch` });
  await vi.waitFor(() => expect(scene.jobs.watchers).toBe(1));
  scene.jobs.change(job.id, { state: 'running' });
  await vi.waitFor(() => expect(scene.jobs.watchers).toBe(1));
  scene.jobs.change(job.id, { state: 'succeeded', endedAtMs: 1_767_225_601_000 }, [jobHost(0, 'succeeded')]);
  const { text, headers } = await watching;
  expect(headers['content-type']).toContain('text/event-stream');
  const states = [...text.matchAll(/^event: job\ndata: (.*)$/gm)].map(
    ([, data = '']) => JSON.parse(data).state,
  );
  expect(states).toEqual(['accepted', 'running', 'succeeded']);
  expect((await scene.ask({ url: '/api/v1/jobs/abcdef12/watch' })).status).toBe(404);
});

test('who changed what is an event and a record of the stream', async () => {
  await using scene = await gatewayScene();
  const heard: { type?: string; data?: object }[] = [];
  scene.hub.bus('listener').subscribeEvents((_, body) => heard.push(body as object));
  const token = await scene.tokenWith('jobs');
  const { job } = (await scene.ask({ method: 'POST', url: '/api/v1/jobs', body: PREHEAT, token })).json();
  await scene.ask({ method: 'POST', url: '/api/v1/jobs/abcdef12/cancel', token });
  await scene.ask({ url: '/api/v1/jobs' });
  await vi.waitFor(() => expect(heard).toHaveLength(2));
  const records = await scene.audit();
  const expected = [
    { who: 'jobs', action: 'job.create', target: job.id, outcome: 'done', from: '127.0.0.1' },
    { who: 'jobs', action: 'job.cancel', target: 'abcdef12', outcome: 'ERR_JOB_NOT_FOUND' },
  ];
  expect(heard.map(({ data }) => data)).toMatchObject(expected);
  expect(records).toMatchObject(expected);
  expect(heard[0]?.type).toBe('shoal.v1.api.changed');
});

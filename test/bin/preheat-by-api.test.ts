import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HarborClient } from '../gateway/harbor-client.ts';
import { SHOAL, startChild, startCommand, until } from '../support/child.ts';
import { digestOfFile, MIB, writeRandomFile } from '../support/files.ts';
import { startOriginServer } from '../support/origin-server.ts';
import { tempDir } from '../support/temp-dir.ts';

const SIZE = 20 * MIB;

test('what is preheated over HTTP is read once, is on every host, and a get then reads nothing', async () => {
  await using temp = await tempDir();
  const at = (name: string) => join(temp.path, name);
  mkdirSync(at('files'));
  const digest = writeRandomFile(at('files/one'), SIZE);
  await using origin = await startOriginServer({ '/one': at('files/one') });
  const flags = (name: string) => [
    ...[
      '--dir',
      at(name),
      '--data-port',
      '0',
      '--admin-port',
      '0',
      '--proxy-port',
      '0',
      '--log-format',
      'json',
    ],
    ...['--allow-origin', `127.0.0.1:${origin.port}`],
  ];
  const log = (name: string) => readFileSync(at(name), 'utf8');
  const up = startChild([...SHOAL, 'up', ...flags('up'), '--gateway-port', '0'], at('up.log'));
  const peers: { stop(): Promise<void> }[] = [];
  try {
    const nats = await until('NATS', () => /NATS at (\S+),/.exec(log('up.log'))?.[1]);
    const gateway = await until('the gateway', () => /"gateway":"([^"]+)"/.exec(log('up.log'))?.[1]);
    for (const name of ['one', 'two', 'three']) {
      peers.push(startChild([...SHOAL, 'peer', ...flags(name), '--nats', nats], at(`${name}.log`)));
    }
    const create = ['token', 'create', 'ci', '--scope', 'read,jobs', '--json', '--nats', nats];
    const token: string = JSON.parse((await startCommand([...SHOAL, ...create]).done).stdout).token;
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const ask = async (path: string, body?: unknown) => {
      const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
      const answer = await fetch(`${gateway}/api/v1${path}`, { headers, ...sent });
      return JSON.parse(await answer.text());
    };
    await until('four hosts', async () => (await ask('/hosts')).hosts?.length === 4 || undefined);

    const request = { kind: 'preheat', what: [origin.url('/one')], targets: { role: 'any' } };
    const { job } = await ask('/jobs', request);
    const done = await until('the job', async () => {
      const now = await ask(`/jobs/${job.id}`);
      return ['succeeded', 'failed'].includes(now.state) ? now : undefined;
    });
    expect(done).toMatchObject({ state: 'succeeded', progress: { hosts: 4, succeeded: 4, failed: 0 } });
    const { hosts } = await ask(`/jobs/${job.id}/hosts`);
    expect(hosts.map((host: { state: string }) => host.state)).toEqual(Array(4).fill('succeeded'));
    expect(origin.bodyBytes('/one') / SIZE).toBeLessThanOrEqual(1.01);

    const harbor = new HarborClient(gateway, { mode: 'OAUTH', token });
    const url = origin.url('/one');
    const { id } = await harbor.preheat({ url, headers: {}, scope: 'all_peers', type: 'file' });
    const told = await until('Harbor’s job', async () => {
      const now = await harbor.progress(id);
      return now.state === 'PENDING' ? undefined : now;
    });
    expect(told.state).toBe('SUCCESS');
    expect(told.result.job_states[0]?.results[0]?.success_tasks).toHaveLength(4);

    const get = ['get', url, '-o', at('out'), '--dir', at('one')];
    expect(await startCommand([...SHOAL, ...get]).done).toMatchObject({ code: 0 });
    expect(await digestOfFile(at('out'))).toBe(digest);
    expect(origin.bodyBytes('/one') / SIZE).toBeLessThanOrEqual(1.01);
  } finally {
    for (const peer of peers) await peer.stop();
    await up.stop();
  }
});

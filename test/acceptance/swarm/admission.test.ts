import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { HostId } from '../../../core/ids.ts';
import { formatAuthorization } from '../../../dataplane/authorization.ts';
import { mintToken } from '../../../dataplane/membership-token.ts';
import { importSigningKey, newSigningKey, type SigningKey } from '../../../dataplane/signing-key.ts';
import { note, openScene } from './scene.ts';

const HOUR_MS = 3_600_000;

interface Papers {
  readonly hostId: HostId;
  readonly token: string;
  readonly key: SigningKey;
}

/** What a host keeps in its directory, as a thief would read it. */
function papersIn(dir: string): Papers {
  const stored = JSON.parse(readFileSync(join(dir, 'host.json'), 'utf8')) as Record<string, string>;
  const key = importSigningKey(Buffer.from(stored['key'] ?? '', 'base64'));
  return { hostId: (stored['hostId'] ?? '') as HostId, token: stored['token'] ?? '', key };
}

/** Asks a data port for the first MiB of a task on a connection of its own. */
function ask(port: number, taskId: string, authorization: string | undefined) {
  return new Promise<{ status: number; bytes: number }>((resolve, reject) => {
    const headers = { range: 'bytes=0-1048575', ...(authorization === undefined ? {} : { authorization }) };
    request({ host: '127.0.0.1', port, path: `/v1/task/${taskId}`, headers, agent: false }, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => (bytes += chunk.length));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, bytes }));
    })
      .on('error', reject)
      .end();
  });
}

test('a daemon gives no byte to whoever does not prove that it is a member of the swarm', async () => {
  const scene = await openScene();
  const { swarm } = scene;
  const got = await swarm.get('peer1', scene.url).done;
  expect(got.code).toBe(0);
  const taskId = got.result?.taskId ?? '';
  const { hostId: parent, dataPort } = await swarm.status('peer1');
  const thief = papersIn(swarm.dirOf('peer2'));
  const other = papersIn(swarm.dirOf('peer3'));
  const scheduler = importSigningKey(readFileSync(join(swarm.dirOf('scheduler'), 'scheduler.key')));
  const now = Date.now();
  const to = (key: SigningKey, token: string, timeMs = now, whom: string = parent) =>
    formatAuthorization(key, token, whom as HostId, timeMs);
  const claims = { hostId: thief.hostId, publicKey: thief.key.publicKey, swarm: 'shoal' };
  const flipped = `${thief.token.slice(0, 40)}${thief.token[40] === 'A' ? 'B' : 'A'}${thief.token.slice(41)}`;

  const right = await ask(dataPort, taskId, to(thief.key, thief.token));
  expect(right).toEqual({ status: 206, bytes: 1_048_576 });

  const wrong: Record<string, string | undefined> = {
    'no token': undefined,
    garbage: 'Shoal garbage',
    'an expired token': to(thief.key, mintToken(scheduler, { ...claims, expMs: now - 120_000 })),
    'a flipped bit': to(thief.key, flipped),
    'the token of another host without its key': to(thief.key, other.token),
    'a signature made for another parent': to(thief.key, thief.token, now, other.hostId),
    'a signature made an hour ago': to(thief.key, thief.token, now - HOUR_MS),
    'a token of another swarm': to(
      thief.key,
      mintToken(scheduler, { ...claims, swarm: 'x', expMs: now + HOUR_MS }),
    ),
  };
  for (const [what, authorization] of Object.entries(wrong)) {
    const { status, bytes } = await ask(dataPort, taskId, authorization);
    expect({ status, bytes: bytes < 1_000 }, what).toEqual({ status: 401, bytes: true });
    note(`${what}: ${status}`);
  }
  // A key that no scheduler has is looked up, and never admits.
  const self = mintToken(newSigningKey(), { ...claims, expMs: now + HOUR_MS });
  expect((await ask(dataPort, taskId, to(thief.key, self))).status).toBe(425);
});

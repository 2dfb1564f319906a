import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { packHashes } from '../../../core/hash-page.ts';
import { hostIdFrom, partitionOf, type TaskId } from '../../../core/ids.ts';
import { pieceLengthFor } from '../../../core/piece.ts';
import { taskIdOfUrl } from '../../../core/source.ts';
import type { SyncRequest } from '../../../core/sync-messages.ts';
import { connectNatsBus } from '../../../transport/nats-bus.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import { digestOfFile, MIB, writeRandomFile } from '../../support/files.ts';
import { startOriginServer } from '../../support/origin-server.ts';
import { startSwarm } from '../../support/swarm.ts';
import { note } from './scene.ts';

const LENGTH = 32 * MIB;
const PIECE = pieceLengthFor(LENGTH);
/** The first MiB that a resolve brings, of each scheduler's life. */
const ASKED = 1 * MIB;

/** What a liar says of itself, to be believed. */
const MODES: readonly [string, Partial<SyncRequest>][] = [
  ['adrift', { adrift: true }],
  ['probed', { probed: { length: LENGTH, ranges: true, audience: 'public' } }],
  ['veteran', { seen: { epoch: 1, number: 1 } }],
];

async function scene() {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-poison-'));
  mkdirSync(join(dir, 'out'));
  const file = join(dir, 'file');
  const digest = writeRandomFile(file, LENGTH);
  const origin = await startOriginServer({ '/file': file });
  const hostFlags = ['--allow-origin', `127.0.0.1:${origin.port}`];
  const swarm = await startSwarm({ peers: 3, seed: false, dir: join(dir, 'swarm'), hostFlags });
  const hostId = hostIdFrom(randomBytes(16));
  const bus = connectNatsBus({ servers: swarm.natsUrl, name: hostId, swarm: 'shoal' });
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(swarm.logs());
    await bus.close();
    await swarm[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });
  const url = origin.url('/file');
  const etag = (await fetch(url, { method: 'HEAD' })).headers.get('etag') ?? '';
  let seq = 0;
  return {
    swarm,
    /** Tells the scheduler hashes of every piece that no content has. */
    lie(taskId: TaskId, said: Partial<SyncRequest>) {
      seq += 1;
      const hashes = Array.from({ length: LENGTH / PIECE }, (_, piece) => ({ piece, hash: randomBytes(32) }));
      const request: SyncRequest = {
        incarnation: 7,
        seq,
        base: 0,
        added: [],
        length: LENGTH,
        pieceLength: PIECE,
        running: [],
        queued: [],
        freeSlots: 0,
        transferBytesPerSec: 0,
        wants: false,
        sources: [],
        mayReadOrigin: false,
        failures: [],
        hashes: packHashes(hashes),
        adrift: false,
        hashCursor: 0,
        seen: { epoch: 0, number: 0 },
        received: { origin: 0, peers: 0, local: 0 },
        ...said,
      };
      const tokens = { partition: String(partitionOf(taskId)), taskId, hostId };
      return expect
        .poll(() => bus.request(SUBJECTS.sync, tokens, request, { timeoutMs: 2_000 }), { timeout: 30_000 })
        .toMatchObject({
          status: 'ok',
        });
    },
    /** Waits until the scheduler knows that so many hosts hold all of it. */
    holders: (taskId: TaskId, count: number) =>
      expect
        .poll(
          () =>
            bus.request(
              SUBJECTS.query,
              { noun: 'task', sender: hostId },
              { op: 'show', taskId },
              { timeoutMs: 2_000 },
            ),
          {
            timeout: 30_000,
          },
        )
        .toMatchObject({ task: { holders: count } }),
    digestTask: digest.replace(':', '-') as TaskId,
    urlTask: taskIdOfUrl(url, { etag, length: LENGTH }),
    /** Gets the file on a host; it must be right. */
    async get(host: string, hasDigest: boolean) {
      const output = join(dir, 'out', host);
      const { code, wallMs, stderr } = await swarm.get(host, url, {
        output,
        ...(hasDigest ? { digest } : {}),
      }).done;
      expect(code, stderr).toBe(0);
      expect(await digestOfFile(output)).toBe(digest);
      note(
        `${host}: ${(wallMs / 1000).toFixed(2)} s, ${(origin.bodyBytes('/file') / LENGTH).toFixed(2)} copies`,
      );
    },
    copies: () => origin.bodyBytes('/file') / LENGTH,
  };
}

describe.each([
  ['with a digest', true],
  ['without one', false],
])('a file %s', (_name, hasDigest) => {
  test.each(MODES)(
    'is right in one download though a host told false hashes before, and after a restart of the scheduler: %s',
    async (_mode, said) => {
      const { swarm, lie, holders, get, copies, digestTask, urlTask } = await scene();
      const task = hasDigest ? digestTask : urlTask;
      await lie(task, said);
      await get('peer1', hasDigest);
      await lie(task, said);
      await get('peer2', hasDigest);
      await swarm.kill('scheduler');
      swarm.start('scheduler');
      await lie(task, said);
      await holders(task, 2);
      await get('peer3', hasDigest);
      expect(copies()).toBeLessThanOrEqual(1 + (hasDigest ? 0 : ASKED / LENGTH) + 0.01);
    },
  );
});

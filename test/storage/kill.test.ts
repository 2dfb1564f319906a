import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { TaskId } from '../../core/ids.ts';
import { silentLogger } from '../../core/logger.ts';
import { openStore } from '../../storage/open-store.ts';
import { contentOf, temporaryDir } from './support.ts';

const script = fileURLToPath(new URL('./killed-writer.ts', import.meta.url));

test('kill -9 at any moment loses nothing that was committed and claims nothing that is not there', async () => {
  const dir = temporaryDir();
  for (let round = 0; round < 6; round += 1) {
    const child = spawn(process.execPath, ['--import', 'tsx', script, dir, String(round)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    // Killed after a number of lines, not of milliseconds: so it always dies in the middle of its work.
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString('latin1');
        if (said.split('\n').length > 40 + round * 37) {
          child.kill('SIGKILL');
          resolve();
        }
      });
    });
    await once(child, 'close');
    const committed = new Map<string, Set<number>>();
    for (const line of said.split('\n').slice(0, -1)) {
      const [taskId = '', what = ''] = line.split(' ');
      const pieces = committed.get(taskId) ?? new Set();
      if (what !== 'sealed') pieces.add(Number(what));
      committed.set(taskId, pieces);
    }
    const store = await openStore({
      dir,
      quotaBytes: 1e10,
      clock: { wall: () => Date.now() },
      logger: silentLogger,
    });
    expect(committed.size).toBeGreaterThan(0);
    for (const [taskId, pieces] of committed) {
      const task = await store.open(taskId as TaskId);
      if (task === undefined) throw new Error(`${taskId} is lost`);
      const content = readFileSync(`${dir}/expected-${taskId}`);
      for (const piece of pieces) if (piece !== 3) expect(task.have.has(piece)).toBe(true);
      for (const piece of task.have.ones()) {
        const at = piece * task.record.pieceLength;
        const end = at + task.record.pieceLength;
        expect((await contentOf(task, at, end)).equals(content.subarray(at, end))).toBe(true);
      }
    }
    await store.close();
  }
});

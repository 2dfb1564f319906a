import fc from 'fast-check';
import { expect, test } from 'vitest';
import { contentOf, openIn, sample, sha256, temporaryDir } from './support.ts';

const PIECE = 1000;
const PIECES = 8;

type Step =
  | { kind: 'write'; piece: number; chunk: number; commit: boolean }
  | { kind: 'lie'; piece: number; bytes: number }
  | { kind: 'drop'; pieces: number[] }
  | { kind: 'restart' | 'reboot' | 'seal' };

const piece = fc.nat(PIECES - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      piece,
      chunk: fc.integer({ min: 1, max: 1500 }),
      commit: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('lie' as const),
      piece,
      bytes: fc.integer({ min: 1, max: PIECE }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('drop' as const), pieces: fc.array(piece, { maxLength: 3 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('restart' as const, 'reboot' as const, 'seal' as const) }),
  },
);

test('whatever happens in whatever order, a task has exactly the pieces committed and not taken back, with right bytes', async () => {
  const dir = temporaryDir();
  let boots = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const { content, record } = sample(PIECE * PIECES - 300, PIECE);
      let store = await openIn(dir, { bootId: `boot-${boots}` });
      let task = await store.create(record);
      const model = new Set<number>();
      for (const now of steps) {
        if (now.kind === 'write') {
          const part = content.subarray(now.piece * PIECE, (now.piece + 1) * PIECE);
          const writer = task.writer(now.piece, 1, (index, hash, length) => {
            expect(Buffer.from(hash).toString('hex')).toBe(sha256(part));
            if (!now.commit) return;
            task.commit(index, hash, length);
            model.add(index);
          });
          for (let at = 0; at < part.length; at += now.chunk)
            await writer.write(part.subarray(at, at + now.chunk));
        } else if (now.kind === 'lie') {
          const limit = Math.min(now.bytes, content.length - now.piece * PIECE);
          await task.writer(now.piece, 1, () => {}).write(Buffer.alloc(limit, 3));
        } else if (now.kind === 'drop') {
          await task.drop(now.pieces);
          for (const index of now.pieces) model.delete(index);
        } else if (now.kind === 'seal') {
          if (model.size === PIECES) await task.seal();
        } else {
          await store.close();
          if (now.kind === 'reboot') boots += 1;
          store = await openIn(dir, { bootId: `boot-${boots}` });
          const again = await store.open(record.taskId);
          if (again === undefined) throw new Error('the task is lost');
          task = again;
        }
        expect([...task.have.ones()]).toEqual([...model].sort((a, b) => a - b));
        expect(task.complete && model.size < PIECES).toBe(false);
        for (const index of model) {
          const end = Math.min(content.length, (index + 1) * PIECE);
          expect(
            (await contentOf(task, index * PIECE, end)).equals(content.subarray(index * PIECE, end)),
          ).toBe(true);
        }
      }
      await store.remove(record.taskId);
      await store.close();
    }),
    { numRuns: 60 },
  );
});

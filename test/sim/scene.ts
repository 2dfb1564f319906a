import { createHash } from 'node:crypto';
import { pieceOffset, pieceSize } from '../../core/piece.ts';
import type { SimGet, SimHost } from '../../sim/host.ts';
import type { SimContent } from '../../sim/origin.ts';
import type { Simulation } from '../../sim/world.ts';

export const MIB = 1024 * 1024;
export const URL_A = 'http://origin.test/a';

export function digestOf(content: SimContent): string {
  return `sha256:${createHash('sha256').update(content.bytes).digest('hex')}`;
}

/** What a host holds that the content does not have: pieces recorded without being right. */
export async function wrongPieces(host: SimHost, content: SimContent): Promise<number[]> {
  const wrong: number[] = [];
  for (const { taskId } of host.store.rows()) {
    const stored = await host.store.open(taskId);
    if (stored === undefined) continue;
    const geometry = { length: content.bytes.length, pieceLength: stored.record.pieceLength };
    for (const piece of stored.have.ones()) {
      const start = pieceOffset(geometry, piece);
      const bytes = new Uint8Array(pieceSize(geometry, piece));
      await stored.read(bytes, start);
      if (Buffer.compare(bytes, content.bytes.subarray(start, start + bytes.length)) !== 0) wrong.push(piece);
    }
  }
  return wrong;
}

/** Whether the host has the whole content, byte for byte, in what a `get` was answered with. */
export async function delivered({ host, result }: SimGet, content: SimContent): Promise<boolean> {
  if (result === undefined) return false;
  const stored = await host.store.open(result.taskId);
  if (stored?.complete !== true || result.length !== content.bytes.length) return false;
  const bytes = new Uint8Array(result.length);
  await stored.read(bytes, 0);
  return Buffer.compare(bytes, content.bytes) === 0;
}

/** Bytes that the host holds and none of the others does. */
export async function heldAlone(host: SimHost, others: readonly SimHost[]): Promise<number> {
  let bytes = 0;
  for (const { taskId } of host.store.rows()) {
    const [stored, ...more] = await Promise.all([host, ...others].map(({ store }) => store.open(taskId)));
    if (stored === undefined) continue;
    const alone = [...stored.have.ones()].filter((piece) => !more.some((other) => other?.have.has(piece)));
    bytes += alone.length * stored.record.pieceLength;
  }
  return bytes;
}

/** Copies of the content that left the origin. */
export function copies(sim: Simulation, content: SimContent): number {
  return sim.origin.bodyBytes / content.bytes.length;
}

import { type Random, randomInt } from '../../core/clock.ts';
import { ShoalError, toShoalError } from '../../core/errors.ts';
import { pieceOffset } from '../../core/piece.ts';
import { RecentMap } from '../../core/recent-map.ts';
import type { OriginRequest } from '../../origins/origin.ts';
import { namesContent, registryTargetOf } from '../../origins/registry/target.ts';
import type { StoredTask } from '../../storage/store.ts';
import type { HostWorld } from '../host/world.ts';

const SAMPLE_BYTES = 512;
const MOST_SHOWN = 20_000;

/**
 * Which servers have shown that they have which content. Anybody can run a server that lets everyone in to every
 * digest: only one that has the content itself can say who may have it.
 */
export class Possession {
  readonly #shown = new RecentMap<string, true>(MOST_SHOWN);

  /** The content came from there, and nowhere else. */
  shown(stored: StoredTask, url: string): void {
    this.#shown.set(keyOf(stored, url), true);
  }

  /**
   * Compares some bytes of the server, from a random place of what is held here.
   * @throws ERR_SOURCE_REFUSED where they differ, ERR_SOURCE_*
   */
  async prove(
    world: Pick<HostWorld, 'random' | 'origin'>,
    stored: StoredTask,
    request: OriginRequest,
    signal: AbortSignal,
  ): Promise<void> {
    const key = keyOf(stored, request.url);
    if (this.#shown.get(key) || stored.record.length === 0) return;
    const start = sampleStart(stored, world.random);
    const has = await this.#holds(world, stored, request, start, signal).catch(async (error: unknown) => {
      // It gives no ranges: its first bytes tell less, but they are all that it can be asked for cheaply.
      if (toShoalError(error).code !== 'ERR_SOURCE_PROTOCOL' || !stored.have.has(0)) throw error;
      return this.#holds(world, stored, request, 0, signal);
    });
    if (!has) throw new ShoalError('ERR_SOURCE_REFUSED', 'the source does not have this content itself');
    this.#shown.set(key, true);
  }

  async #holds(
    world: Pick<HostWorld, 'random' | 'origin'>,
    stored: StoredTask,
    request: OriginRequest,
    start: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { pieceLength, length } = stored.record;
    const pieceEnd = (Math.floor(start / pieceLength) + 1) * pieceLength;
    const end = Math.min(start + SAMPLE_BYTES, pieceEnd, length ?? pieceEnd);
    const ours = new Uint8Array(end - start);
    await stored.read(ours, start);
    const theirs = new Uint8Array(ours.length);
    let at = 0;
    const expect = { length };
    await world.origin.read(
      { ...request, range: { start, end }, expect },
      (chunk) => {
        theirs.set(chunk.subarray(0, theirs.length - at), at);
        at += Math.min(chunk.length, theirs.length - at);
      },
      signal,
    );
    return at === ours.length && Buffer.compare(ours, theirs) === 0;
  }
}

/** A random place in a random piece that is there, from which a sample fits where the piece is long enough. */
function sampleStart({ have, record }: StoredTask, random: Random): number {
  const pieces = [...have.ones()];
  const piece = pieces[randomInt(random, pieces.length)];
  if (piece === undefined) throw new ShoalError('ERR_INTERNAL', 'nothing is here yet to compare with');
  const start = pieceOffset(record, piece);
  const end = Math.min(start + record.pieceLength, record.length ?? Number.POSITIVE_INFINITY);
  return start + randomInt(random, Math.max(1, end - start - SAMPLE_BYTES));
}

/** A registry answers for all its repositories, another server for one URL alone. */
function keyOf({ record }: StoredTask, url: string): string {
  const registry = namesContent(url) ? registryTargetOf(url) : undefined;
  return `${record.taskId} ${registry?.base ?? url}`;
}

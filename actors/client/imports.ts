import { createHash } from 'node:crypto';
import { ShoalError } from '../../core/errors.ts';
import { digestAlgorithm, type TaskId, taskIdOfDigest } from '../../core/ids.ts';
import type { Imported, ImportRequest } from '../../core/imports.ts';
import { pieceCount, pieceLengthFor } from '../../core/piece.ts';
import { OPEN_PLACE } from '../../origins/place.ts';
import type { StoredTask } from '../../storage/store.ts';
import { sendGone } from '../host/holdings.ts';
import type { Peers } from '../host/peers.ts';
import type { HostWorld } from '../host/world.ts';

/** Takes content that no origin has: from then on it is everybody's in the swarm, by its digest. */
export class Imports {
  readonly #world: HostWorld;
  readonly #peers: Peers;
  readonly #running = new Set<TaskId>();

  constructor(world: HostWorld, peers: Peers) {
    this.#world = world;
    this.#peers = peers;
  }

  /**
   * Reads the content to its end, proves it, and tells the swarm.
   * @throws ERR_IMPORT_BUSY, ERR_DIGEST_MISMATCH, ERR_STORE_FULL, ERR_STORE_IO, and what reading the content throws
   */
  async take(request: ImportRequest, content: AsyncIterable<Uint8Array>): Promise<Imported> {
    const { store, log, alone } = this.#world;
    const { digest, length } = request;
    const taskId = taskIdOfDigest(digest);
    if (this.#isHere(taskId)) return { taskId, length, wasHere: true };
    const peer = this.#peers.get(taskId);
    const isFetched = peer !== undefined && !peer.ended && peer.state !== 'serving';
    if (this.#running.has(taskId) || isFetched) throw busy(taskId);
    this.#running.add(taskId);
    try {
      // A part of it, or what a source may close, is no beginning of what is everybody's.
      await store.remove(taskId);
      await this.#fill(request, content);
    } catch (error) {
      await store.remove(taskId);
      if (!alone) sendGone(this.#world, taskId);
      throw error;
    } finally {
      this.#running.delete(taskId);
    }
    if (!this.#isHere(taskId)) throw busy(taskId);
    log.info({ taskId, length }, 'imported');
    if (!alone) await this.#peers.open({ taskId, sources: [], headers: {}, mayReadOrigin: false });
    return { taskId, length, wasHere: false };
  }

  #isHere(taskId: TaskId): boolean {
    const row = this.#world.store.row(taskId);
    return row?.complete === true && row.audience === 'public';
  }

  async #fill({ digest, length }: ImportRequest, content: AsyncIterable<Uint8Array>): Promise<void> {
    const pieceLength = pieceLengthFor(length);
    const stored = await this.#world.store.create({
      taskId: taskIdOfDigest(digest),
      length,
      pieceLength,
      audience: 'public',
      home: OPEN_PLACE,
      sources: [],
    });
    const unpin = stored.pin();
    try {
      await write(stored, pieceCount({ length, pieceLength }), { digest, length }, content);
      await stored.seal();
    } finally {
      unpin();
    }
  }
}

async function write(
  stored: StoredTask,
  pieces: number,
  { digest, length }: ImportRequest,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const algorithm = digestAlgorithm(digest);
  const whole = createHash(algorithm);
  const writer = stored.writer(0, pieces, (piece, hash, bytes) => stored.commit(piece, hash, bytes));
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.length;
    if (bytes > length) break;
    whole.update(chunk);
    await writer.write(chunk);
  }
  if (bytes === length && digest === `${algorithm}:${whole.digest('hex')}`) return;
  throw new ShoalError(
    'ERR_DIGEST_MISMATCH',
    `what was to be imported is not ${digest}: did the file change?`,
  );
}

function busy(taskId: TaskId): ShoalError {
  return new ShoalError('ERR_IMPORT_BUSY', `${taskId} is being fetched or imported here already`);
}

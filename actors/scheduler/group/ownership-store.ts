import type { Clock } from '../../../core/clock.ts';
import { ShoalError, toShoalError } from '../../../core/errors.ts';
import type { SchedulerId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import {
  type Heartbeat,
  heartbeatKey,
  type OwnershipRow,
  partitionKey,
  recordBytes,
} from '../../../core/ownership.ts';
import type { Directory } from '../../../transport/bus.ts';
import { OwnershipView } from './ownership-view.ts';

interface OwnershipStoreOptions {
  readonly clock: Clock;
  readonly directory: Directory;
  readonly self: SchedulerId;
  readonly keyId: string;
}

/** What this scheduler writes into the bucket `ownership`, and the view of it that it keeps. */
export class OwnershipStore {
  readonly view: OwnershipView;
  readonly #options: OwnershipStoreOptions;
  readonly #key: string;
  /** Of the own heartbeat; 0: there is none. */
  #revision = 0;
  /** Until when this scheduler may grant: a term after an acknowledged heartbeat was sent. */
  #termEndsMs = Number.NEGATIVE_INFINITY;
  #isNew = true;
  /** Others may have taken over: so it is until what they did was read, however many tries that takes. */
  #wasGone = false;

  constructor(options: OwnershipStoreOptions) {
    this.#options = options;
    this.#key = heartbeatKey(options.self);
    this.view = new OwnershipView(options.clock);
  }

  get isInTerm(): boolean {
    return this.#options.clock.now() < this.#termEndsMs;
  }

  /**
   * Puts the heartbeat where it is not there, or still is, and reads all there is. Resolves false where it was gone:
   * others may have taken over what was owned.
   */
  async enter(heartbeat: Heartbeat): Promise<boolean> {
    const { directory } = this.#options;
    if (this.#isNew) {
      this.view.replace(await this.#bounded(directory.entries()));
      await this.#endFormerLives();
      await this.#put(heartbeat);
      this.#isNew = false;
      return false;
    }
    const known = await this.#bounded(directory.get(this.#key));
    this.#revision = known?.revision ?? 0;
    this.#wasGone ||= known === undefined;
    await this.#put(heartbeat);
    this.view.replace(await this.#bounded(directory.entries()));
    const isResumed = !this.#wasGone;
    this.#wasGone = false;
    return isResumed;
  }

  /** Heartbeats under the own key are of processes before this one: nobody need wait for their terms. */
  async #endFormerLives(): Promise<void> {
    const { keyId } = this.#options;
    for (const [id, former] of [...this.view.heartbeats()]) {
      if (former.keyId === keyId) await this.removeHeartbeat(id);
    }
  }

  /**
   * Puts the heartbeat again. Where the term ended meanwhile, others may have taken over.
   * @throws ERR_BUS_CONFLICT where somebody removed it, ERR_BUS_TIMEOUT where it came too late
   */
  async renew(heartbeat: Heartbeat): Promise<void> {
    const endsMs = this.#termEndsMs;
    try {
      await this.#putAgain(heartbeat);
    } catch (error) {
      if (toShoalError(error).code === 'ERR_BUS_CONFLICT') this.#endTerm();
      throw error;
    }
    if (this.#options.clock.now() < endsMs) return;
    this.#endTerm();
    throw new ShoalError('ERR_BUS_TIMEOUT', 'the term ended before the heartbeat was acknowledged');
  }

  #endTerm(): void {
    this.#termEndsMs = Number.NEGATIVE_INFINITY;
  }

  /** One that was written, though its answer was lost, is still one's own. */
  async #putAgain(heartbeat: Heartbeat): Promise<void> {
    try {
      await this.#put(heartbeat);
    } catch (error) {
      if (toShoalError(error).code !== 'ERR_BUS_CONFLICT') throw error;
      const known = await this.#bounded(this.#options.directory.get(this.#key));
      if (known === undefined) throw error;
      this.#revision = known.revision;
      await this.#put(heartbeat);
    }
  }

  async #put(heartbeat: Heartbeat): Promise<void> {
    const { clock, directory } = this.#options;
    const sentMs = clock.now();
    const { newest } = this.view;
    const value = recordBytes(heartbeat);
    this.#revision = await this.#bounded(directory.put(this.#key, value, this.#revision));
    // What is written is newer than all there is: the store that was read is gone, and its revisions say nothing here.
    if (this.#revision < newest) this.view.replace(await this.#bounded(directory.entries()));
    this.view.take({ key: this.#key, value, revision: this.#revision });
    this.#termEndsMs = sentMs + LIMITS.termMs;
  }

  /** Takes a partition whose row is at that revision; 0: there is none. @throws ERR_BUS_CONFLICT */
  async claim(partition: number, row: OwnershipRow, known: number): Promise<void> {
    const key = partitionKey(partition);
    const { directory } = this.#options;
    const value = recordBytes(row);
    try {
      const revision = await this.#bounded(directory.put(key, value, known));
      this.view.take({ key, value, revision });
    } catch (error) {
      if (toShoalError(error).code === 'ERR_BUS_CONFLICT') await this.look(partition);
      throw error;
    }
  }

  /** Reads the row of a partition anew. */
  async look(partition: number): Promise<void> {
    const key = partitionKey(partition);
    const entry = await this.#bounded(this.#options.directory.get(key));
    const known = this.view.row(partition)?.revision ?? 0;
    this.view.take(entry ?? { key, value: undefined, revision: known });
  }

  /** Whether a scheduler has no heartbeat: what it owned is nobody's. */
  async isGone(id: SchedulerId): Promise<boolean> {
    const key = heartbeatKey(id);
    const entry = await this.#bounded(this.#options.directory.get(key));
    this.view.take(entry ?? { key, value: undefined, revision: this.view.heartbeat(id)?.revision ?? 0 });
    return entry === undefined;
  }

  /** Removes the heartbeat of another that stands still, unless it moved: it owns nothing from then on, whenever it wakes. */
  async removeHeartbeat(id: SchedulerId): Promise<void> {
    const heartbeat = this.view.heartbeat(id);
    if (heartbeat === undefined) return;
    const key = heartbeatKey(id);
    try {
      await this.#bounded(this.#options.directory.remove(key, heartbeat.revision));
    } catch (error) {
      // It moved, or is gone already, unheard.
      if (toShoalError(error).code !== 'ERR_BUS_CONFLICT' || !(await this.isGone(id))) throw error;
    }
    this.view.take({ key, value: undefined, revision: heartbeat.revision });
  }

  /** Grants nothing from now on, and removes the own heartbeat: others need not wait for the term. */
  async depart(): Promise<void> {
    this.#endTerm();
    if (this.#revision !== 0) await this.#bounded(this.#options.directory.remove(this.#key, this.#revision));
  }

  /** A term is short: nobody waits as long as the bus would. @throws ERR_BUS_TIMEOUT */
  async #bounded<R>(operation: Promise<R>): Promise<R> {
    const { clock } = this.#options;
    return new Promise<R>((resolve, reject) => {
      const cancel = clock.after(LIMITS.ownershipMs, () =>
        reject(new ShoalError('ERR_BUS_TIMEOUT', 'the store of ownership did not answer in time')),
      );
      operation.then(resolve, reject).finally(cancel);
    });
  }
}

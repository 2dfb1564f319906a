import type {
  ActualRange,
  DownloadProgress,
  DownloadRequest,
  DownloadResult,
  StreamHooks,
  StreamStart,
} from '../../core/download.ts';
import { toShoalError } from '../../core/errors.ts';
import { digestOfTask, taskIdAt } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import { placeFor } from '../../origins/place.ts';
import type { StoredTask } from '../../storage/store.ts';
import type { PeerInput } from '../host/peer/input.ts';
import type { PeerActor } from '../host/peer/peer.ts';
import type { Peers } from '../host/peers.ts';
import type { HostWorld } from '../host/world.ts';
import { type ClientAdmission, refuseBareClaim } from './admission.ts';
import { untilComplete } from './completion.ts';
import { type ClientStart, clientStart, localResult, peerResult } from './download-facts.ts';
import { endedBy } from './ended-by.ts';
import { Gate } from './gate.ts';
import { Given } from './given.ts';
import { OwnResources } from './own-resources.ts';
import { actualRange, damagedPiece, readInOrder } from './reader.ts';
import { ownSource } from './source-claims.ts';
import { targetOf } from './target.ts';
import { Tries } from './tries.ts';

/** What clients ask of a host: content, whole or in order. */
export class Downloads {
  readonly #world: HostWorld;
  readonly #peers: Peers;
  readonly #admission: ClientAdmission;
  readonly #own: OwnResources;

  constructor(world: HostWorld, peers: Peers, admission: ClientAdmission) {
    this.#world = world;
    this.#peers = peers;
    this.#admission = admission;
    this.#own = new OwnResources(world);
  }

  /** Fetches a resource into the cache. @throws any ShoalError */
  async get(
    request: DownloadRequest,
    onProgress: (progress: DownloadProgress) => void,
    signal: AbortSignal,
  ): Promise<DownloadResult> {
    const startedMs = this.#world.clock.now();
    try {
      const result = await this.#getOften(request, onProgress, startedMs, signal);
      this.#world.metrics.getEnded('ok', result.durationMs);
      return result;
    } catch (thrown) {
      const error = toShoalError(signal.aborted ? (signal.reason ?? thrown) : thrown);
      this.#world.metrics.getEnded(error.code, this.#world.clock.now() - startedMs);
      throw error;
    }
  }

  async #getOften(
    request: DownloadRequest,
    onProgress: (progress: DownloadProgress) => void,
    startedMs: number,
    signal: AbortSignal,
  ): Promise<DownloadResult> {
    const tries = new Tries(this.#world);
    for (;;) {
      try {
        return await this.#get(request, tries, onProgress, startedMs, signal);
      } catch (error) {
        if (!tries.again(error)) throw error;
      }
    }
  }

  async #get(
    request: DownloadRequest,
    tries: Tries,
    onProgress: (progress: DownloadProgress) => void,
    startedMs: number,
    signal: AbortSignal,
  ): Promise<DownloadResult> {
    const { clock } = this.#world;
    onProgress({ doneBytes: 0, bytes: { origin: 0, peers: 0, local: 0 }, parents: 0, state: 'resolving' });
    const { input, gate } = await this.#open(request, tries, signal);
    const cached = await this.#cached(input);
    if (cached) {
      await gate.pass(cached);
      return localResult(cached, clock.now() - startedMs);
    }
    const peer = await this.#peers.open(input);
    const start = clientStart(peer, startedMs, clock.now());
    const pass = (stored: StoredTask) => gate.pass(stored);
    const maySee = () => {
      const { stored } = peer.content;
      if (stored !== undefined && stored.have.count > 0) pass(stored).catch(() => {});
      return gate.isOpen;
    };
    const progress = { tell: onProgress, maySee };
    const unfollow = gate.follow(peer.content);
    await untilComplete(peer, { clock, progress, signal: gate.signal }).finally(unfollow);
    const stored = contentOf(peer);
    await pass(stored);
    return peerResult(peer, stored, start, clock.now());
  }

  /**
   * The content, or a range of it, in order while it arrives. A reader that goes away ends nothing for others; the
   * download itself is given up with its last client, and what it brought stays.
   * @throws any ShoalError, also in the middle; ERR_TASK_RANGE before the first byte
   */
  stream(request: DownloadRequest, hooks: StreamHooks, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    return endedBy(signal, this.#streamOften(request, hooks, signal));
  }

  async *#streamOften(
    request: DownloadRequest,
    hooks: StreamHooks,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const tries = new Tries(this.#world);
    const given = new Given();
    try {
      for (;;) {
        try {
          for await (const chunk of this.#stream(request, tries, given, hooks, signal)) {
            const lacking = await given.lacking(chunk);
            if (lacking.length > 0) yield lacking;
            else hooks.buffers?.give(chunk);
          }
          return;
        } catch (error) {
          if (given.isOther || !tries.again(error)) throw error;
          given.hold();
        }
      }
    } finally {
      given.close();
    }
  }

  async *#stream(
    request: DownloadRequest,
    tries: Tries,
    given: Given,
    hooks: StreamHooks,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const { clock } = this.#world;
    const startedMs = clock.now();
    const { input, gate } = await this.#open(request, tries, signal);
    const start =
      (from: StreamStart['from'], peer?: PeerActor) => (stored: StoredTask, range: ActualRange) => {
        const { taskId, length, mediaType, encoding, etag } = stored.record;
        if (!given.begin(stored, range)) return;
        const originReason = peer?.stats.mainReason;
        hooks.onStart?.({ taskId, length, mediaType, encoding, etag, range, from, originReason });
      };
    const cached = await this.#cached(input);
    if (cached) {
      await gate.pass(cached);
      const { length = 0 } = cached.record;
      const range = actualRange(request.range, length);
      start('cache')(cached, range);
      const rest = { start: range.start, end: range.end ?? length };
      let damage: number | undefined;
      try {
        for await (const chunk of cached.stream(rest, gate.signal, hooks.buffers)) {
          rest.start += chunk.length;
          yield chunk;
        }
      } catch (error) {
        damage = damagedPiece(error);
        if (damage === undefined) throw error;
      }
      if (damage === undefined) return hooks.onResult(localResult(cached, clock.now() - startedMs));
      const peer = await this.#peers.open(input);
      await peer.damaged();
      const began = clientStart(peer, startedMs, clock.now());
      return yield* this.#arriving({ peer, gate, began }, { ...request, range: rest }, hooks, () => {});
    }
    const peer = await this.#peers.open(input);
    const began = clientStart(peer, startedMs, clock.now());
    yield* this.#arriving({ peer, gate, began }, request, hooks, start('swarm', peer));
  }

  /** Content in order while its pieces arrive, or come again. */
  async *#arriving(
    { peer, gate, began }: { peer: PeerActor; gate: Gate; began: ClientStart },
    { range }: DownloadRequest,
    hooks: StreamHooks,
    onStart: (stored: StoredTask, range: ActualRange) => void,
  ): AsyncGenerator<Uint8Array> {
    const { clock } = this.#world;
    const unlisten = peer.listen(() => {});
    const unfollow = gate.follow(peer.content);
    let isCut = true;
    try {
      const whole = () => untilComplete(peer, { clock, signal: gate.signal });
      const { buffers } = hooks;
      yield* readInOrder({ peer, gate, range, onStart, whole, buffers });
      isCut = false;
      if (range === undefined) await whole();
      const stored = contentOf(peer);
      hooks.onResult(peerResult(peer, stored, began, clock.now()));
    } finally {
      unfollow();
      // Whoever reads range after range comes back at once: what is in flight for the next is not thrown away. Some ask
      // for all the rest each time, and go when they have their part.
      const isBack = range !== undefined && gate.isOpen && !peer.content.complete;
      if (isBack) clock.after(isCut ? LIMITS.lingerCutMs : LIMITS.lingerMs, unlisten);
      else unlisten();
    }
  }

  async #open(
    request: DownloadRequest,
    tries: Tries,
    signal: AbortSignal,
  ): Promise<{ input: PeerInput; gate: Gate }> {
    refuseBareClaim(request);
    const target = await targetOf(this.#world, this.#own, request, tries, signal);
    const input = this.#apart(request, tries, target);
    const { taskId } = input;
    tries.taskId = taskId;
    const { store } = this.#world;
    const gate = new Gate({ admission: this.#admission, store, request, taskId, signal });
    return { input, gate };
  }

  async #cached(input: PeerInput): Promise<StoredTask | undefined> {
    if (!this.#world.store.row(input.taskId)?.complete) return undefined;
    const stored = await this.#world.store.open(input.taskId);
    if (!stored?.complete) return undefined;
    input.opened?.body?.discard();
    return stored;
  }

  /** What was once read where the client names, and kept apart from what others gave, is given from there. */
  #apart(request: DownloadRequest, tries: Tries, input: PeerInput): PeerInput {
    const digest = digestOfTask(input.taskId);
    const own = ownSource(request);
    if (digest === undefined || own === undefined) return input;
    const taskId = taskIdAt(digest, placeFor(own, digest));
    const { store } = this.#world;
    if (tries.isApart) return { ...input, taskId };
    const row = store.row(input.taskId);
    const isPublic = row?.complete === true && row.audience === 'public';
    return !isPublic && store.row(taskId) !== undefined ? { ...input, taskId } : input;
  }
}

function contentOf(peer: PeerActor): StoredTask {
  const { stored } = peer.content;
  if (stored === undefined) throw toShoalError(new Error('a peer that gave content has none'));
  return stored;
}

import { ShoalError, toShoalError } from '../core/errors.ts';
import {
  type Digest,
  digestOfTask,
  isTaskId,
  looksLikeDigest,
  parseDigest,
  type TaskId,
  taskIdOfDigest,
} from '../core/ids.ts';
import { parseSourceUrl } from '../core/source.ts';
import { isReserved } from '../origins/request-headers.ts';
import type { StoredTask } from '../storage/store.ts';
import { proveAudience } from './audience.ts';
import { type FreshBytes, FreshRanges } from './fresh-ranges.ts';
import type { HostWorld } from './host-world.ts';
import type { PeerActor, PeerInput } from './peer.ts';
import type { Peers } from './peers.ts';
import { readInOrder } from './reader.ts';
import { resolveUrl } from './resolve.ts';

/** What a client wants. */
export interface DownloadRequest {
  /** URL, digest or task id. */
  readonly resource: string;
  readonly digest?: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly noOrigin: boolean;
  readonly maxStaleMs: number;
}

/** How far a download is. */
export interface DownloadProgress {
  readonly taskId?: string | undefined;
  readonly length?: number | undefined;
  readonly doneBytes: number;
  readonly bytes: { readonly origin: number; readonly peers: number; readonly local: number };
  readonly parents: number;
  readonly state: 'resolving' | 'waiting' | 'transferring' | 'adrift' | 'verifying';
  /** The cached file while it fills, and what of it was verified since the progress before. */
  readonly cached?: FreshBytes | undefined;
}

/** Where the content came from, and where it is now. */
export interface DownloadResult {
  readonly taskId: TaskId;
  readonly length: number;
  /** The cached file; absent for content that is not public, which is only streamed. */
  readonly path?: string;
  /** What was copied from the file under this revision is right. */
  readonly revision?: string;
  readonly digest?: Digest;
  readonly bytes: DownloadProgress['bytes'];
  readonly originReasons: PeerActor['stats']['originReasons'];
  readonly parents: number;
  readonly durationMs: number;
  readonly longestGapMs: number;
}

const PROGRESS_MS = 200;
/** A download starts over this often where the origin replaces the content meanwhile. */
const RESTARTS = 2;

/** What clients ask of a host: content, whole or in order. */
export class Downloads {
  readonly #world: HostWorld;
  readonly #peers: Peers;

  constructor(world: HostWorld, peers: Peers) {
    this.#world = world;
    this.#peers = peers;
  }

  /** Fetches a resource into the cache. @throws any ShoalError */
  async get(
    request: DownloadRequest,
    onProgress: (progress: DownloadProgress) => void,
    signal: AbortSignal,
  ): Promise<DownloadResult> {
    const startedMs = this.#world.clock.now();
    try {
      const result = await this.#restarting(() => this.#get(request, onProgress, startedMs, signal));
      this.#world.metrics.getEnded('ok', result.durationMs);
      return result;
    } catch (thrown) {
      const error = toShoalError(signal.aborted ? (signal.reason ?? thrown) : thrown);
      this.#world.metrics.getEnded(error.code, this.#world.clock.now() - startedMs);
      throw error;
    }
  }

  async #restarting(attempt: () => Promise<DownloadResult>): Promise<DownloadResult> {
    for (let restart = 0; ; restart += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (toShoalError(error).code !== 'ERR_TASK_CHANGED' || restart === RESTARTS) throw error;
        this.#world.log.info({}, 'the origin replaced the content; starting over');
      }
    }
  }

  async #get(
    request: DownloadRequest,
    onProgress: (progress: DownloadProgress) => void,
    startedMs: number,
    signal: AbortSignal,
  ): Promise<DownloadResult> {
    onProgress({ doneBytes: 0, bytes: { origin: 0, peers: 0, local: 0 }, parents: 0, state: 'resolving' });
    const input = await this.#target(request, signal);
    const cached = await this.#cached(input, request, signal);
    if (cached) return this.#localResult(cached, startedMs);
    const peer = await this.#peers.open(input);
    await this.#untilComplete(peer, onProgress, signal);
    const { stored } = peer.content;
    if (stored === undefined) throw new ShoalError('ERR_INTERNAL', 'a complete peer without content');
    await this.#prove(stored, request, signal);
    return this.#result(peer, stored, startedMs);
  }

  /**
   * The content in order while it arrives; what it was made of is told at the end.
   * @throws any ShoalError, also in the middle
   */
  async *stream(
    request: DownloadRequest,
    onResult: (result: DownloadResult) => void,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const startedMs = this.#world.clock.now();
    const input = await this.#target(request, signal);
    const cached = await this.#cached(input, request, signal);
    if (cached) {
      yield* cached.stream({ start: 0, end: cached.record.length ?? 0 }, signal);
      return onResult(this.#localResult(cached, startedMs));
    }
    const peer = await this.#peers.open(input);
    const unlisten = peer.listen(() => {});
    try {
      yield* readInOrder(peer, (stored) => this.#prove(stored, request, signal), signal);
      await this.#untilComplete(peer, () => {}, signal);
      if (peer.content.stored) onResult(this.#result(peer, peer.content.stored, startedMs));
    } finally {
      unlisten();
    }
  }

  /** Which task is meant, and how to ask its source. @throws ERR_CONFIG_INVALID, ERR_DIGEST_INVALID, ERR_SOURCE_* */
  async #target(request: DownloadRequest, signal: AbortSignal): Promise<PeerInput> {
    const { resource, noOrigin } = request;
    refuseReserved(request.headers);
    const digest = request.digest === undefined ? undefined : parseDigest(request.digest);
    const byId = this.#idOf(resource);
    if (byId !== undefined) {
      if (digest !== undefined && digest !== digestOfTask(byId)) {
        throw new ShoalError('ERR_DIGEST_INVALID', 'the resource is another digest than --digest says');
      }
      return { taskId: byId, sources: [], headers: {}, mayReadOrigin: !noOrigin };
    }
    const { url, userInfo } = parseSourceUrl(resource);
    const headers = { ...request.headers };
    if (userInfo !== undefined)
      headers['authorization'] = `Basic ${Buffer.from(userInfo).toString('base64')}`;
    const source = { url, credentials: Object.keys(headers).length > 0 };
    const mayReadOrigin = !noOrigin;
    if (digest !== undefined)
      return { taskId: taskIdOfDigest(digest), sources: [source], headers, mayReadOrigin };
    // Without the origin nothing can be newer than what the swarm was told last.
    const maxStaleMs = noOrigin ? Number.MAX_SAFE_INTEGER : request.maxStaleMs;
    const resolved = await resolveUrl(this.#world, { url, headers, mayReadOrigin, maxStaleMs }, signal);
    const opened = { probed: resolved.probed, body: resolved.body };
    return { taskId: resolved.taskId, sources: [source], headers, mayReadOrigin, opened };
  }

  #idOf(resource: string): TaskId | undefined {
    if (isTaskId(resource)) return resource;
    return looksLikeDigest(resource) ? taskIdOfDigest(parseDigest(resource.replace('-', ':'))) : undefined;
  }

  async #cached(
    input: PeerInput,
    request: DownloadRequest,
    signal: AbortSignal,
  ): Promise<StoredTask | undefined> {
    if (!this.#world.store.row(input.taskId)?.complete) return undefined;
    const stored = await this.#world.store.open(input.taskId);
    if (!stored?.complete) return undefined;
    input.opened?.body?.discard();
    await this.#prove(stored, request, signal);
    return stored;
  }

  /** Content that is not public is given only to a client that its own source lets in. */
  async #prove(stored: StoredTask, request: DownloadRequest, signal: AbortSignal): Promise<void> {
    await proveAudience(this.#world, stored, request, signal);
  }

  #untilComplete(
    peer: PeerActor,
    onProgress: (progress: DownloadProgress) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#world;
    return new Promise((resolve, reject) => {
      let toldMs = Number.NEGATIVE_INFINITY;
      let toldState = '';
      const fresh = new FreshRanges(peer.content);
      const finish = (settle: () => void) => {
        unlisten();
        cancelTick();
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const onAbort = () => finish(() => reject(signal.reason as Error));
      const check = () => {
        if (peer.state === 'serving') {
          onProgress({ ...progressOf(peer), cached: fresh.take() });
          return finish(resolve);
        }
        if (peer.ended)
          return finish(() => reject(peer.error ?? new ShoalError('ERR_CANCELLED', 'the peer left')));
        if (peer.state === toldState && clock.now() - toldMs < PROGRESS_MS) return;
        toldMs = clock.now();
        toldState = peer.state;
        onProgress({ ...progressOf(peer), cached: fresh.take() });
      };
      const tick = () => {
        cancelTick = clock.after(PROGRESS_MS, tick);
        check();
      };
      let cancelTick = clock.after(PROGRESS_MS, tick);
      const unlisten = peer.listen(check);
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      check();
    });
  }

  #result(peer: PeerActor, stored: StoredTask, startedMs: number): DownloadResult {
    const { stats, parentCount } = peer;
    return {
      ...this.#localResult(stored, startedMs),
      revision: peer.content.revision,
      bytes: stats.received(),
      originReasons: stats.originReasons,
      parents: parentCount,
      longestGapMs: stats.longestGapMs,
    };
  }

  #localResult(stored: StoredTask, startedMs: number): DownloadResult {
    const { taskId, audience, length = 0 } = stored.record;
    const digest = digestOfTask(taskId);
    return {
      taskId,
      length: length,
      ...(audience === 'public' ? { path: stored.path } : {}),
      ...(digest === undefined ? {} : { digest }),
      bytes: { origin: 0, peers: 0, local: length },
      originReasons: {},
      parents: 0,
      durationMs: this.#world.clock.now() - startedMs,
      longestGapMs: 0,
    };
  }
}

/** A header that a read says itself would be dropped in silence otherwise. */
function refuseReserved(headers: DownloadRequest['headers']): void {
  const name = Object.keys(headers).find(isReserved);
  if (name === undefined) return;
  throw new ShoalError('ERR_CONFIG_INVALID', `--header ${name}: Shoal sets this header itself`);
}

const STATES: Partial<Record<PeerActor['state'], DownloadProgress['state']>> = {
  joining: 'waiting',
  transferring: 'transferring',
  adrift: 'adrift',
  verifying: 'verifying',
  serving: 'verifying',
};

function progressOf(peer: PeerActor): DownloadProgress {
  const { content, stats } = peer;
  return {
    taskId: peer.taskId,
    length: content.length,
    doneBytes: content.storedBytes,
    bytes: stats.received(),
    parents: peer.parentCount,
    state: STATES[peer.state] ?? 'waiting',
  };
}

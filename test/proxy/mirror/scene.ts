import { createHash } from 'node:crypto';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { ClientAdmission } from '../../../actors/client/admission.ts';
import { actualRange } from '../../../actors/client/reader.ts';
import type { Clock } from '../../../core/clock.ts';
import type { DownloadRequest, StreamHooks, StreamStart } from '../../../core/download.ts';
import { ShoalError } from '../../../core/errors.ts';
import { type Digest, digestOfTask, type HostId, parseDigest, taskIdOfDigest } from '../../../core/ids.ts';
import { silentLogger } from '../../../core/logger.ts';
import type { ProxyRoute } from '../../../core/metrics.ts';
import { NOTHING_SPENT, timeSpent } from '../../../core/time-spent.ts';
import type { Origin } from '../../../origins/origin.ts';
import { ClientLogins } from '../../../origins/registry/client-logins.ts';
import type { Registries } from '../../../origins/registry/open-registries.ts';
import type { RegistryAnswer, RegistryClient, RegistryRequest } from '../../../origins/registry/registry.ts';
import type { ForwardHandler } from '../../../proxy/forward-handler.ts';
import { Mirror } from '../../../proxy/mirror/mirror.ts';
import { MirrorTokens } from '../../../proxy/mirror/mirror-tokens.ts';
import { MIRROR_LIMITS, type MirrorLimits, type MirrorWorld } from '../../../proxy/mirror/mirror-world.ts';
import { PullBook, type PullStory } from '../../../proxy/mirror/pull-book.ts';
import { TagMemory } from '../../../proxy/mirror/tag-memory.ts';
import { startProxyPort } from '../../../proxy/port.ts';
import { createMemoryStore } from '../../../storage/memory-store.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { realClock, seededRandom } from '../../transport/real-clock.ts';

export const HOST = '7d3b1f0c9a5e4d2f8b6a1c0e3f5d7b92' as HostId;
export const OTHER = '21c04fe9b8d7465fa3e0d1c2b3a49586';

export function digestOf(content: Uint8Array | string, algorithm = 'sha256'): Digest {
  return parseDigest(`${algorithm}:${createHash(algorithm).update(content).digest('hex')}`);
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Whether the body came to its end. */
  readonly whole: boolean;
}

/** What the upstream registry of the scene says to a request. */
export type Upstream = (request: RegistryRequest) => Partial<RegistryAnswer> | Error;

interface Cached {
  readonly content: Uint8Array;
  readonly mediaType?: string;
  readonly isPublic?: boolean;
  /** `https://registry-1.docker.io` unless given. */
  readonly home?: string;
}

export interface Scene extends AsyncDisposable {
  readonly port: number;
  /** What was asked of the upstream. */
  readonly asked: RegistryRequest[];
  readonly streamed: DownloadRequest[];
  readonly pulled: PullStory[];
  readonly counted: [ProxyRoute, number][];
  /** Content of the swarm, by digest. */
  readonly swarm: Map<string, Uint8Array>;
  /** Content that is here whole. */
  readonly cache: Map<string, Cached>;
  upstream: Upstream;
  /** Replaces how content comes out of the swarm. */
  /** Why the swarm reads the registry for what it gives, where it does. */
  originReason: StreamStart['originReason'];
  /** What the host says it has received. */
  received: () => number;
  deliver: ((content: Uint8Array, signal: AbortSignal) => AsyncIterable<Uint8Array>) | undefined;
  ask(target: string, headers?: Record<string, string>, method?: string): Promise<Answer>;
  /** Lets the pulls under way end, so that they are told. */
  endPulls(): void;
}

const nothing: ForwardHandler = {
  request: ({ response }) => void response.end(),
  prefix: ({ response }) => void response.end(),
  connect: (_request, socket) => void socket.end(),
};

/** A mirror on a real port, with an upstream and a swarm that do as told. */
export async function startScene(
  more: Partial<Pick<MirrorWorld, 'defaultRegistry' | 'registries' | 'staleTagsMs'>> & {
    limits?: Partial<MirrorLimits>;
    graceMs?: number;
    memoryMs?: number;
    clock?: Clock;
    /** The way to real registries, in place of what `upstream` says. */
    reach?: Pick<Registries, 'client' | 'logins'>;
  } = {},
): Promise<Scene> {
  const dir = await tempDir();
  const scene = {
    asked: [] as RegistryRequest[],
    streamed: [] as DownloadRequest[],
    pulled: [] as PullStory[],
    counted: [] as [ProxyRoute, number][],
    swarm: new Map<string, Uint8Array>(),
    cache: new Map<string, Cached>(),
    upstream: (() => ({ status: 404 })) as Upstream,
    deliver: undefined as Scene['deliver'],
    originReason: undefined as Scene['originReason'],
    received: () => 0,
  };
  const clock = more.clock ?? realClock;
  const logins = more.reach?.logins ?? new ClientLogins(clock, seededRandom(3));
  const registry: RegistryClient = {
    async ask(request, signal) {
      scene.asked.push(request);
      if (more.reach !== undefined) return more.reach.client.ask(request, signal);
      const answer = scene.upstream(request);
      if (answer instanceof Error) throw answer;
      const body = request.method === 'HEAD' ? new Uint8Array() : (answer.body ?? new Uint8Array());
      const as = request.authorization === undefined ? 'anonymous' : 'client';
      return { status: 200, headers: {}, as, ...answer, body };
    },
  };
  async function* stream(request: DownloadRequest, hooks: StreamHooks, signal: AbortSignal) {
    scene.streamed.push(request);
    const taskId = taskIdOfDigest(parseDigest(request.digest ?? ''));
    const cached = scene.cache.get(digestOfTask(taskId) ?? '');
    const known = { wasOpen: cached?.isPublic ?? false };
    if (request.claim !== undefined) await admission.prove(request.claim, known, signal);
    const content = cached?.content ?? scene.swarm.get(request.digest ?? '');
    if (content === undefined) throw new ShoalError('ERR_SOURCE_NOT_FOUND', 'nobody has it');
    const { length } = content;
    const range = actualRange(request.range, length);
    const { mediaType } = cached ?? {};
    const from = cached === undefined ? 'swarm' : 'cache';
    const { originReason } = scene;
    hooks.onStart?.({ taskId, length, mediaType, range, from, etag: undefined, originReason });
    const part = content.subarray(range.start, range.end);
    if (scene.deliver) yield* scene.deliver(part, signal);
    else if (part.length > 0) yield part;
    const bytes =
      from === 'cache' ? { origin: 0, peers: 0, local: length } : { origin: 0, peers: length, local: 0 };
    const time = timeSpent(NOTHING_SPENT, 0);
    const counts = { originReasons: {}, parents: 1, durationMs: 1, longestGapMs: 0, time };
    const result = { taskId, length, bytes, ...counts };
    hooks.onResult(result);
  }
  const origin: Origin = {
    async read(request, sink) {
      const digest = decodeURIComponent(request.url.split('/').at(-1) ?? '');
      const content = scene.swarm.get(digest) ?? new Uint8Array();
      await sink(content.subarray(request.range.start, request.range.end));
    },
    probe: () => Promise.reject(new Error('not asked')),
    allows: () => true,
    close: async () => undefined,
  };
  const admission = new ClientAdmission(
    {
      clock: realClock,
      random: seededRandom(1),
      origin,
      registry,
      store: createMemoryStore({ clock: realClock }),
      log: silentLogger,
    },
    { memoryMs: more.memoryMs ?? 0, graceMs: more.graceMs ?? 0 },
  );
  const book = new PullBook({
    clock: realClock,
    hostId: HOST,
    quietMs: 60_000,
    onPulled: (story) => void scene.pulled.push(story),
  });
  const { staleTagsMs = 0 } = more;
  const tags = new TagMemory({
    file: join(dir.path, 'tags'),
    clock: realClock,
    logger: silentLogger,
    enabled: staleTagsMs > 0,
  });
  const mirror = new Mirror({
    hostId: HOST,
    clock: realClock,
    registry,
    tokens: new MirrorTokens({ hostId: HOST, clock, random: seededRandom(2), logins }),
    admission,
    origin,
    downloads: { stream },
    cached: async (taskId) => {
      const digest = digestOfTask(taskId);
      const row = digest === undefined ? undefined : scene.cache.get(digest);
      if (row === undefined || digest === undefined || taskId !== taskIdOfDigest(digest)) return undefined;
      const { content, mediaType, isPublic = false, home = 'https://registry-1.docker.io' } = row;
      return { length: content.length, mediaType, isPublic, home };
    },
    book,
    tags,
    metrics: { proxyAnswered: (route, status) => void scene.counted.push([route, status]), proxySent() {} },
    logger: silentLogger,
    registries: more.registries ?? {},
    defaultRegistry: more.defaultRegistry,
    staleTagsMs,
    received: () => scene.received(),
    limits: { ...MIRROR_LIMITS, ...more.limits },
  });
  const port = await startProxyPort({
    listen: '127.0.0.1',
    port: 0,
    mirror: (asked) => mirror.handle(asked),
    forward: nothing,
    logger: silentLogger,
    limits: { closeMs: 100 },
  });
  return Object.assign(scene, {
    port: port.port,
    ask: (target: string, headers: Record<string, string> = {}, method = 'GET') =>
      askPort(port.port, target, headers, method),
    endPulls: () => book.close(),
    async [Symbol.asyncDispose]() {
      await port[Symbol.asyncDispose]();
      book.close();
      await tags.close();
      await dir[Symbol.asyncDispose]();
    },
  });
}

/** Asks a port of this machine, and reads the answer as far as it comes; status 0 where nothing of it did. */
export function askPort(
  port: number,
  target: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Answer> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, path: target, headers, method, agent: false };
    const request = httpRequest(options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', () => undefined);
      response.on('close', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(parts),
          whole: response.complete,
        }),
      );
    });
    request.on('error', () => resolve({ status: 0, headers: {}, body: Buffer.alloc(0), whole: false }));
    request.end();
  });
}

/** The errors in the body of an answer. */
export function errorsOf({ body }: Answer): { code: string; message: string; detail?: unknown }[] {
  return (JSON.parse(body.toString('utf8')) as { errors: { code: string; message: string }[] }).errors;
}

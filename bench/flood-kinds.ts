import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { packHashes } from '../core/hash-page.ts';
import { type HostId, hostIdFrom, partitionOf, type ResourceId, type TaskId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { SyncRequest } from '../core/sync-messages.ts';
import type { Bus } from '../transport/bus.ts';
import { SUBJECTS } from '../transport/subjects.ts';

/** Where a host floods, and as whom. */
export interface Flood {
  readonly bus: Bus;
  readonly hostId: HostId;
  /** What the host says of itself. */
  readonly alive: Alive;
  /** Another host, which is ordered about. */
  readonly other: HostId;
  /** Ports of that host that take connections. */
  readonly ports: readonly number[];
}

type Alive = ReturnType<typeof aliveOf>;
/** Sends the message of that number; what is answered, where it is a question. */
export type Send = (flood: Flood, number: number) => Promise<unknown> | undefined;

const TIMEOUT = { timeoutMs: 2_000 };
const hexOf = (text: string) => createHash('sha256').update(text).digest('hex');
const urlTask = (text: string) => `url-${hexOf(text)}` as TaskId;
const digestTask = (text: string) => `sha256-${hexOf(text)}` as TaskId;
const geometryOf = (pieces: number) => ({
  length: pieces * LIMITS.pieceMinBytes,
  pieceLength: LIMITS.pieceMinBytes,
});

function say(bus: Bus, hostId: HostId, alive: Alive): void {
  bus.publish(SUBJECTS.alive, { hostId }, alive);
}

/** What a host of that incarnation says of itself. */
export function aliveOf(incarnation: number) {
  return {
    incarnation,
    ip: '127.0.0.1',
    port: 9,
    role: 'normal' as const,
    version: 'flood',
    uploading: 0,
    downloading: 0,
    slotsUp: 16,
    slotsDown: 24,
    cachedBytes: 0,
    cachedTasks: 0,
  };
}

function sync({ bus, hostId }: Flood, taskId: TaskId, seq: number, more: Partial<SyncRequest>) {
  const request: SyncRequest = {
    incarnation: 1,
    seq,
    base: 0,
    added: [],
    running: [],
    queued: [],
    freeSlots: 24,
    transferBytesPerSec: 1e8,
    wants: false,
    sources: [{ url: `http://127.0.0.1:9/${taskId}`, credentials: false }],
    mayReadOrigin: true,
    failures: [],
    hashCursor: 0,
    adrift: true,
    seen: { epoch: 0, number: 0 },
    received: { origin: 0, peers: 0, local: 0 },
    ...more,
  };
  return bus.request(
    SUBJECTS.sync,
    { partition: String(partitionOf(taskId)), taskId, hostId },
    request,
    TIMEOUT,
  );
}

/** Ways to make a scheduler or a host remember or work. */
export const KINDS: Readonly<Record<string, Send>> = {
  /** Tasks that it makes up, of all sizes. */
  syncs(flood, number) {
    const pieces = 1 + (number % 4_096);
    const have = new Uint8Array(Math.ceil(pieces / 8)).fill(255);
    return sync(flood, urlTask(`${number}`), 1, { ...geometryOf(pieces), have, wants: number % 2 === 0 });
  },
  /** As many pieces of one digest as there can be, all with hashes; then of the next. */
  pieces(flood, number) {
    const page = number % (LIMITS.piecesPerTask / 2_048);
    const task = digestTask(`${(number - page) / (LIMITS.piecesPerTask / 2_048)}`);
    const hashes = Array.from({ length: 2_048 }, (_, index) => ({
      piece: page * 2_048 + index,
      hash: createHash('sha256').update(`${number} ${index}`).digest(),
    }));
    const have = new Uint8Array(LIMITS.piecesPerTask / 8).fill(255);
    const all = page === 0 ? { ...geometryOf(LIMITS.piecesPerTask), have } : {};
    return sync(flood, task, 1 + page, { ...all, base: page === 0 ? 0 : 1, hashes: packHashes(hashes) });
  },
  /** Tasks of digests with hashes, left behind as it is born again. */
  births(flood, number) {
    const incarnation = 1 + Math.floor(number / 2_000);
    if (number % 100 === 0) say(flood.bus, flood.hostId, aliveOf(incarnation));
    const hashes = packHashes([{ piece: 0, hash: createHash('sha256').update(`${number}`).digest() }]);
    const have = Uint8Array.of(0x80);
    return sync(flood, digestTask(`${number}`), 1, { ...geometryOf(1), incarnation, have, hashes });
  },
  /** Failures, reasons and errors as long as a message takes. */
  words(flood, number) {
    const task = urlTask(`${number % 1_024}`);
    const originReasons = Object.fromEntries(
      Array.from({ length: 2_000 }, (_, index) => [`${number} ${index}`, 1]),
    );
    const details = { list: Array.from({ length: 20_000 }, () => ({})) };
    const failures = Array.from({ length: 250 }, () => ({
      first: 0,
      count: 1_024,
      parent: hostIdFrom(randomBytes(16)),
      reason: 'corrupt' as const,
    }));
    const said = [{ originReasons }, { failures }, { failures: [refusal(details)] }][number % 3];
    return sync(flood, task, 1 + number, { ...geometryOf(1_024), ...said });
  },
  /** Content at rest that it does not have. */
  holdings({ bus, hostId }, number) {
    const tasks = Array.from({ length: 200 }, (_, index) => ({
      taskId: urlTask(`${number} ${index}`),
      audience: 'public' as const,
      ...(index % 8 === 0 ? { have: new Uint8Array(512).fill(255) } : {}),
      ...geometryOf(1 + (number % 4_096)),
    }));
    const partition = String(number % 64);
    bus.publish(
      SUBJECTS.holds,
      { hostId, to: partition },
      { incarnation: 1, page: 0, pages: 1, tasks, gone: [] },
    );
    return undefined;
  },
  /** Hosts that are none. */
  hosts({ bus, alive }) {
    say(bus, hostIdFrom(randomBytes(16)), alive);
    return undefined;
  },
  /** URLs, asked for and answered. */
  resolves({ bus, hostId }, number) {
    const resourceId = hexOf(`${number >> 1}`) as ResourceId;
    const tokens = { partition: String(partitionOf(resourceId)), resourceId, hostId };
    const asked = { url: `http://127.0.0.1:9/${resourceId}`, credentials: false, mayReadOrigin: true };
    const probed = { length: 5, etag: `"${'e'.repeat(900)}"`, ranges: true, audience: 'public' as const };
    const outcome = { kind: 'found' as const, taskId: urlTask(resourceId), probed, readingBytes: 0 };
    const told = number % 2 === 0 ? {} : { outcome };
    const request = { incarnation: 1, ask: number >> 1, maxStaleMs: 0, ...asked, ...told };
    return bus.request(SUBJECTS.resolve, tokens, request, TIMEOUT);
  },
  /** Lists, and how tasks came to hosts. */
  queries({ bus, hostId: sender }, number) {
    if (number % 2 === 0)
      return bus.gather(SUBJECTS.explain, { taskId: urlTask('0'), sender }, {}, { waitMs: 50 });
    return bus.request(SUBJECTS.query, { noun: 'task', sender }, { op: 'list' }, TIMEOUT);
  },
  /** Orders to fetch, where NATS lets a host give any. */
  jobs({ bus, hostId: sender, other: hostId }, number) {
    const items = Array.from({ length: 500 }, (_, index) => ({
      resource: `http://127.0.0.1:9/${number}/${index}`,
    }));
    const order = { jobId: hexOf(`${number}`).slice(0, 32), total: items.length, from: 0, items };
    return bus.request(SUBJECTS.fetch, { hostId, sender }, order, TIMEOUT);
  },
  /** Connections that say nothing, or nonsense; new ones without end. */
  connections({ ports }, number) {
    const port = ports[number % ports.length];
    if (port === undefined) return undefined;
    return new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        if (number % 2 === 0) socket.write('GET /v1/task/x HTTP/1.1\r\nHost: x\r\n\r\n');
        open.push(socket);
        if (open.length > MOST_OPEN) open.shift()?.destroy();
        resolve({ status: 'open' });
      });
      socket.on('data', () => undefined).on('error', () => resolve({ status: 'refused' }));
    });
  },
};

/** Connections that it holds open at once. */
const MOST_OPEN = 3_000;
const open: { destroy(): void }[] = [];

function refusal(details: Record<string, unknown>) {
  const error = { code: 'ERR_SOURCE_STATUS', message: 'm'.repeat(2_000), retryable: false, details };
  return { first: 0, count: 1, parent: 'origin' as const, reason: 'origin-status' as const, error };
}

import type { DownloadProgress, DownloadResult } from '../../core/download.ts';
import { digestOfTask } from '../../core/ids.ts';
import { pieceCount } from '../../core/piece.ts';
import {
  NOTHING_SPENT,
  type Spent,
  spentSince,
  type TimeSpent,
  timeSpent,
  totalMs,
} from '../../core/time-spent.ts';
import type { StoredTask } from '../../storage/store.ts';
import type { PeerActor } from '../host/peer/peer.ts';

/** What is told of content that was here before. */
export function localResult(stored: StoredTask, durationMs: number): DownloadResult {
  const { taskId, audience, length = 0 } = stored.record;
  const digest = digestOfTask(taskId);
  return {
    taskId,
    length,
    ...(audience === 'public' ? { path: stored.path, ...hashesOf(stored) } : {}),
    ...(digest === undefined ? {} : { digest }),
    bytes: { origin: 0, peers: 0, local: length },
    originReasons: {},
    parents: 0,
    durationMs,
    time: { ...timeSpent(NOTHING_SPENT, 0), asking: durationMs },
    longestGapMs: 0,
  };
}

/** More do not fit a message of the control socket. */
const MOST_HASHES = 16_384;

function hashesOf(stored: StoredTask): Pick<DownloadResult, 'pieces'> {
  const { length, pieceLength } = stored.record;
  if (length === undefined) return {};
  const count = pieceCount({ length, pieceLength });
  if (count > MOST_HASHES) return {};
  const hashes = Array.from({ length: count }, (_, piece) => stored.hash(piece) ?? new Uint8Array(32));
  return { pieces: { bytes: pieceLength, hashes: Buffer.concat(hashes).toString('base64') } };
}

/** Where a client came into a download. */
export interface ClientStart {
  /** When it asked, and when it came to the peer, monotonic ms. */
  readonly askedMs: number;
  readonly joinedMs: number;
  /** What the peer had spent then. */
  readonly before: Spent;
}

/** A client that asked at that time comes to a peer, which may have been begun for it. */
export function clientStart({ stats }: PeerActor, askedMs: number, nowMs: number): ClientStart {
  const isNew = stats.startedMs >= askedMs;
  return isNew
    ? { askedMs, joinedMs: stats.startedMs, before: NOTHING_SPENT }
    : { askedMs, joinedMs: nowMs, before: stats.spent() };
}

/** The whole time of a client, part by part: what is not the peer's was before or after. */
function clientTime(peer: PeerActor, { askedMs, joinedMs, before }: ClientStart, nowMs: number): TimeSpent {
  const { stats } = peer;
  const spent = spentSince(stats.spent(), before);
  const asking = joinedMs - askedMs;
  const client = Math.max(0, nowMs - joinedMs - totalMs(spent));
  return { ...timeSpent(spent, stats.linkBytesPerSec), asking, client };
}

/** What is told of content that a peer brought, so far. */
export function peerResult(
  peer: PeerActor,
  stored: StoredTask,
  start: ClientStart,
  nowMs: number,
): DownloadResult {
  const { content, stats, parentCount } = peer;
  return {
    ...localResult(stored, nowMs - start.askedMs),
    time: clientTime(peer, start, nowMs),
    revision: content.revision,
    bytes: stats.received(),
    originReasons: stats.originReasons,
    parents: parentCount,
    longestGapMs: stats.longestGapMs,
  };
}

const STATES: Partial<Record<PeerActor['state'], DownloadProgress['state']>> = {
  joining: 'waiting',
  transferring: 'transferring',
  starved: 'starved',
  adrift: 'adrift',
  verifying: 'verifying',
  serving: 'verifying',
};

/** How far a peer is. */
export function progressOf(peer: PeerActor): DownloadProgress {
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

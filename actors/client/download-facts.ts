import type { DownloadProgress, DownloadResult } from '../../core/download.ts';
import { digestOfTask } from '../../core/ids.ts';
import type { StoredTask } from '../../storage/store.ts';
import type { PeerActor } from '../host/peer/peer.ts';

/** What is told of content that was here before. */
export function localResult(stored: StoredTask, durationMs: number): DownloadResult {
  const { taskId, audience, length = 0 } = stored.record;
  const digest = digestOfTask(taskId);
  return {
    taskId,
    length,
    ...(audience === 'public' ? { path: stored.path } : {}),
    ...(digest === undefined ? {} : { digest }),
    bytes: { origin: 0, peers: 0, local: length },
    originReasons: {},
    parents: 0,
    durationMs,
    longestGapMs: 0,
  };
}

/** What is told of content that a peer brought, so far. */
export function peerResult(peer: PeerActor, stored: StoredTask, durationMs: number): DownloadResult {
  const { content, stats, parentCount } = peer;
  return {
    ...localResult(stored, durationMs),
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

import type { HostControl, HostStatus } from '../../admin/control.ts';
import type { DownloadResult } from '../../core/download.ts';
import { ShoalError } from '../../core/errors.ts';
import { parseDigest, taskIdOfDigest } from '../../core/ids.ts';
import type { TaskDetail } from '../../core/swarm-rows.ts';
import { NOTHING_SPENT, timeSpent } from '../../core/time-spent.ts';
import { hashesOf } from '../support/piece-hashes.ts';

const NOTHING = timeSpent(NOTHING_SPENT, 0);
const DIGEST = parseDigest(`sha256:${'a'.repeat(64)}`);

export const RESULT: DownloadResult = {
  taskId: taskIdOfDigest(DIGEST),
  length: 6,
  path: '/cache/a',
  pieces: hashesOf(Buffer.from('abcdef')),
  digest: DIGEST,
  bytes: { origin: 0, peers: 6, local: 0 },
  originReasons: {},
  parents: 1,
  durationMs: 12,
  time: { ...NOTHING, links: 12 },
  longestGapMs: 3,
};

export const STATUS: HostStatus = {
  hostId: '0'.repeat(32),
  version: '0.1.0',
  role: 'normal',
  swarm: 'shoal',
  nats: { url: 'nats://127.0.0.1:4222', state: 'connected' },
  state: 'announced',
  ip: '127.0.0.1',
  troubles: {},
  dataPort: 7400,
  uptimeMs: 1000,
  cache: { bytes: 0, tasks: 0, quotaBytes: 1 },
  transfers: { up: 0, down: 0, slotsUp: 12, slotsDown: 20 },
  bytes: { origin: 0, peers: 0, local: 0, sent: 0 },
  pid: process.pid,
};

export const TASK: TaskDetail = {
  taskId: RESULT.taskId,
  state: 'distributing',
  length: 6,
  pieceLength: 131_072,
  sources: ['http://origin/file'],
  holders: 1,
  fetching: 2,
  audience: 'public',
  peers: [
    {
      hostId: STATUS.hostId,
      have: 1,
      pieces: 1,
      bytes: { origin: 6, peers: 0, local: 0 },
      originReasons: { 'no-holder': 6 },
      state: 'serving',
    },
  ],
  originReasons: { 'no-holder': 6 },
};

/** A HostControl whose answers can be replaced. */
export function fakeControl(overrides: Partial<HostControl> = {}): HostControl {
  return {
    async get() {
      return RESULT;
    },
    async *stream(_request, onResult) {
      onResult(RESULT);
      yield Buffer.from('abcdef');
    },
    status: () => STATUS,
    async images() {
      return [];
    },
    async checkRegistries() {
      return [];
    },
    async tasks() {
      return [TASK];
    },
    async task(taskId) {
      if (taskId === TASK.taskId) return TASK;
      throw new ShoalError('ERR_TASK_NOT_FOUND', `no task ${taskId}`);
    },
    async history(taskId) {
      return { taskId, hashes: 1, deliveries: [] };
    },
    async explain(taskId) {
      const heard = { scheduler: true, hosts: 0, log: 'read' };
      const none = { origin: 0, peers: 0, local: 0 };
      return { taskId, sources: [], heard, bytes: none, originReasons: {}, hosts: [] };
    },
    async importFile({ digest, length }, content) {
      for await (const _ of content);
      return { taskId: taskIdOfDigest(digest), length, wasHere: false };
    },
    async cacheRows() {
      return [];
    },
    async dropTasks() {
      return [];
    },
    async prune() {
      return [];
    },
    async *scrub() {
      yield { taskId: TASK.taskId, bytes: 6, damaged: [] };
    },
    async tasksLike() {
      return [];
    },
    async removeTask() {
      return { hosts: 2 };
    },
    async hosts() {
      return [];
    },
    async schedulers() {
      return [];
    },
    ...overrides,
  };
}

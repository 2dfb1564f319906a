import type { EventData, EventType } from '../core/events.ts';
import { NOTHING_SPENT, timeSpent } from '../core/time-spent.ts';

export const TASK = 'sha256-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
export const HOST = '7d3b1f0c9a5e4d2f8b6a1c0e3f5d7b92';
export const GATEWAY = 'gateway';
export const SCHEDULER = '5c1e9d7a3b2f4068';
const JOB = '4f0c7be1d2a94835b6e0c3d7a1925f48';
const PARENT = '21c04fe9b8d7465fa3e0d1c2b3a49586';
const NOTHING = { origin: 0, peers: 0, local: 0 };
const NO_PROGRESS = { hosts: 0, succeeded: 0, failed: 0, length: 0, doneBytes: 0, bytes: NOTHING };
const PROGRESS = {
  ...{ hosts: 4, succeeded: 1, failed: 0, length: 838860800, doneBytes: 314572800 },
  bytes: { origin: 209715200, peers: 104857600, local: 0 },
};
const DONE = {
  ...{ hosts: 4, succeeded: 4, failed: 0, length: 838860800, doneBytes: 838860800 },
  bytes: { origin: 209715200, peers: 629145600, local: 0 },
};
const NO_TIME = timeSpent(NOTHING_SPENT, 0);

/** One example of each event's data, and whether a host or a scheduler says it. */
export const EXAMPLES: {
  readonly [T in EventType]: { by: 'host' | 'scheduler' | 'gateway'; data: EventData<T> };
} = {
  'task.created': {
    by: 'scheduler',
    data: { taskId: TASK, length: 268435456, sources: ['https://files.example.org/model.bin'] },
  },
  'task.failed': {
    by: 'scheduler',
    data: {
      taskId: TASK,
      error: { code: 'ERR_DIGEST_MISMATCH', message: 'the content of files.example.org has another digest' },
    },
  },
  'task.retired': { by: 'scheduler', data: { taskId: TASK } },
  'task.evicted': { by: 'host', data: { taskId: TASK, hostId: HOST } },
  'source.banned': {
    by: 'scheduler',
    data: { taskId: TASK, source: 'https://files.example.org/model.bin' },
  },
  'peer.joined': { by: 'host', data: { taskId: TASK, hostId: HOST } },
  'peer.completed': {
    by: 'host',
    data: {
      taskId: TASK,
      hostId: HOST,
      length: 268435456,
      bytes: { origin: 33554432, peers: 234881024, local: 0 },
      durationMs: 2140,
      originReasons: { 'no-holder': 33554432 },
      time: { ...NO_TIME, links: 1660, waiting: 290, tail: 190 },
      linkBytesPerSec: 161703503,
      sources: [
        { from: PARENT, bytes: 234881024, unusedBytes: 0, tookMs: 1720, failed: { stalled: 1 } },
        { from: 'origin', bytes: 33554432, unusedBytes: 0, tookMs: 900, failed: {} },
      ],
    },
  },
  'peer.failed': {
    by: 'host',
    data: {
      taskId: TASK,
      hostId: HOST,
      error: { code: 'ERR_STORE_FULL', message: 'no space left in /var/lib/shoal' },
    },
  },
  'peer.adrift': { by: 'host', data: { taskId: TASK, hostId: HOST, why: 'silent' } },
  'peer.starved': {
    by: 'host',
    data: { taskId: TASK, hostId: HOST, why: 'unreachable', parents: [PARENT] },
  },
  'peer.fed': { by: 'host', data: { taskId: TASK, hostId: HOST } },
  'peer.recovered': { by: 'host', data: { taskId: TASK, hostId: HOST } },
  'piece.rejected': { by: 'host', data: { taskId: TASK, hostId: HOST, parent: PARENT, piece: 17 } },
  'piece.damaged': { by: 'host', data: { taskId: TASK, hostId: HOST, piece: 17 } },
  'piece.failed': {
    by: 'host',
    data: { taskId: TASK, hostId: HOST, parent: PARENT, piece: 17, reason: 'stalled' },
  },
  'piece.verified': { by: 'host', data: { taskId: TASK, hostId: HOST, parent: PARENT, piece: 17 } },
  'preheat.ended': {
    by: 'host',
    data: {
      jobId: JOB,
      hostId: HOST,
      items: 6,
      failed: 1,
      bytes: { origin: 33554432, peers: 234881024, local: 0 },
      durationMs: 5320,
      errors: [
        {
          resource:
            'https://registry.example.org/v2/team/app/blobs/sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
          code: 'ERR_SOURCE_REFUSED',
          message: 'registry.example.org refuses with 401',
        },
      ],
    },
  },
  'job.accepted': { by: 'scheduler', data: { jobId: JOB, kind: 'preheat', progress: NO_PROGRESS } },
  'job.progressed': { by: 'scheduler', data: { jobId: JOB, kind: 'preheat', progress: PROGRESS } },
  'job.succeeded': { by: 'scheduler', data: { jobId: JOB, kind: 'preheat', progress: DONE } },
  'job.failed': {
    by: 'scheduler',
    data: {
      jobId: JOB,
      kind: 'preheat',
      progress: { ...PROGRESS, failed: 3 },
      error: { code: 'ERR_JOB_FAILED', message: '3 of 4 hosts failed' },
    },
  },
  'job.cancelled': { by: 'scheduler', data: { jobId: JOB, kind: 'pin', progress: DONE } },
  'image.pulled': {
    by: 'host',
    data: {
      hostId: HOST,
      client: '127.0.0.1',
      registry: 'docker.io',
      repository: 'library/postgres',
      reference: '17',
      digest: 'sha256:3962158596daaef3682838cc8eb0e719ad1ce520f88e34596ce8d5de1b6330a1',
      blobs: 15,
      bytes: { origin: 9437184, peers: 142606336, local: 0 },
      originReasons: { 'no-holder': 9437184 },
      sentBytes: 152043520,
      durationMs: 3120,
      time: { ...NO_TIME, asking: 410, links: 1800, origin: 620, client: 290 },
      outcome: 'complete',
    },
  },
  'registry.failed': {
    by: 'host',
    data: {
      hostId: HOST,
      registry: 'registry.lab:5000',
      url: 'https://registry.lab:5000',
      fault: 'plain-http',
      why: 'the daemon speaks https to it, and it speaks http',
      fix: 'start the daemon with --registry registry.lab:5000=http://registry.lab:5000',
      times: 1,
    },
  },
  'registry.recovered': {
    by: 'host',
    data: { hostId: HOST, registry: 'registry.lab:5000', url: 'https://registry.lab:5000' },
  },
  'host.announced': {
    by: 'scheduler',
    data: { hostId: HOST, ip: '10.0.0.7', port: 7400, role: 'normal', zone: 'rack7' },
  },
  'host.isolated': { by: 'host', data: { hostId: HOST, isolatedMs: 4210 } },
  'host.lost': { by: 'scheduler', data: { hostId: HOST } },
  'scheduler.refused': {
    by: 'host',
    data: { hostId: HOST, epoch: 1767225600000, against: 1767229200000, why: 'older' },
  },
  'api.changed': {
    by: 'gateway',
    data: {
      who: 'ci',
      tokenId: '9d3c1f0a7b2e4586',
      from: '10.0.0.7',
      action: 'job.create',
      target: JOB,
      outcome: 'done',
    },
  },
  'host.drained': { by: 'host', data: { hostId: HOST } },
};

import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { packHashes } from '../core/hash-page.ts';
import { hostIdFrom, PARTITIONS, partitionOf, type TaskId } from '../core/ids.ts';
import type { SyncReply } from '../core/sync-messages.ts';
import { until } from '../test/support/child.ts';
import { connectNatsBus } from '../transport/nats-bus.ts';
import { SUBJECTS } from '../transport/subjects.ts';
import { Content } from './scale-content.ts';
import { type Held, ScaleLab, type Usage } from './scale-lab.ts';
import { LightPeer } from './scale-peer.ts';

const PIECE = 128 * 1024;
/** Of these, each host holds some: every task has about a tenth of the hosts as holders. */
const TASKS = 500;
const LOOK_MS = 200;
const NOTHING: Held = { tasksOf: () => [], bytes: 0, pieceLength: PIECE };

/** CPU of processes as a part of one core, over a time. */
export interface Shares {
  readonly scheduler: number;
  readonly nats: number;
  readonly hosts: number;
}

/** A swarm in which nothing goes on. */
export interface RestReport extends Shares {
  readonly seconds: number;
  readonly hostsLost: number;
  readonly hostsKnown: number;
  readonly unanswered: number;
  readonly schedulerBytes: number;
  readonly hostsLateMs: number;
}

/** A scheduler that was killed and started again. */
export interface KillReport {
  /** From the start of the new process: the census, the first lease of a host, all hosts and holdings known. */
  readonly censusSeconds: number;
  readonly servingSeconds: number;
  readonly wholeSeconds: number;
  readonly hostsLost: number;
  readonly unanswered: number;
  readonly schedulerCpuSeconds: number;
  readonly schedulerBytes: number;
  readonly hostsLateMs: number;
}

/** All hosts want the same at once. */
export interface CrowdReport extends Shares {
  readonly done: number;
  readonly seconds: number;
  /** Over the time of one link at its full rate. */
  readonly ratio: number;
  readonly copies: number;
  readonly syncs: number;
  readonly unanswered: number;
  readonly waits: number;
  readonly refusals: Readonly<Record<string, number>>;
  readonly adrift: number;
  readonly answerMs: { readonly median: number; readonly late: number; readonly most: number };
  readonly hostsLost: number;
  readonly schedulerBytes: number;
  readonly hostsLateMs: number;
}

function sharesOf(before: Usage, after: Usage, seconds: number): Shares {
  const share = (name: 'scheduler' | 'nats' | 'hosts') => (after[name] - before[name]) / seconds;
  return { scheduler: share('scheduler'), nats: share('nats'), hosts: share('hosts') };
}

const unansweredOf = ({ hosts }: ScaleLab) => hosts.reduce((sum, host) => sum + host.unanswered, 0);

/** Nobody wants anything. */
export async function measureRest(count: number, seconds: number): Promise<RestReport> {
  const lab = await ScaleLab.start(count, NOTHING);
  try {
    await lab.join();
    const lostBefore = lab.lost;
    const unansweredBefore = unansweredOf(lab);
    const before = lab.usage();
    await delay(seconds * 1000);
    const after = lab.usage();
    return {
      seconds,
      ...sharesOf(before, after, seconds),
      hostsLost: lab.lost - lostBefore,
      hostsKnown: (await lab.health())?.hosts ?? 0,
      unanswered: unansweredOf(lab) - unansweredBefore,
      schedulerBytes: after.schedulerBytes,
      hostsLateMs: lab.hostsLateMs,
    };
  } finally {
    await lab.close();
  }
}

/** Tasks that hosts hold whole and the log tells of. */
async function heldTasks(url: string, tasks: readonly TaskId[]): Promise<void> {
  const name = randomBytes(8).toString('hex');
  const bus = connectNatsBus({ servers: [url], kind: 'scheduler', name, swarm: 'shoal' });
  await until('a connection', () => bus.state === 'connected');
  for (const taskId of tasks) {
    const tokens = { partition: String(partitionOf(taskId)), taskId };
    const sources = [{ url: `http://origin.test/${taskId}`, credentials: false }];
    const message = {
      epoch: 0,
      taskId,
      length: PIECE,
      pieceLength: PIECE,
      sources,
      audience: 'public' as const,
    };
    await bus.append(SUBJECTS.logCreated, tokens, { ...message, atMs: Date.now() });
    const hashes = packHashes([{ piece: 0, hash: randomBytes(32) }]);
    await bus.append(SUBJECTS.logManifest, { ...tokens, page: '0' }, { epoch: 0, pages: 1, hashes });
  }
  await bus.close();
}

/** The scheduler dies, and is there again. */
export async function measureKill(count: number, each: number): Promise<KillReport> {
  const taskAt = (index: number) =>
    `sha256-${createHash('sha256').update(`held ${index}`).digest('hex')}` as TaskId;
  const taskIds = Array.from({ length: TASKS }, (_, index) => taskAt(index));
  const tasksOf = (host: number) =>
    Array.from({ length: each }, (_, index) => taskAt((host * 7 + index * 10 + (host % 10)) % TASKS));
  const lab = await ScaleLab.start(count, { tasksOf, bytes: PIECE, pieceLength: PIECE });
  const viewer = randomBytes(8).toString('hex');
  const bus = connectNatsBus({ servers: [lab.nats.url], kind: 'client', name: viewer, swarm: 'shoal' });
  /** How many holdings the scheduler knows. */
  const known = async (): Promise<number> => {
    let sum = 0;
    let after: string | undefined;
    do {
      const query = { op: 'list' as const, ...(after === undefined ? {} : { after }) };
      const tokens = { noun: 'task', sender: viewer };
      const reply = await bus.request(SUBJECTS.query, tokens, query, { timeoutMs: 5_000 });
      const { tasks, next } = reply as { tasks: { holders: number }[]; next?: string };
      for (const { holders } of tasks) sum += holders;
      after = next;
    } while (after !== undefined);
    return sum;
  };
  /** When all hosts and all that they hold are known; looked at seldom, for each look costs the scheduler some. @throws Error */
  const whole = async (withinMs: number): Promise<number> => {
    const endMs = performance.now() + withinMs;
    for (;;) {
      const hosts = (await lab.health())?.hosts ?? 0;
      // The one that asks to be served is known too, for a while.
      const holdings = hosts >= count ? await known().catch(() => 0) : 0;
      if (holdings >= count * each) return performance.now();
      if (performance.now() > endMs)
        throw new Error(
          `only ${hosts} hosts and ${holdings} holdings are known; ${lab.lost} hosts were taken for gone`,
        );
      await delay(LOOK_MS);
    }
  };
  try {
    await heldTasks(lab.nats.url, taskIds);
    await lab.join();
    await whole(60_000);
    const before = unansweredOf(lab);
    await lab.killScheduler();
    const begunMs = performance.now();
    lab.spawnScheduler();
    const serving = served(lab, taskAt(PARTITIONS)).then(() => performance.now());
    await until('the census', () => lab.censusMs > begunMs);
    const censusMs = lab.censusMs;
    const wholeMs = await whole(60_000);
    const servingMs = await serving;
    const { scheduler, schedulerBytes } = lab.usage();
    return {
      censusSeconds: (censusMs - begunMs) / 1000,
      servingSeconds: (servingMs - begunMs) / 1000,
      wholeSeconds: (wholeMs - begunMs) / 1000,
      hostsLost: lab.lost,
      unanswered: unansweredOf(lab) - before,
      schedulerCpuSeconds: scheduler,
      schedulerBytes,
      hostsLateMs: lab.hostsLateMs,
    };
  } finally {
    await bus.close();
    await lab.close();
  }
}

/** A host that holds nothing asks for a task again and again, until it is sent to a host that does. */
async function served(lab: ScaleLab, taskId: TaskId): Promise<void> {
  const hostId = hostIdFrom(randomBytes(16));
  const tokens = { partition: String(partitionOf(taskId)), taskId, hostId };
  for (let seq = 1; ; seq += 1) {
    const message = {
      incarnation: 1,
      seq,
      base: 0,
      added: [],
      running: [],
      queued: [],
      freeSlots: 4,
      transferBytesPerSec: 0,
      wants: true,
      sources: [{ url: `http://origin.test/${taskId}`, credentials: false }],
      mayReadOrigin: false,
      failures: [],
      adrift: false,
      hashCursor: 0,
      seen: { epoch: 0, number: 0 },
      received: { origin: 0, peers: 0, local: 0 },
    };
    const reply = (await lab.bus
      .request(hostId, SUBJECTS.sync, tokens, message, 1_000)
      .catch(() => undefined)) as SyncReply | undefined;
    if (reply?.status === 'ok' && reply.leases.some(({ parent }) => parent !== 'origin')) return;
    await delay(50);
  }
}

/** Every host wants the same, within `withinMs`, beside so many loops that do nothing else than use up a processor. */
export async function measureCrowd(options: {
  readonly hosts: number;
  readonly bytes: number;
  readonly linkBytesPerSec: number;
  readonly busyLoops: number;
  readonly withinMs: number;
  readonly timeoutMs: number;
}): Promise<CrowdReport> {
  const { hosts, bytes, linkBytesPerSec, busyLoops, withinMs, timeoutMs } = options;
  const lab = await ScaleLab.start(hosts, NOTHING);
  const loops = Array.from({ length: busyLoops }, () => spawn(process.execPath, ['-e', 'for(;;);']));
  try {
    await lab.join();
    const lostBefore = lab.lost;
    const content = new Content(bytes, linkBytesPerSec);
    const peers = lab.hosts.map((host) => new LightPeer(lab.bus, host, content, linkBytesPerSec));
    lab.hosts.forEach(({ hostId }, index) => {
      const peer = peers[index];
      if (peer !== undefined) lab.hears(hostId, peer);
    });
    const before = lab.usage();
    const begunMs = performance.now();
    for (const peer of peers) setTimeout(() => void peer.run(), Math.random() * withinMs);
    await until('the crowd', () => content.done === hosts, timeoutMs).catch(() => undefined);
    const seconds = (performance.now() - begunMs) / 1000;
    const after = lab.usage();
    const sorted = [...content.answerMs].sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return {
      ...sharesOf(before, after, seconds),
      done: content.done,
      seconds,
      ratio: seconds / (bytes / linkBytesPerSec),
      copies: content.fromOrigin / content.pieces,
      syncs: content.syncs,
      unanswered: content.unanswered,
      waits: content.waits,
      refusals: Object.fromEntries(content.refusals),
      adrift: content.adrift,
      answerMs: { median: at(0.5), late: at(0.99), most: at(1) },
      hostsLost: lab.lost - lostBefore,
      schedulerBytes: after.schedulerBytes,
      hostsLateMs: lab.hostsLateMs,
    };
  } finally {
    for (const loop of loops) loop.kill('SIGKILL');
    await lab.close();
  }
}

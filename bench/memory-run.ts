import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectDaemon } from '../admin/client.ts';
import { usageOf } from '../test/support/child.ts';
import { writeRandomFile } from '../test/support/files.ts';
import { freePort } from '../test/support/free-port.ts';
import { startNginx } from '../test/support/nginx.ts';
import { type Swarm, startSwarm } from '../test/support/swarm.ts';

/** Resident memory of daemons, bytes. */
export interface MemoryReport {
  readonly bytes: number;
  /** The most a daemon had resident while the file came in from the origin and went out to another host. */
  readonly passingPeakBytes: number;
  /** The most the daemon had that only received it. */
  readonly receivingPeakBytes: number;
  readonly smallTasks: number;
  /** From the start of a daemon that holds the small tasks to its having joined, ms. */
  readonly startMs: number;
  /** A daemon just started with nothing cached. */
  readonly emptyBytes: number;
  /** Holding the small tasks, just started. */
  readonly atRestBytes: number;
  /** The most it had while another host fetched one of them. */
  readonly servingPeakBytes: number;
}

const WORKERS = 16;

/** @throws Error where a get fails */
export async function measureMemory(bytes: number, smallTasks: number): Promise<MemoryReport> {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-memory-'));
  try {
    mkdirSync(join(dir, 'www'));
    writeRandomFile(join(dir, 'www/large'), bytes);
    for (let index = 0; index < smallTasks; index += 1) {
      writeFileSync(join(dir, 'www', `small${index}`), `small file ${index}\n`.repeat(200));
    }
    const port = await freePort('127.0.0.1');
    await using nginx = await startNginx({ dir, root: join(dir, 'www'), address: '127.0.0.1', port });
    await using swarm = await startSwarm({
      peers: 3,
      seed: false,
      hostFlags: ['--allow-origin', `127.0.0.1:${port}`],
      dir: join(dir, 'swarm'),
    });
    const emptyBytes = usageOf(swarm.pidOf('peer3')).residentBytes;
    await mustGet(swarm, 'peer1', nginx.url('/large'));
    await mustGet(swarm, 'peer2', nginx.url('/large'));
    const passingPeakBytes = usageOf(swarm.pidOf('peer1')).peakBytes;
    const receivingPeakBytes = usageOf(swarm.pidOf('peer2')).peakBytes;
    await fetchSmall(swarm.dirOf('peer3'), smallTasks, (index) => nginx.url(`/small${index}`));
    await swarm.stop('peer3');
    const begun = performance.now();
    swarm.start('peer3');
    await swarm.ready('peer3');
    const startMs = performance.now() - begun;
    const atRestBytes = usageOf(swarm.pidOf('peer3')).residentBytes;
    await mustGet(swarm, 'peer2', nginx.url(`/small${smallTasks - 1}`));
    const servingPeakBytes = usageOf(swarm.pidOf('peer3')).peakBytes;
    return {
      bytes,
      passingPeakBytes,
      receivingPeakBytes,
      smallTasks,
      startMs,
      emptyBytes,
      atRestBytes,
      servingPeakBytes,
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function mustGet(swarm: Swarm, host: string, url: string): Promise<void> {
  const got = await swarm.get(host, url).done;
  if (got.code !== 0) throw new Error(`${host}: get ended with ${got.code}: ${got.stderr}\n${swarm.logs()}`);
}

/** Asks the daemon itself: a command a file would take most of an hour. */
async function fetchSmall(dir: string, count: number, urlOf: (index: number) => string): Promise<void> {
  const daemon = await connectDaemon(dir);
  const signal = AbortSignal.timeout(600_000);
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const resource = urlOf(next);
      next += 1;
      await daemon.get({ resource, headers: {}, noOrigin: false, maxStaleMs: 0 }, () => {}, signal);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, worker));
}

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, startCommand, usageOf } from '../test/support/child.ts';
import { median } from '../test/support/figures.ts';
import { digestOfFile, writeRandomFile } from '../test/support/files.ts';
import { startOriginServer } from '../test/support/origin-server.ts';
import { startSwarm } from '../test/support/swarm.ts';

/** What a flood did to a swarm. */
export interface FloodReport {
  readonly kinds: readonly string[];
  readonly seconds: number;
  readonly bytes: number;
  /** Most memory that the scheduler had resident, before and with the flood. */
  readonly quietPeakBytes: number;
  readonly floodedPeakBytes: number;
  /** Times of downloads of another host, one from the origin and one from that host each. */
  readonly quietSeconds: readonly number[];
  readonly floodedSeconds: readonly number[];
  /** Median of the one by the median of the other. */
  readonly ratio: number;
  readonly schedulerCpuSeconds: number;
  /** Lines that the scheduler logged meanwhile. */
  readonly logLines: number;
  /** What the flooding host sent, and how it was answered. */
  readonly flood: unknown;
}

/** Before the flood, and after it. */
const QUIET_RUNS = 4;

/**
 * One host floods a scheduler and another host; two hosts download meanwhile.
 * @param kinds in which ways it floods
 * @throws Error where a download is not right
 */
export async function measureFlood(
  seconds: number,
  bytes: number,
  kinds: readonly string[],
): Promise<FloodReport> {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-flood-'));
  try {
    await using origin = await startOriginServer({});
    const hostFlags = ['--allow-origin', `127.0.0.1:${origin.port}`];
    await using swarm = await startSwarm({ peers: 2, seed: false, hostFlags });
    let files = 0;
    /** A file that nobody has, to one host and from there to the other. */
    const download = async (): Promise<number> => {
      files += 1;
      const path = join(dir, `file${files}`);
      const digest = writeRandomFile(path, bytes);
      origin.files.set(`/file${files}`, path);
      const begun = performance.now();
      const outputs: string[] = [];
      for (const host of ['peer1', 'peer2']) {
        const output = join(dir, `${host}.out`);
        const { code, stderr } = await swarm.get(host, origin.url(`/file${files}`), { digest, output }).done;
        if (code !== 0)
          throw new Error(`a download on ${host} ended with ${code}: ${stderr}\n${swarm.logs(20)}`);
        outputs.push(output);
      }
      const took = (performance.now() - begun) / 1_000;
      for (const output of outputs) {
        if ((await digestOfFile(output)) !== digest) throw new Error(`${output} is not right`);
      }
      return took;
    };
    const pid = swarm.pidOf('scheduler');
    const logLines = () => swarm.logs(1_000_000).split('\n').length;
    await download();
    const quietSeconds: number[] = [];
    for (let run = 0; run < QUIET_RUNS; run += 1) quietSeconds.push(await download());
    const quiet = usageOf(pid);
    const linesBefore = logLines();
    const { dataPort, hostId, proxy = '' } = await swarm.status('peer1');
    const flags = {
      nats: swarm.natsUrl,
      seconds: String(seconds),
      kinds: kinds.join(','),
      ports: `${dataPort},${proxy.split(':')[1]}`,
      other: hostId,
    };
    const flooding = startCommand([
      ...['nice', process.execPath, '--import', 'tsx', join(ROOT, 'bench/flood-host.ts')],
      ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
    ]);
    let over = false;
    const ended = flooding.done.finally(() => {
      over = true;
    });
    const floodedSeconds: number[] = [];
    while (!over) floodedSeconds.push(await download());
    const { code, stdout, stderr } = await ended;
    if (code !== 0) throw new Error(`the flooding host ended with ${code}: ${stderr}`);
    const flooded = usageOf(pid);
    const linesAfter = logLines();
    for (let run = 0; run < QUIET_RUNS; run += 1) quietSeconds.push(await download());
    // The last of them ended without the flood.
    const during = floodedSeconds.length > 1 ? floodedSeconds.slice(0, -1) : floodedSeconds;
    return {
      kinds,
      seconds,
      bytes,
      quietPeakBytes: quiet.peakBytes,
      floodedPeakBytes: flooded.peakBytes,
      quietSeconds,
      floodedSeconds: during,
      ratio: median(during) / median(quietSeconds),
      schedulerCpuSeconds: flooded.cpuSeconds - quiet.cpuSeconds,
      logLines: linesAfter - linesBefore,
      flood: JSON.parse(stdout),
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

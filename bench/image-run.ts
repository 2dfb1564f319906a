import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { busyCpuSeconds, startCommand, usageOf } from '../test/support/child.ts';
import { type Containerd, startContainerd } from '../test/support/containerd.ts';
import { median } from '../test/support/figures.ts';
import { MIB, writeRandomFile } from '../test/support/files.ts';
import { buildImage, type Image, pushBlob, pushImage, TAG } from '../test/support/image.ts';
import type { Swarm } from '../test/support/swarm.ts';
import { tempDir } from '../test/support/temp-dir.ts';
import { type ImageLab, on, openImageLab } from './image-lab.ts';

const REPOSITORY = 'bench/app';

/** Layers of 1 to 40 MiB: 168 MiB in twelve. */
export const TWELVE: readonly number[] = [40, 32, 24, 20, 16, 12, 8, 6, 4, 3, 2, 1].map((mib) => mib * MIB);

/** Forty small blobs, of 64 KiB to 1 MiB. */
export const FORTY: readonly number[] = Array.from({ length: 40 }, (_, index) => 65_536 * (1 + (index % 16)));

/** First bytes of a blob that no host has, ms. */
export interface FirstByteRun {
  readonly straightMs: number;
  readonly mirrorMs: number;
  /** Whether the mirror's is within 1.5 times the registry's and 50 ms. */
  readonly within: boolean;
}

/** Asks for blobs of 200 MiB over 200 Mbit/s links, each first at the registry, then at the mirror of a lone host. */
export async function measureFirstByte(runs: number): Promise<FirstByteRun[]> {
  await using temporary = await tempDir();
  const bytes = 200 * MIB;
  const digests: string[] = [];
  await using lab = await openImageLab({
    hosts: 1,
    rate: '200mbit',
    async fill(url) {
      for (let index = 0; index < runs; index += 1) {
        const file = join(temporary.path, String(index));
        const digest = writeRandomFile(file, bytes);
        await pushBlob(url, REPOSITORY, { digest, bytes, file });
        digests.push(digest);
      }
    },
  });
  await using swarm = await lab.swarm(1);
  const [host = ''] = swarm.hosts;
  const mirror = `127.0.0.1:${swarm.proxyPortOf(host)}`;
  const results: FirstByteRun[] = [];
  for (const digest of digests) {
    const path = `/v2/${REPOSITORY}/blobs/${digest}`;
    const straightMs = await firstByteMs(`http://${lab.registry}${path}`);
    const mirrorMs = await firstByteMs(`http://${mirror}${path}?ns=${lab.registry}`);
    results.push({ straightMs, mirrorMs, within: mirrorMs <= 1.5 * straightMs + 50 });
  }
  return results;
}

/** Time from the start of the process to the first body byte, ms, on host 1; the rest is not waited for. */
async function firstByteMs(url: string): Promise<number> {
  const flags = [
    '-sf',
    '-m',
    '2',
    '-o',
    '/dev/null',
    '-w',
    '%{http_code} %{size_download} %{time_starttransfer}',
  ];
  const { stdout, stderr } = await startCommand([...on(1), 'curl', ...flags, url]).done;
  const [status, size, seconds] = stdout.trim().split(' ');
  if (status !== '200' || Number(size) === 0) throw new Error(`${url} was answered ${stdout} ${stderr}`);
  return Number(seconds) * 1000;
}

/** One image by one host, seconds. */
export interface LoneRun {
  readonly straightSeconds: number;
  readonly coldSeconds: number;
  readonly warmSeconds: number;
  readonly coldRatio: number;
  readonly warmRatio: number;
  readonly copies: number;
}

/** One lone host without a seed over 200 Mbit/s links, by `ctr content fetch`: straight, through its mirror, and again. */
export async function measureLone(runs: number): Promise<LoneRun[]> {
  const image = await buildImage();
  await using lab = await labOf(1, '200mbit', image);
  const results: LoneRun[] = [];
  for (let index = 0; index < runs; index += 1) {
    await using swarm = await lab.swarm(1);
    const [host = ''] = swarm.hosts;
    await using containerd = await containerdOn(lab, 1, index);
    straight(lab, containerd);
    const straightSeconds = await fetchSeconds(lab, containerd);
    await containerd.clear();
    through(lab, containerd, swarm.proxyPortOf(host));
    lab.sentBytes();
    const coldSeconds = await fetchSeconds(lab, containerd);
    await containerd.clear();
    const warmSeconds = await fetchSeconds(lab, containerd);
    results.push({
      straightSeconds,
      coldSeconds,
      warmSeconds,
      coldRatio: coldSeconds / straightSeconds,
      warmRatio: warmSeconds / straightSeconds,
      copies: lab.sentBytes() / image.bytes,
    });
  }
  return results;
}

/** One image by many hosts at once, seconds. */
export interface ManyRun {
  readonly straightSeconds: number;
  readonly makespanSeconds: number;
  readonly medianSeconds: number;
  readonly ratio: number;
  readonly copies: number;
  /** CPU time while they fetched: of the daemons, the scheduler and NATS, and of everything else on the machine. */
  readonly shoalCpuSeconds: number;
  readonly restCpuSeconds: number;
  /** How much of the machine's cores that was; near 1 the makespan is the machine's, not the network's. */
  readonly busy: number;
}

/**
 * Hosts that fetch one image at once through their mirrors over shaped links, beside one plain fetch in the same lab;
 * before that, with daemons just started, `warm` other images of such layers.
 */
export async function measureMany(options: {
  readonly hosts: number;
  readonly rate: string;
  readonly layers: readonly number[];
  readonly runs: number;
  readonly warm: number;
}): Promise<ManyRun[]> {
  const { hosts, rate, layers, runs, warm } = options;
  const image = await buildImage(layers);
  const others: Image[] = [];
  for (let edition = 1; edition <= warm; edition += 1) {
    others.push(await buildImage(layers, String(edition)));
  }
  await using lab = await labOf(hosts, rate, image, others);
  const numbers = Array.from({ length: hosts }, (_, index) => index + 1);
  const results: ManyRun[] = [];
  for (let index = 0; index < runs; index += 1) {
    await using swarm = await lab.swarm(hosts);
    const clients = await Promise.all(numbers.map((host) => containerdOn(lab, host, index)));
    try {
      const [first] = clients;
      if (first === undefined) throw new Error('a lab without hosts');
      straight(lab, first);
      const straightSeconds = await fetchSeconds(lab, first);
      await first.clear();
      for (const [at, client] of clients.entries()) {
        through(lab, client, swarm.proxyPortOf(swarm.hosts[at] ?? ''));
      }
      for (const other of others.keys()) {
        await Promise.all(clients.map((client) => fetchSeconds(lab, client, otherRepository(other))));
        for (const client of clients) await client.clear();
      }
      lab.sentBytes();
      const shoalBefore = shoalCpuSeconds(swarm);
      const allBefore = busyCpuSeconds();
      const seconds = await Promise.all(clients.map((client) => fetchSeconds(lab, client)));
      const all = busyCpuSeconds() - allBefore;
      const shoal = shoalCpuSeconds(swarm) - shoalBefore;
      const makespanSeconds = Math.max(...seconds);
      results.push({
        straightSeconds,
        makespanSeconds,
        medianSeconds: median(seconds),
        ratio: makespanSeconds / straightSeconds,
        copies: lab.sentBytes() / image.bytes,
        shoalCpuSeconds: shoal,
        restCpuSeconds: all - shoal,
        busy: all / availableParallelism() / makespanSeconds,
      });
    } finally {
      await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
    }
  }
  return results;
}

function shoalCpuSeconds(swarm: Swarm): number {
  const names = ['nats', 'scheduler', ...swarm.hosts];
  return names.reduce((sum, name) => sum + usageOf(swarm.pidOf(name)).cpuSeconds, 0);
}

const otherRepository = (index: number) => `bench/other${index}`;

function labOf(hosts: number, rate: string, image: Image, others: readonly Image[] = []): Promise<ImageLab> {
  const fill = async (url: string) => {
    await pushImage(url, image, [REPOSITORY]);
    for (const [index, other] of others.entries()) await pushImage(url, other, [otherRepository(index)]);
  };
  return openImageLab({ hosts, rate, fill });
}

function containerdOn(lab: ImageLab, host: number, run: number): Promise<Containerd> {
  const dir = join(lab.dir, `containerd-${run}-${host}`);
  mkdirSync(dir);
  return startContainerd(dir, on(host));
}

function straight(lab: ImageLab, containerd: Containerd): void {
  containerd.mirror(lab.registry, undefined, `http://${lab.registry}`);
}

function through(lab: ImageLab, containerd: Containerd, port: number): void {
  containerd.mirror(lab.registry, `http://127.0.0.1:${port}`, `http://${lab.registry}`);
}

async function fetchSeconds(
  lab: ImageLab,
  containerd: Containerd,
  repository: string = REPOSITORY,
): Promise<number> {
  const ran = await containerd.fetch({ registry: lab.registry, image: `${repository}:${TAG}` });
  if (ran.code !== 0) throw new Error(`ctr ended with ${ran.code}: ${ran.stderr}`);
  return ran.wallMs / 1000;
}

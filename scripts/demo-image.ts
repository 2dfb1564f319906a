import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { formatBytes, formatDuration } from '../core/units.ts';
import { tableOf } from '../test/support/figures.ts';
import { MIB } from '../test/support/files.ts';
import { buildImage, pushImage, TAG } from '../test/support/image.ts';
import { startRegistry } from '../test/support/registry.ts';
import { setUpSkopeo } from '../test/support/skopeo.ts';
import { startSwarm } from '../test/support/swarm.ts';
import { ensureSystem } from './ensure-system.mjs';

const HOSTS = 4;
const REPOSITORY = 'tools/app';
/** 64 MiB: a fresh machine has few files. */
const LAYERS: readonly number[] = [24, 16, 12, 6, 4, 2].map((mib) => mib * MIB);

/** One image of real files from a registry to four hosts at once, by a real client. Returns what went wrong. */
export async function demoImage(dir: string, signal: AbortSignal): Promise<string[]> {
  const missing = ensureSystem('demo-image');
  if (missing !== undefined) return [missing];
  console.log("image      of this machine's own files; building it takes a moment the first time");
  const image = await buildImage(LAYERS);
  signal.throwIfAborted();
  await using registry = await startRegistry();
  await registry.loading((url) => pushImage(url, image, [REPOSITORY]));
  const { name, url, front } = registry;
  console.log(
    `registry   ${url}: ${REPOSITORY}:${TAG}, ${image.layers.length} layers, ${formatBytes(image.bytes)}`,
  );
  console.log(`digest     ${image.manifest.digest}`);
  await using swarm = await startSwarm({
    peers: HOSTS,
    dir: join(dir, 'swarm'),
    hostFlags: ['--allow-origin', name, '--registry', `${name}=${url}`],
  });
  signal.throwIfAborted();
  const processes = ['nats', 'scheduler', ...swarm.hosts].map((member) => `${member} ${swarm.pidOf(member)}`);
  console.log(`processes  ${processes.join(', ')}`);
  console.log(
    `\n${HOSTS} hosts at once, each by its own mirror: skopeo copy docker://${name}/${REPOSITORY}:${TAG} oci:DIR\n`,
  );

  const wrong: string[] = [];
  const peers = swarm.hosts.filter((host) => host !== 'seed');
  mkdirSync(join(dir, 'clients'));
  const pulls = peers.map(async (host) => {
    const at = join(dir, 'clients', host);
    const skopeo = setUpSkopeo(at);
    skopeo.mirror(name, `127.0.0.1:${swarm.proxyPortOf(host)}`);
    const pulled = await skopeo.pull({ registry: name, image: `${REPOSITORY}:${TAG}` });
    rmSync(at, { recursive: true, force: true });
    return { host, pulled };
  });
  const rows = [['host', 'time', 'from registry', 'from hosts', 'digest of the image']];
  for (const { host, pulled } of await Promise.all(pulls)) {
    signal.throwIfAborted();
    if (pulled.code !== 0) {
      wrong.push(`${host}: skopeo ended with ${pulled.code}: ${pulled.stderr.trim()}`);
      continue;
    }
    const { bytes } = await swarm.status(host);
    const right = pulled.digest === image.manifest.digest;
    if (!right) wrong.push(`${host}: the image is not what the registry has`);
    rows.push([
      host,
      formatDuration(pulled.wallMs),
      formatBytes(bytes.origin),
      formatBytes(bytes.peers),
      right ? `right, ${image.manifest.digest.slice(0, 14)}…` : 'WRONG',
    ]);
  }
  console.log(tableOf(rows));
  const copies = front.blobBytes() / image.bytes;
  const sent = formatBytes(front.blobBytes());
  console.log(`\nThe registry sent ${sent} of blobs: ${copies.toFixed(2)} copies for ${HOSTS} hosts.`);
  if (copies > 1.01) wrong.push(`the registry sent ${copies.toFixed(3)} copies instead of one`);
  if (wrong.length > 0) wrong.push(swarm.logs(15));
  return wrong;
}

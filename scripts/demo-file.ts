import { mkdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { formatBytes, formatDuration } from '../core/units.ts';
import { startCommand } from '../test/support/child.ts';
import { tableOf } from '../test/support/figures.ts';
import { digestOfFile, MIB, writeRandomFile } from '../test/support/files.ts';
import { startOriginServer } from '../test/support/origin-server.ts';
import { startSwarm } from '../test/support/swarm.ts';

const PEERS = 5;
const LEAST_BYTES = 50e6;

/** The larger of Node's executable and its libnode; a generated file where that is small. */
async function pickFile(dir: string): Promise<string> {
  const ldd = await startCommand(['ldd', process.execPath]).done;
  const libnode = /libnode\S*\s*=>\s*(\/\S+)/.exec(ldd.stdout)?.[1];
  const candidates = libnode === undefined ? [process.execPath] : [process.execPath, libnode];
  const [largest = process.execPath] = candidates.sort((a, b) => statSync(b).size - statSync(a).size);
  if (statSync(largest).size >= LEAST_BYTES) return largest;
  const generated = join(dir, 'random.bin');
  writeRandomFile(generated, 256 * MIB);
  return generated;
}

/** One real file from an origin to five hosts at once, in a folder of its own. Returns what went wrong. */
export async function demoFile(dir: string, signal: AbortSignal): Promise<string[]> {
  const file = await pickFile(dir);
  const size = statSync(file).size;
  const digest = await digestOfFile(file);
  await using origin = await startOriginServer({ '/file': file });
  const url = origin.url('/file');
  console.log(`origin     ${url}: ${basename(file)}, ${formatBytes(size)}`);
  console.log(`digest     ${digest}`);
  await using swarm = await startSwarm({
    peers: PEERS,
    dir: join(dir, 'swarm'),
    hostFlags: ['--allow-origin', `127.0.0.1:${origin.port}`],
  });
  signal.throwIfAborted();
  const processes = ['nats', 'scheduler', ...swarm.hosts].map((name) => `${name} ${swarm.pidOf(name)}`);
  console.log(`processes  ${processes.join(', ')}`);
  console.log(`\n${PEERS} hosts at once: shoal get ${url} -o FILE --digest ${digest.slice(0, 14)}…\n`);

  const out = join(dir, 'out');
  mkdirSync(out);
  const peers = swarm.hosts.filter((host) => host !== 'seed');
  const started = peers.map((host) => ({
    host,
    get: swarm.get(host, url, { output: join(out, host), digest }),
  }));
  const wrong: string[] = [];
  const rows = [['host', 'time', 'from origin', 'from hosts', 'local', 'digest of the file']];
  for (const { host, get } of started) {
    const { code, stderr, wallMs, result } = await get.done;
    signal.throwIfAborted();
    if (result === undefined) {
      wrong.push(`${host}: get ended with ${code}: ${stderr.trim()}`);
      continue;
    }
    const right = (await digestOfFile(join(out, host))) === digest;
    if (!right) wrong.push(`${host}: the file is not what the origin has`);
    const { bytes } = result;
    rows.push([
      host,
      formatDuration(wallMs),
      formatBytes(bytes.origin),
      formatBytes(bytes.peers),
      formatBytes(bytes.local),
      right ? `right, ${digest.slice(0, 14)}…` : 'WRONG',
    ]);
  }
  console.log(tableOf(rows));
  const copies = origin.bodyBytes('/file') / size;
  console.log(
    `\nThe origin sent ${formatBytes(origin.bodyBytes('/file'))}: ${copies.toFixed(2)} copies for ${PEERS} hosts.`,
  );
  if (copies > 1.01) wrong.push(`the origin sent ${copies.toFixed(3)} copies instead of one`);
  if (wrong.length > 0) wrong.push(swarm.logs(15));
  return wrong;
}

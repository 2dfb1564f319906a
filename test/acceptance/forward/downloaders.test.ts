import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeCa } from '../../../proxy/forward/make-ca.ts';
import { issue } from '../../support/certificates.ts';
import { run } from '../../support/child.ts';
import { type Swarm, startSwarm } from '../../support/swarm.ts';
import { Copies } from './copies.ts';
import { startWeb, type Web } from './web.ts';

const MIB = 1024 * 1024;
const copies = new Copies();
let dir: string;
let web: Web;
let git: Repository;
let swarm: Swarm;

/** A repository as files below HTTPS, which counts what it sends. */
interface Repository extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly caFile: string;
  sent(): number;
}

const plainGit = (...args: string[]) =>
  run([
    'env',
    // It would take the place of the setting.
    '--unset=GIT_SSL_CAINFO',
    'GIT_CONFIG_GLOBAL=/dev/null',
    'git',
    '-c',
    'user.name=a',
    '-c',
    'user.email=a@example.org',
    ...args,
  ]);

async function startRepository(): Promise<Repository> {
  const work = join(dir, 'repository');
  mkdirSync(work);
  await plainGit('-C', work, 'init', '-q');
  writeFileSync(join(work, 'big.bin'), randomBytes(4 * MIB));
  await plainGit('-C', work, 'add', '.');
  await plainGit('-C', work, 'commit', '-qm', 'one');
  await plainGit('-C', work, 'gc', '-q');
  await plainGit('-C', work, 'update-server-info');
  const ca = await makeCa(join(dir, 'ca'), { name: 'a CA', days: 2 });
  let sent = 0;
  const server = createServer(await issue(dir, ca, hostname()), (request, response) => {
    try {
      const body = readFileSync(join(work, '.git', new URL(request.url ?? '', 'https://x').pathname));
      sent += body.length;
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://${hostname()}:${port}/`,
    port,
    caFile: ca.certFile,
    sent: () => sent,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shoal-downloaders-'));
  web = await startWeb();
  git = await startRepository();
  const gitHost = `${hostname()}:${git.port}`;
  const hostFlags = [
    '--allow-origin',
    web.host,
    '--allow-origin',
    gitHost,
    '--connect-port',
    String(git.port),
  ];
  swarm = await startSwarm({ peers: 2, dir: join(dir, 'swarm'), hostFlags });
});
afterAll(async () => {
  process.stdout.write(`\ncopies of the origin, through the forward proxy\n${copies}\n\n`);
  await swarm[Symbol.asyncDispose]();
  await git[Symbol.asyncDispose]();
  await web[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const hashOf = (body: Buffer) => createHash('sha256').update(body).digest('hex');

/** Takes the URL into the file by the proxy. */
type Client = (proxy: string, url: string, file: string) => Promise<unknown>;

const PARTS = 4;

/** Ranges at once, put together. */
const curlParallel: Client = async (proxy, url, file) => {
  const bytes = 24 * MIB;
  const part = bytes / PARTS;
  const parts = Array.from({ length: PARTS }, (_, index) => `${file}.${index}`);
  const ranges = parts.flatMap((name, index) => [
    ...(index > 0 ? ['--next', '-sS', '-f', '-x', proxy] : ['-sS', '-f', '-x', proxy]),
    ...['-r', `${index * part}-${(index + 1) * part - 1}`, '-o', name, url],
  ]);
  await run(['curl', '--parallel', ...ranges]);
  writeFileSync(file, Buffer.concat(parts.map((name) => readFileSync(name))));
};

/** The first part by a range, the rest as what was broken off. */
const curlContinue: Client = async (proxy, url, file) => {
  await run(['curl', '-sS', '-f', '-x', proxy, '-r', `0-${10 * MIB - 1}`, '-o', file, url]);
  truncateSync(file, 9 * MIB);
  await run(['curl', '-sS', '-f', '-x', proxy, '-C', '-', '-o', file, url]);
};

const aria2: Client = (proxy, url, file) => {
  const at = file.lastIndexOf('/');
  const flags = ['-x8', '-s8', '-k1M', '--quiet', '--allow-overwrite', '--no-conf', `--all-proxy=${proxy}`];
  return run(['aria2c', ...flags, '-d', file.slice(0, at), '-o', file.slice(at + 1), url]);
};

test.each<[string, Client]>([
  ['curl', (proxy, url, file) => run(['curl', '-sS', '-f', '-x', proxy, '-o', file, url])],
  ['curl, ranges in parallel', curlParallel],
  ['curl, continued', curlContinue],
  ['wget', (proxy, url, file) => run(['env', `http_proxy=${proxy}`, 'wget', '-q', '-O', file, url])],
  ['aria2 -x8', aria2],
])(
  '%s takes a file by the proxies: one copy leaves the origin, and none the second time',
  async (name, client) => {
    const body = randomBytes(24 * MIB);
    const path = `/files/${name.replaceAll(/\W/g, '')}.iso`;
    web.put(path, body);
    let before = 0;
    for (const [index, host] of ['peer1', 'peer1', 'peer2'].entries()) {
      const file = join(dir, `${name.replaceAll(/\W/g, '')}-${index}`);
      await client(`http://127.0.0.1:${swarm.proxyPortOf(host)}`, web.url(path), file);
      expect(hashOf(readFileSync(file))).toBe(hashOf(body));
      copies.note(name, (web.sent(path) - before) / body.length);
      expect(web.sent(path) - before).toBeLessThanOrEqual(
        index === 0 ? 1.02 * body.length : 0.001 * body.length,
      );
      before = web.sent(path);
    }
  },
);

test('git over https goes through as a tunnel that nobody looks into', async () => {
  let before = 0;
  for (const [index, host] of ['peer1', 'peer1', 'peer2'].entries()) {
    const settings = [
      `http.proxy=http://127.0.0.1:${swarm.proxyPortOf(host)}`,
      `http.sslCAInfo=${git.caFile}`,
    ];
    const clone = join(dir, `clone-${index}`);
    await plainGit(...settings.flatMap((setting) => ['-c', setting]), 'clone', '-q', git.url, clone);
    expect(readFileSync(join(clone, 'big.bin')).length).toBe(4 * MIB);
    copies.note('git over https, a tunnel', (git.sent() - before) / (4 * MIB));
    expect((git.sent() - before) / (4 * MIB)).toBeLessThan(1.02);
    before = git.sent();
  }
});

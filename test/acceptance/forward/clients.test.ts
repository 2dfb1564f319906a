import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../support/child.ts';
import { type Swarm, startSwarm } from '../../support/swarm.ts';
import { startWeb, type Web } from './web.ts';

const MIB = 1024 * 1024;
const HOSTS = ['peer1', 'peer2'] as const;
let dir: string;
let web: Web;
let swarm: Swarm;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shoal-clients-'));
  web = await startWeb();
  swarm = await startSwarm({ peers: 2, dir: join(dir, 'swarm'), hostFlags: ['--allow-origin', web.host] });
});
afterAll(async () => {
  await swarm[Symbol.asyncDispose]();
  await web[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const proxyOf = (host: string) => `http://127.0.0.1:${swarm.proxyPortOf(host)}`;
const hashOf = (body: Buffer, kind = 'sha256') => createHash(kind).update(body).digest('hex');

/** A new folder for one client. */
function folder(name: string): string {
  const path = join(dir, name);
  mkdirSync(path, { recursive: true });
  return path;
}

/** Runs a client with nothing of this process's own proxy settings. */
const clean = (env: Record<string, string>, ...command: string[]) =>
  run(
    [
      'env',
      '-u',
      'http_proxy',
      '-u',
      'HTTP_PROXY',
      '-u',
      'no_proxy',
      '-u',
      'NO_PROXY',
      ...pairs(env),
      ...command,
    ],
    30_000,
  );
const pairs = (env: Record<string, string>) => Object.entries(env).map(([name, value]) => `${name}=${value}`);

/** One copy left the origin though every host's client took it; the index was asked straight. */
function expectOneCopy(path: string, bytes: number, index: string): void {
  expect(web.sent(path) / bytes).toBeLessThanOrEqual(1.01);
  expect(web.vias(index).length).toBeGreaterThanOrEqual(HOSTS.length);
  expect(web.vias(index).every((via) => via?.includes('shoal-'))).toBe(true);
}

test('curl takes an image through the proxies of two hosts: one copy leaves the origin', async () => {
  const body = randomBytes(20 * MIB);
  web.put('/images/disk.iso', body);
  web.put('/index.html', '<html>', 'text/html');
  for (const host of HOSTS) {
    const at = join(folder(`curl-${host}`), 'out');
    const head = await clean(
      {},
      'curl',
      '-sS',
      '-f',
      '-x',
      proxyOf(host),
      '-D',
      '-',
      '-o',
      at,
      web.url('/images/disk.iso'),
    );
    expect(head).toMatch(/x-shoal-from: (swarm|cache)/i);
    expect(hashOf(readFileSync(at))).toBe(hashOf(body));
    const page = await clean({}, 'curl', '-sS', '-f', '-x', proxyOf(host), '-D', '-', web.url('/index.html'));
    expect(page).toMatch(/X-Shoal-From: direct/i);
    const part = await clean(
      {},
      'curl',
      '-sS',
      '-f',
      '-x',
      proxyOf(host),
      '-r',
      '1000-1009',
      '-D',
      '-',
      '-o',
      at,
      web.url('/images/disk.iso'),
    );
    expect(part).toContain('206');
    expect(readFileSync(at).equals(body.subarray(1000, 1010))).toBe(true);
  }
  expectOneCopy('/images/disk.iso', body.length, '/index.html');
});

test('pip takes a wheel through the proxies of two hosts: one copy leaves the index', async () => {
  const at = folder('wheel');
  writeFileSync(join(at, 'data'), randomBytes(8 * MIB));
  const name = 'shoal_demo-1.0-py3-none-any.whl';
  const script = `import zipfile
z = zipfile.ZipFile("${join(at, name)}", "w")
z.write("${join(at, 'data')}", "shoal_demo/data")
z.writestr("shoal_demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: shoal-demo\\nVersion: 1.0\\n")
z.writestr("shoal_demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
z.writestr("shoal_demo-1.0.dist-info/RECORD", "")
z.close()`;
  await run(['python3', '-c', script]);
  const wheel = readFileSync(join(at, name));
  const path = `/packages/aa/bb/${name}`;
  web.put(path, wheel);
  web.put('/simple/shoal-demo/', `<a href="${path}#sha256=${hashOf(wheel)}">${name}</a>`, 'text/html');
  for (const host of HOSTS) {
    const out = folder(`pip-${host}`);
    const [server = ''] = web.host.split(':');
    const index = ['--index-url', web.url('/simple'), '--trusted-host', server, '--proxy', proxyOf(host)];
    await clean(
      { PIP_CONFIG_FILE: '/dev/null' },
      'pip3',
      '--isolated',
      '--disable-pip-version-check',
      'download',
      '--no-deps',
      '--no-cache-dir',
      ...index,
      '-d',
      out,
      'shoal-demo',
    );
    expect(hashOf(readFileSync(join(out, name)))).toBe(hashOf(wheel));
  }
  expectOneCopy(path, wheel.length, '/simple/shoal-demo/');
});

test('npm takes a package through the proxies of two hosts: one copy leaves the registry', async () => {
  const at = folder('npm-package');
  mkdirSync(join(at, 'package'));
  const manifest = { name: 'shoal-demo', version: '1.0.0' };
  writeFileSync(join(at, 'package', 'package.json'), JSON.stringify(manifest));
  writeFileSync(join(at, 'package', 'data'), randomBytes(8 * MIB));
  await run(['tar', '-C', at, '-czf', join(at, 'package.tgz'), 'package']);
  const tarball = readFileSync(join(at, 'package.tgz'));
  const path = '/shoal-demo/-/shoal-demo-1.0.0.tgz';
  web.put(path, tarball);
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
  const dist = { tarball: web.url(path), integrity };
  const packument = {
    ...manifest,
    'dist-tags': { latest: '1.0.0' },
    versions: { '1.0.0': { ...manifest, dist } },
  };
  web.put('/shoal-demo', JSON.stringify(packument), 'application/json');
  for (const host of HOSTS) {
    const out = folder(`npm-${host}`);
    const flags = [
      '--registry',
      web.url('/'),
      '--proxy',
      proxyOf(host),
      '--noproxy',
      '',
      '--cache',
      join(out, 'cache'),
    ];
    writeFileSync(join(out, 'package.json'), '{}');
    writeFileSync(join(out, '.npmrc'), '');
    await clean(
      { npm_config_userconfig: join(out, '.npmrc') },
      'npm',
      'install',
      '--prefix',
      out,
      '--no-audit',
      '--no-fund',
      ...flags,
      'shoal-demo',
    );
    const data = readFileSync(join(out, 'node_modules/shoal-demo/data'));
    expect(data.equals(readFileSync(join(at, 'package', 'data')))).toBe(true);
  }
  expectOneCopy(path, tarball.length, '/shoal-demo');
});

test('apt takes a package and its index by hash through the proxies of two hosts: one copy leaves the mirror', async () => {
  const at = folder('deb');
  mkdirSync(join(at, 'tree/DEBIAN'), { recursive: true });
  const control =
    'Package: shoal-demo\nVersion: 1.0\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: a demo\n';
  writeFileSync(join(at, 'tree/DEBIAN/control'), control);
  writeFileSync(join(at, 'tree/data'), randomBytes(8 * MIB));
  await run(['dpkg-deb', '-Znone', '--build', join(at, 'tree'), join(at, 'demo.deb')]);
  const deb = readFileSync(join(at, 'demo.deb'));
  const path = '/debian/pool/main/s/shoal-demo/shoal-demo_1.0_all.deb';
  web.put(path, deb);
  const packages = Buffer.from(
    `${control}Filename: ${path.slice('/debian/'.length)}\nSize: ${deb.length}\nSHA256: ${hashOf(deb)}\n\n`,
  );
  const listed = 'main/binary-amd64/Packages';
  const byHash = `/debian/dists/stable/main/binary-amd64/by-hash/SHA256/${hashOf(packages)}`;
  web.put(byHash, packages);
  const release = `Origin: Demo\nSuite: stable\nCodename: stable\nDate: Wed, 01 Jul 2026 00:00:00 UTC\nArchitectures: amd64\nComponents: main\nAcquire-By-Hash: yes\nSHA256:\n ${hashOf(packages)} ${packages.length} ${listed}\n`;
  web.put('/debian/dists/stable/Release', release, 'text/plain');
  for (const host of HOSTS) {
    const root = folder(`apt-${host}`);
    for (const part of ['state/lists/partial', 'cache/archives/partial', 'etc', 'out'])
      mkdirSync(join(root, part), { recursive: true });
    writeFileSync(join(root, 'status'), '');
    writeFileSync(
      join(root, 'etc/sources.list'),
      `deb [trusted=yes arch=amd64] ${web.url('/debian')} stable main\n`,
    );
    const settings = {
      'Dir::State': join(root, 'state'),
      'Dir::State::status': join(root, 'status'),
      'Dir::Cache': join(root, 'cache'),
      'Dir::Etc': join(root, 'etc'),
      'APT::Architecture': 'amd64',
      'APT::Sandbox::User': 'root',
      'Acquire::Languages': 'none',
      'Acquire::http::Proxy': proxyOf(host),
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    await clean({}, 'apt-get', ...flags, 'update');
    await clean(
      {},
      'sh',
      '-c',
      `cd '${join(root, 'out')}' && apt-get "$@" download shoal-demo`,
      'sh',
      ...flags,
    );
    const [name = ''] = readdirSync(join(root, 'out'));
    expect(hashOf(readFileSync(join(root, 'out', name)))).toBe(hashOf(deb));
  }
  expect(web.sent(byHash)).toBeLessThanOrEqual(packages.length);
  expectOneCopy(path, deb.length, '/debian/dists/stable/Release');
});

test('Git LFS takes an object through the proxies of two hosts: one copy leaves the store', async () => {
  const at = folder('lfs');
  const work = join(at, 'work');
  const git = (where: string, ...args: string[]) =>
    clean(
      { GIT_CONFIG_GLOBAL: '/dev/null', GIT_LFS_SKIP_SMUDGE: '1', HOME: at },
      ...['git', '-C', where, '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args],
    );
  const body = randomBytes(8 * MIB);
  const oid = hashOf(body);
  mkdirSync(work);
  await git(work, 'init', '-q');
  await git(work, 'lfs', 'install', '--local');
  await git(work, 'lfs', 'track', '*.bin');
  writeFileSync(join(work, 'big.bin'), body);
  await git(work, 'add', '.');
  await git(work, 'commit', '-qm', 'one');
  const path = `/store/objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`;
  web.put(path, body);
  const batch = '/repo/info/lfs/objects/batch';
  web.answer(batch, (request, response) => {
    request.resume().on('end', () => {
      const actions = { download: { href: web.url(path) } };
      response.writeHead(200, { 'content-type': 'application/vnd.git-lfs+json' });
      response.end(
        JSON.stringify({
          transfer: 'basic',
          objects: [{ oid, size: body.length, authenticated: true, actions }],
        }),
      );
    });
  });
  for (const host of HOSTS) {
    await git(at, 'clone', '-q', work, host);
    const clone = join(at, host);
    await git(clone, 'lfs', 'install', '--local');
    const settings = ['-c', `lfs.url=${web.url('/repo/info/lfs')}`, '-c', `http.proxy=${proxyOf(host)}`];
    await git(clone, ...settings, '-c', 'lfs.locksverify=false', 'lfs', 'pull');
    expect(hashOf(readFileSync(join(clone, 'big.bin')))).toBe(oid);
  }
  expectOneCopy(path, body.length, batch);
});

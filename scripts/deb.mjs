#!/usr/bin/env node
/*
 * Makes shoal_VERSION_all.deb of the build in dist/ and the npm packages of this checkout:
 *   node scripts/deb.mjs OUT_DIR
 * The same commit gives the same bytes: times are those of the commit, or of SOURCE_DATE_EPOCH.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = process.argv[2] ?? '.';
const { version, description, license } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));
const SCRIPTS = ['postinst', 'prerm', 'postrm'];

function run(program, args, env = {}) {
  const ran = spawnSync(program, args, { cwd: root, encoding: 'utf8', env: { ...process.env, ...env } });
  if (ran.status === 0) return ran.stdout;
  console.error(`${program} ${args.join(' ')} failed:\n${ran.stderr ?? ran.error?.message}`);
  process.exit(1);
}

/** Where the packages that Shoal runs with lie; those that are built for one kind of machine are all optional. */
function packages() {
  const { packages: locked } = JSON.parse(readFileSync(`${root}/package-lock.json`, 'utf8'));
  const wanted = Object.entries(locked).filter(
    ([path, { dev, optional, devOptional }]) => path !== '' && !dev && !optional && !devOptional,
  );
  return wanted.map(([path]) => path);
}

const tree = mkdtempSync(join(tmpdir(), 'shoal-deb-'));
const at = (path) => join(tree, path);
try {
  const lib = at('usr/lib/shoal');
  for (const dir of ['usr/bin', 'usr/lib/systemd/system', 'usr/share/doc/shoal', 'etc/shoal', 'DEBIAN']) {
    mkdirSync(at(dir), { recursive: true });
  }
  cpSync(`${root}/bin/shoal`, join(lib, 'bin/shoal'));
  cpSync(`${root}/package.json`, join(lib, 'package.json'));
  cpSync(`${root}/dist`, join(lib, 'dist'), {
    recursive: true,
    filter: (path) => !/\.cache$|\.built$/.test(path),
  });
  for (const path of packages()) {
    const nested = (inner) => relative(`${root}/${path}`, inner).split('/').includes('node_modules');
    const used = (inner) => !nested(inner) && !/\.(?:map|md|[cm]?ts|flow)$/.test(inner);
    cpSync(`${root}/${path}`, join(lib, path), { recursive: true, filter: used });
  }
  symlinkSync('../lib/shoal/bin/shoal', at('usr/bin/shoal'));
  const debian = `${root}/deploy/debian`;
  for (const name of readdirSync(debian)) {
    if (name.endsWith('.service')) cpSync(`${debian}/${name}`, at(`usr/lib/systemd/system/${name}`));
  }
  cpSync(`${debian}/shoal.yaml`, at('etc/shoal/shoal.yaml'));
  for (const name of SCRIPTS) cpSync(`${debian}/${name}`, at(`DEBIAN/${name}`));
  writeFileSync(at('DEBIAN/conffiles'), '/etc/shoal/shoal.yaml\n');
  cpSync(`${root}/LICENSE`, at('usr/share/doc/shoal/copyright'));
  cpSync(`${root}/CHANGELOG.md`, at('usr/share/doc/shoal/CHANGELOG.md'));
  writeFileSync(
    at('DEBIAN/control'),
    [
      'Package: shoal',
      `Version: ${version}`,
      'Architecture: all',
      'Depends: nodejs (>= 20.19), passwd',
      'Suggests: nats-server',
      'Maintainer: The Shoal authors <shoal@localhost>',
      'Section: net',
      'Priority: optional',
      `Description: ${description}`,
      ` ${license}.`,
      '',
    ].join('\n'),
  );
  run('find', [tree, '-type', 'd', '-exec', 'chmod', '755', '{}', '+']);
  run('find', [tree, '-type', 'f', '-exec', 'chmod', 'go-w,a+rX', '{}', '+']);
  mkdirSync(out, { recursive: true });
  const file = join(out, `shoal_${version}_all.deb`);
  const time = process.env.SOURCE_DATE_EPOCH ?? run('git', ['log', '-1', '--format=%ct']).trim();
  run('find', [tree, '-exec', 'touch', '-h', '-d', `@${time}`, '{}', '+']);
  run('dpkg-deb', ['--root-owner-group', '-Zgzip', '--build', tree, file], { SOURCE_DATE_EPOCH: time });
  process.stdout.write(`${file}\n`);
} finally {
  rmSync(tree, { recursive: true, force: true });
}

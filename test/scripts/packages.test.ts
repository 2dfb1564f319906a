import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { VERSION } from '../../app/version.ts';
import { findCommand } from '../../scripts/ensure-system.mjs';
import { ROOT, run } from '../support/child.ts';
import { tempDir } from '../support/temp-dir.ts';

const DEB = `shoal_${VERSION}_all.deb`;
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** In what everybody gets: the licences of what is bundled, and what it is made of. */
function checkParts(dir: string): void {
  expect(readFileSync(join(dir, 'dist/THIRD-PARTY-LICENSES'), 'utf8')).toMatch(
    /^commander \d[\s\S]+MIT License[\s\S]+^preact \d[\s\S]+^zod \d[\s\S]+MIT License/m,
  );
  const sbom = JSON.parse(readFileSync(join(dir, 'dist/sbom.cdx.json'), 'utf8'));
  expect(sbom).toMatchObject({
    bomFormat: 'CycloneDX',
    metadata: { component: { name: 'shoal', version: VERSION } },
  });
  const names: string[] = sbom.components.map(({ name }: { name: string }) => name);
  expect(names).toEqual(expect.arrayContaining(['zod', 'preact', 'xstate', 'fastify']));
  expect(names).not.toContain('vitest');
}

beforeAll(() => run(['node', join(ROOT, 'scripts/sbom.mjs')]));

test('the Debian package is the same each time, runs from where it is installed, and brings units that systemd takes', async () => {
  await using temp = await tempDir();
  const [first, second, root] = ['1', '2', 'root'].map((name) => join(temp.path, name)) as [
    string,
    string,
    string,
  ];
  for (const dir of [first, second]) await run(['node', join(ROOT, 'scripts/deb.mjs'), dir]);
  expect(sha256(join(first, DEB))).toBe(sha256(join(second, DEB)));
  await run(['dpkg-deb', '-x', join(first, DEB), root]);
  expect(await run([process.execPath, join(root, 'usr/lib/shoal/bin/shoal'), '--version'])).toBe(
    `${VERSION}\n`,
  );
  const made = join(temp.path, 'ca');
  // It loads packages that are not bundled.
  await run([process.execPath, join(root, 'usr/lib/shoal/bin/shoal'), 'proxy', 'ca', '--out', made]);
  expect(existsSync(join(made, 'ca.pem'))).toBe(true);
  checkParts(join(root, 'usr/lib/shoal'));
  expect(await run(['dpkg-deb', '-f', join(first, DEB), 'Depends'])).toContain('nodejs (>= 20.19)');
  for (const role of ['scheduler', 'seed', 'peer', 'gateway']) {
    const unit = readFileSync(join(root, `usr/lib/systemd/system/shoal-${role}.service`), 'utf8');
    expect(unit).toContain(`ExecStart=/usr/bin/shoal ${role}\n`);
    expect(unit).toContain('User=shoal\n');
  }
  const analyze = findCommand('systemd-analyze');
  if (analyze === undefined) return;
  const units = ['scheduler', 'seed', 'peer', 'gateway'].map((role) =>
    join(ROOT, `deploy/debian/shoal-${role}.service`),
  );
  const said = await run(['sh', '-c', `${analyze} verify --man=no ${units.join(' ')} 2>&1 || true`]);
  // That /usr/bin/shoal is not on this machine is all there is to say.
  expect(
    said.split('\n').filter((line) => line.includes('shoal') && !line.includes('is not executable')),
  ).toEqual([]);
});

test('the npm package is the same each time, and has what it needs', async () => {
  await using temp = await tempDir();
  const made = [];
  for (const dir of ['1', '2']) {
    const place = join(temp.path, dir);
    await run(['mkdir', place]);
    // No script of its own runs: the build is there.
    const command = ['npm', 'pack', '--ignore-scripts', '--json', '--pack-destination', place];
    made.push(JSON.parse(await run(['env', '-C', ROOT, ...command]))[0]);
  }
  expect(made[0].integrity).toBe(made[1].integrity);
  const files: string[] = made[0].files.map(({ path }: { path: string }) => path);
  expect(files.filter((path) => !path.startsWith('dist/console/')).sort()).toEqual(
    [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'bin/shoal',
      'dist/THIRD-PARTY-LICENSES',
      'dist/sbom.cdx.json',
      'dist/shoal.cjs',
      'package.json',
    ].sort(),
  );
  const root = join(temp.path, 'root');
  await run(['mkdir', root]);
  await run(['tar', '-xzf', join(temp.path, '1', made[0].filename), '-C', root]);
  checkParts(join(root, 'package'));
});

#!/usr/bin/env node
/*
 * Writes dist/sbom.cdx.json: the npm packages that Shoal is made of, as CycloneDX, by npm's own word. What npm makes
 * anew at each run, a serial number and the time, is left out, so that the same commit gives the same file. After a build.
 * Plain JavaScript without dependencies: it runs in the build of the image.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const args = ['sbom', '--package-lock-only', '--sbom-format=cyclonedx', '--sbom-type=application'];
const run = spawnSync('npm', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
if (run.status !== 0) {
  console.error(`npm ${args.join(' ')} failed:\n${run.stderr ?? run.error?.message}`);
  process.exit(1);
}
const { serialNumber: _serial, ...sbom } = JSON.parse(run.stdout);
delete sbom.metadata.timestamp;
// npm calls the whole by the name of the folder that it lies in.
sbom.metadata.component.name = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')).name;
// By the lock file: npm's own --omit=dev leaves out what a package for development needs too, zod for one.
const { packages } = JSON.parse(readFileSync(`${root}/package-lock.json`, 'utf8'));
const wanted = new Set(
  Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && !dev)
    .map(
      ([path, { name, version }]) =>
        `${name ?? path.slice(path.lastIndexOf('node_modules/') + 13)}@${version}`,
    ),
);
// What the build took in from packages for development is given away, too.
const taken = readFileSync(`${root}/dist/THIRD-PARTY-LICENSES`, 'utf8').matchAll(/^(\S+) (\d\S*) \(.+\)$/gm);
for (const [, name, version] of taken) wanted.add(`${name}@${version}`);
sbom.components = sbom.components.filter((one) => wanted.has(one['bom-ref']));
const refs = new Set([sbom.metadata.component['bom-ref'], ...sbom.components.map((one) => one['bom-ref'])]);
sbom.dependencies = sbom.dependencies
  .filter(({ ref }) => refs.has(ref))
  .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((one) => refs.has(one)) }));
writeFileSync(`${root}/dist/sbom.cdx.json`, `${JSON.stringify(sbom, null, 2)}\n`);

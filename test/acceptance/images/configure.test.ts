import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openLab } from '../../app/configure/lab.ts';
import { run, startCommand } from '../../support/child.ts';

test('containerd reads what was written into its own defaults, and gets them back byte for byte', async () => {
  const defaults = await run(['containerd', 'config', 'default']);
  await using lab = await openLab('containerd', { 'containerd/config.toml': defaults });
  await lab.run();
  const config = lab.at('containerd/config.toml');
  const dump = await run(['containerd', '-c', config, 'config', 'dump']);
  expect(dump).toContain(`config_path = "${lab.at('containerd/certs.d')}"`);
  await lab.run({ undo: true });
  expect(readFileSync(config, 'utf8')).toBe(defaults);
});

test('skopeo asks the mirror that was written, for a registry with a port too, then the registry', async () => {
  await using lab = await openLab('podman');
  const dead = 'http://127.0.0.1:1';
  await lab.run({ proxy: dead, registries: ['localhost:2=http://localhost:2'] });
  const file = lab.at('containers/registries.conf.d/50-shoal.conf');
  const command = [
    'skopeo',
    '--debug',
    '--registries-conf',
    file,
    'inspect',
    'docker://localhost:2/team/app:v1',
  ];
  const { stderr } = await startCommand(command, 20_000).done;
  const tried = [...stderr.matchAll(/Trying to access \\?"([^"\\]+)/g)].map(([, name]) => name);
  expect(tried).toEqual(['127.0.0.1:1/localhost_2/team/app:v1', 'localhost:2/team/app:v1']);
});

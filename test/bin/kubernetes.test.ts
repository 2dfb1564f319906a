import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SHOAL, startCommand } from '../support/child.ts';
import { tempDir } from '../support/temp-dir.ts';

const kubernetes = (...args: string[]) => startCommand([...SHOAL, 'kubernetes', ...args]).done;

test('a node is configured, its runtime restarted where that needs it and no more, and put back', async () => {
  await using temp = await tempDir();
  const at = (path: string) => join(temp.path, path);
  mkdirSync(at('containerd'));
  writeFileSync(at('containerd/config.toml'), 'version = 2\n');
  const flags = ['--file', at('containerd/config.toml'), '--config-dir', at('containerd/certs.d')];
  const refused = await kubernetes('configure-node', ...flags);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain('config_path');
  expect(existsSync(at('containerd/certs.d'))).toBe(false);
  const write = [...flags, '--config-path', 'write'];
  // Instead of entering the node it says what would be run there.
  const first = await kubernetes('configure-node', ...write, '--activate', 'echo would run');
  expect(first).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('would run systemctl restart containerd'),
  });
  const second = await kubernetes('configure-node', ...write, '--activate', 'echo would run');
  expect(second).toMatchObject({ code: 0, stdout: expect.not.stringContaining('would run') });
  expect(await kubernetes('restore-node', ...write)).toMatchObject({ code: 0 });
  expect(existsSync(at('containerd/certs.d'))).toBe(false);
  const failing = await kubernetes('configure-node', ...write, '--activate', 'false');
  expect(failing.code).not.toBe(0);
  expect(failing.stderr).toContain('false systemctl restart containerd');
  // So that the next try does not take it for active.
  expect(existsSync(at('containerd/certs.d'))).toBe(false);
});

test('accounts are made in a pod alone', async () => {
  const ran = await kubernetes('accounts', '--name', 'shoal', '--namespace', 'shoal');
  expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining('in a pod') });
});

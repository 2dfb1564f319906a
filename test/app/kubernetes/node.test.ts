import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { parseProxy, parseRegistry } from '../../../app/configure/names.ts';
import { configureNode, type NodeOptions, restoreNode } from '../../../app/kubernetes/node.ts';
import { tempDir } from '../../support/temp-dir.ts';

const PROXY = parseProxy('http://127.0.0.1:4001');
const CERTS = 'etc/containerd/certs.d';

/** The folder of a node's runtime as the machine of the test has it; `DIR` in a text stands for it. */
async function openNode(files: Readonly<Record<string, string>>) {
  const temp = await tempDir();
  const at = (path: string) => join(temp.path, 'node', path);
  for (const [path, text] of Object.entries({ 'etc/hostname': 'node\n', ...files })) {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text.replaceAll('DIR', at('')));
  }
  const before = join(temp.path, 'before');
  return {
    at,
    /** Remembers how it is. */
    keep: () => cpSync(at(''), before, { recursive: true, verbatimSymlinks: true }),
    /** What `diff -r` tells since then. */
    difference: () => {
      try {
        return execFileSync('diff', ['-r', '--no-dereference', before, at('')], { encoding: 'utf8' });
      } catch (error) {
        return String((error as { stdout?: unknown }).stdout);
      }
    },
    folders: () => readdirSync(at(''), { recursive: true, encoding: 'utf8' }).sort(),
    options: (more: Partial<NodeOptions> = {}): NodeOptions => ({
      runtime: 'containerd',
      file: at('etc/containerd/config.toml'),
      configPath: 'require',
      registries: [],
      proxy: PROXY,
      ...more,
    }),
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
}

const V2 = `version = 2
# by the image of the node
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "DIR/${CERTS}"
`;
const V3 = `version = 3
[plugins.'io.containerd.cri.v1.images'.registry]
config_path = 'DIR/${CERTS}:/etc/docker/certs.d'
`;
const THEIRS = `server = "https://quay.io"\n\n[host."https://mirror.lan"]\n  capabilities = ["pull"]`;

test.each([
  ['containerd 1.6 and 1.7', { 'etc/containerd/config.toml': V2 }],
  ['containerd 2', { 'etc/containerd/config.toml': V3 }],
  [
    'mirrors and a default of others',
    {
      'etc/containerd/config.toml': V2,
      [`${CERTS}/_default/hosts.toml`]: THEIRS,
      [`${CERTS}/quay.io/hosts.toml`]: THEIRS,
      [`${CERTS}/lan.example/ca.crt`]: 'a certificate\n',
    },
  ],
  ['lines that end as on Windows', { 'etc/containerd/config.toml': V2.replaceAll('\n', '\r\n') }],
] as [string, Record<string, string>][])(
  'a node with %s is as it was afterwards, byte for byte',
  async (_about, files) => {
    await using node = await openNode(files);
    node.keep();
    const folders = node.folders();
    await configureNode(node.options());
    expect(readFileSync(node.at(`${CERTS}/_default/hosts.toml`), 'utf8')).toContain(PROXY.url);
    const configured = node.difference();
    expect(configured).not.toBe('');
    expect(await configureNode(node.options())).toMatchObject({ changed: false });
    expect(node.difference()).toBe(configured);
    // Another version of the chart names registries of its own.
    await configureNode(node.options({ registries: [parseRegistry('ghcr.io')] }));
    await restoreNode(node.options());
    expect(node.difference()).toBe('');
    expect(node.folders()).toEqual(folders);
  },
);

test('a node whose containerd reads no hosts.toml is refused with nothing written, or has config_path written', async () => {
  await using node = await openNode({
    'etc/containerd/config.toml': 'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  x = 1\n',
  });
  node.keep();
  const configDir = node.at(CERTS);
  await expect(configureNode(node.options({ configDir }))).rejects.toMatchObject({
    code: 'ERR_CONFIG_CONFLICT',
    message: expect.stringContaining('config_path'),
  });
  expect(node.difference()).toBe('');
  const write = node.options({ configDir, configPath: 'write' });
  expect(await configureNode(write)).toMatchObject({ activation: { kind: 'restart' } });
  expect(readFileSync(write.file ?? '', 'utf8')).toContain(`config_path = "${configDir}"`);
  expect(await configureNode(write)).toMatchObject({ activation: { kind: 'none' } });
  await restoreNode(write);
  expect(node.difference()).toBe('');
});

test('what others write while Shoal is there stays when it goes', async () => {
  await using node = await openNode({
    'etc/containerd/config.toml': V2,
    [`${CERTS}/quay.io/hosts.toml`]: THEIRS,
  });
  await configureNode(node.options());
  const path = node.at(`${CERTS}/quay.io/hosts.toml`);
  writeFileSync(path, `${readFileSync(path, 'utf8')}\n[host."https://second.lan"]\n`);
  await restoreNode(node.options());
  expect(readFileSync(path, 'utf8')).toBe(`${THEIRS}\n[host."https://second.lan"]\n`);
  expect(existsSync(`${path}.shoal-undo`)).toBe(false);
});

test('the generated folder of k3s, reached by a symbolic link, is configured and restored', async () => {
  const files = {
    'data/containerd/config.toml': `version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\n  config_path = "DIR/agent/containerd/certs.d"\n`,
    'agent/.keep': '',
  };
  await using node = await openNode(files);
  symlinkSync('../data/containerd', node.at('agent/containerd'));
  node.keep();
  const options = node.options({ file: node.at('agent/containerd/config.toml') });
  await configureNode(options);
  expect(existsSync(node.at('data/containerd/certs.d/_default/hosts.toml'))).toBe(true);
  await restoreNode(options);
  expect(node.difference()).toBe('');
});

test('a folder of hosts.toml files that is taken for granted is written without a look at config.toml', async () => {
  await using node = await openNode({ 'etc/containerd/config.toml': 'imports = ["/opt/*.toml"]\n' });
  node.keep();
  const options = node.options({ configPath: 'assume', configDir: node.at(CERTS) });
  await configureNode(options);
  expect(existsSync(node.at(`${CERTS}/_default/hosts.toml`))).toBe(true);
  await restoreNode(options);
  expect(node.difference()).toBe('');
});

test('CRI-O gets a drop-in that goes again', async () => {
  await using node = await openNode({
    'etc/containers/registries.conf': 'unqualified-search-registries = []\n',
  });
  node.keep();
  const options = node.options({
    runtime: 'crio',
    file: undefined,
    configDir: node.at('etc/containers/registries.conf.d'),
  });
  expect(await configureNode(options)).toMatchObject({ activation: { kind: 'reload' } });
  expect(readFileSync(node.at('etc/containers/registries.conf.d/50-shoal.conf'), 'utf8')).toContain(
    '127.0.0.1:4001/quay.io',
  );
  await restoreNode(options);
  expect(node.difference()).toBe('');
});

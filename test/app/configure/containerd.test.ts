import { mkdirSync, readdirSync } from 'node:fs';
import { parse } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import { parseRegistry } from '../../../app/configure/names.ts';
import { changesOf, openLab, visible } from './lab.ts';

const MARK = '# >>> shoal: written by `shoal configure`, taken out by `shoal configure … --undo`';
const HOST = `[host."http://127.0.0.1:4001"]
  capabilities = ["pull", "resolve"]
  dial_timeout = "1s"
`;
const OURS = `${MARK}\n${HOST}# <<< shoal\n`;
const CONFIG = 'containerd/config.toml';
const DEFAULT = 'containerd/certs.d/_default/hosts.toml';

test('where nothing is configured, one file for all registries and a config.toml are written', async () => {
  await using lab = await openLab('containerd');
  const done = await lab.run();
  expect(visible(lab.files())).toEqual({
    [DEFAULT]: OURS,
    [CONFIG]: `version = 2

${MARK}
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "${lab.at('containerd/certs.d')}"
# <<< shoal
`,
  });
  expect(done).toMatchObject({ changed: true, activation: { kind: 'restart' } });
  expect(await lab.run()).toMatchObject({ changed: false, activation: { kind: 'none' } });
  await lab.run({ undo: true });
  expect(lab.files()).toEqual({});
  expect(readdirSync(lab.at('.'))).toEqual([]);
});

test('a named registry falls back to where it really is', async () => {
  await using lab = await openLab('containerd');
  await lab.run({
    registries: ['docker.io', 'quay.io', 'lab.example:5000=http://lab.example:5000', 'localhost:5000'],
  });
  const servers = ['docker.io', 'quay.io', 'lab.example:5000', 'localhost:5000'].map(
    (name) => parse(lab.read(`containerd/certs.d/${name}/hosts.toml`))['server'],
  );
  expect(servers).toEqual([
    'https://registry-1.docker.io',
    'https://quay.io',
    'http://lab.example:5000',
    undefined,
  ]);
  expect(Object.keys(lab.files())).not.toContain(DEFAULT);
});

test('a registry below a path, and one at an IPv6 address, are where they were said to be', async () => {
  await using lab = await openLab('containerd');
  const given = new Map([
    ['red.example=https://all.example/red/docker/', 'https://all.example/red/docker'],
    ['blue.example=https://all.example/blue/v2/', 'https://all.example/blue'],
    ['[fd00::1]:5000=http://[fd00::1]:5000', 'http://[fd00::1]:5000'],
    ['[fd00::2]', 'https://[fd00::2]'],
    ['[::1]:5000', undefined],
  ]);
  await lab.run({ registries: [...given.keys()], proxy: 'http://[::1]:4001' });
  for (const [text, server] of given) {
    const [name = ''] = text.split('=');
    const { host, ...root } = parse(lab.read(`containerd/certs.d/${name}/hosts.toml`));
    expect([root['server'], Object.keys(host ?? {})], name).toEqual([server, ['http://[::1]:4001']]);
  }
  await lab.run({ undo: true });
  expect(lab.files()).toEqual({});
});

test.each([
  'a=http://a?b',
  'a=http://u:secret@a',
  'a=http://u:secret@a/path',
  'a=ftp://a',
  '[zz]=http://a',
  '[::1=http://a',
])('--registry %s is refused, and no password is told', (text) => {
  let thrown: unknown;
  try {
    parseRegistry(text);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: 'ERR_CONFIG_INVALID' });
  expect(String(thrown)).not.toContain('secret');
});

test('a run with other registries replaces what the one before wrote', async () => {
  await using lab = await openLab('containerd');
  await lab.run({ registries: ['docker.io', 'quay.io'] });
  const done = await lab.run({ registries: ['quay.io'] });
  expect(changesOf(done)).toEqual([
    'unchanged quay.io/hosts.toml',
    'removed docker.io/hosts.toml',
    'unchanged containerd/config.toml',
  ]);
  expect(readdirSync(lab.at('containerd/certs.d'))).toEqual(['quay.io']);
  await lab.run({ undo: true });
  expect(readdirSync(lab.at('.'))).toEqual([]);
});

test('in a hosts.toml of others Shoal comes first, and the rest stays with its comments', async () => {
  const theirs = `server = "https://ghcr.io"\nca = """\n[not a table]\n"""\n\n# The mirror of the building.\n[host."https://mirror.corp"] # near\n  capabilities = ["pull"]\n`;
  const path = 'containerd/certs.d/ghcr.io/hosts.toml';
  await using lab = await openLab('containerd', { [path]: theirs });
  await lab.run();
  expect(lab.read(path)).toBe(theirs.replace('# The mirror', `${OURS}# The mirror`));
  expect(Object.keys(parse(lab.read(path))['host'] ?? {})).toEqual([
    'http://127.0.0.1:4001',
    'https://mirror.corp',
  ]);
  await lab.run({ undo: true });
  expect(visible(lab.files())).toEqual({ [path]: theirs });
});

test('what others add later stays when Shoal is taken out', async () => {
  const path = 'containerd/certs.d/ghcr.io/hosts.toml';
  await using lab = await openLab('containerd', { [path]: 'server = "https://ghcr.io"' });
  await lab.run();
  lab.write(path, `${lab.read(path)}\n[host."https://late.corp"]\n`);
  await lab.run({ undo: true });
  expect(lab.files()).toEqual({ [path]: 'server = "https://ghcr.io"\n\n[host."https://late.corp"]\n' });
});

test('an edit that leans on what Shoal wrote is not torn off: undo refuses and writes nothing', async () => {
  const path = 'containerd/certs.d/ghcr.io/hosts.toml';
  await using lab = await openLab('containerd', { [path]: 'server = "https://ghcr.io"\n' });
  await lab.run();
  lab.write(path, `${lab.read(path)}skip_verify = true\n`);
  const before = lab.files();
  await expect(lab.run({ undo: true })).rejects.toMatchObject({ code: 'ERR_CONFIG_CONFLICT' });
  expect(lab.files()).toEqual(before);
});

test('hosts that others wrote in one line, so that ours could not come first, are refused', async () => {
  const text = 'host = { "https://mirror.corp" = { capabilities = ["pull"] } }\n';
  await using lab = await openLab('containerd', { [DEFAULT]: text });
  await expect(lab.run()).rejects.toMatchObject({ code: 'ERR_CONFIG_CONFLICT' });
  expect(lab.files()).toEqual({ [DEFAULT]: text });
});

test('a host entry for the same proxy that somebody wrote by hand is theirs', async () => {
  const text = '[host."http://127.0.0.1:4001"]\n';
  const path = 'containerd/certs.d/_default/hosts.toml';
  await using lab = await openLab('containerd', { [path]: text });
  expect(changesOf(await lab.run())).toContain('unchanged _default/hosts.toml');
  await lab.run({ undo: true });
  expect(visible(lab.files())).toEqual({ [path]: text });
});

test('a folder of certificates is left alone, and named it is refused', async () => {
  const path = 'containerd/certs.d/lab.example:5000/ca.crt';
  await using lab = await openLab('containerd', { [path]: 'x' });
  expect((await lab.run()).notes.join('\n')).toMatch(/lab\.example:5000 holds certificates/);
  await expect(lab.run({ registries: ['lab.example:5000'] })).rejects.toMatchObject({
    code: 'ERR_CONFIG_CONFLICT',
  });
});

test('the folder that containerd prefers is the one written to', async () => {
  await using lab = await openLab('containerd');
  mkdirSync(lab.at('containerd/certs.d/lab.example_5000_'), { recursive: true });
  await lab.run({ registries: ['lab.example:5000'] });
  expect(Object.keys(visible(lab.files()))).toContain('containerd/certs.d/lab.example_5000_/hosts.toml');
});

describe('config.toml', () => {
  const V3 =
    'version = 3\n\n[plugins]\n  [plugins."io.containerd.cri.v1.images"]\n    snapshotter = "overlayfs"\n';
  const cases: [string, string, readonly string[]][] = [
    ['of version 3', V3, ['io.containerd.cri.v1.images']],
    ['of version 2', 'version = 2 # two\n', ['io.containerd.grpc.v1.cri']],
    ['of version 1', 'root = "/srv"\n', ['cri']],
    ['without a line end', 'version = 2', ['io.containerd.grpc.v1.cri']],
    ['of lines with CR', 'version = 2\r\n[grpc]\r\n  uid = 0\r\n', ['io.containerd.grpc.v1.cri']],
    [
      'with an empty path',
      'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "" # none\n  [plugins."io.containerd.grpc.v1.cri".registry.mirrors]\n',
      ['io.containerd.grpc.v1.cri'],
    ],
    [
      'with a table for registries',
      'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n[plugins."io.containerd.grpc.v1.cri".registry.configs."a".auth]\n  username = "u"\n',
      ['io.containerd.grpc.v1.cri'],
    ],
  ];

  test.each(cases)(
    '%s gets a config_path, and comes back byte for byte',
    async (_what, text, [plugin = '']) => {
      await using lab = await openLab('containerd', { [CONFIG]: text });
      await lab.run();
      const doc = parse(lab.read(CONFIG)) as { plugins: Record<string, { registry: object }> };
      expect(doc.plugins[plugin]?.registry).toMatchObject({ config_path: lab.at('containerd/certs.d') });
      expect(lab.read(CONFIG).includes('\r\n')).toBe(text.includes('\r\n'));
      expect((await lab.run()).changed).toBe(false);
      const configured = lab.read(CONFIG);
      await lab.run({ undo: true });
      expect(lab.files()).toEqual({ [CONFIG]: text });

      // The same with an edit of others in between.
      await lab.run();
      expect(lab.read(CONFIG)).toBe(configured);
      lab.write(CONFIG, `# edited\n${configured}`);
      await lab.run({ undo: true });
      expect(lab.read(CONFIG).trimEnd()).toBe(`# edited\n${text}`.trimEnd());
    },
  );

  test('a config_path that is there decides where the files go', async () => {
    await using lab = await openLab('containerd');
    const text = `version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "${lab.at('other')}:/etc/docker/certs.d"\n`;
    lab.write(CONFIG, text);
    const { configureClient } = await import('../../../app/configure/configure.ts');
    const proxy = { url: 'http://127.0.0.1:4001', host: '127.0.0.1:4001', plain: true };
    const options = { registries: [], proxy, undo: false, file: lab.at(CONFIG) };
    await configureClient('containerd', options, false);
    expect(visible(lab.files())).toEqual({ [CONFIG]: text, 'other/_default/hosts.toml': OURS });
    await configureClient('containerd', { ...options, undo: true }, false);
    expect(lab.files()).toEqual({ [CONFIG]: text });
  });

  test('a config_path in a file that it imports is found', async () => {
    await using lab = await openLab('containerd', {
      [CONFIG]: 'version = 2\nimports = ["conf.d/*.toml"]\n',
    });
    lab.write(
      'containerd/conf.d/a.toml',
      `version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "${lab.at('containerd/certs.d')}"\n`,
    );
    expect(changesOf(await lab.run())).toEqual(['created _default/hosts.toml']);
  });

  test('mirrors of the old form are refused with the reason, and nothing is written', async () => {
    const text =
      'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\n  endpoint = ["https://m"]\n';
    await using lab = await openLab('containerd', { [CONFIG]: text });
    await expect(lab.run()).rejects.toMatchObject({
      code: 'ERR_CONFIG_CONFLICT',
      message: expect.stringContaining('old form'),
    });
    expect(lab.files()).toEqual({ [CONFIG]: text });
  });

  test('where CRI is off it is left as it is', async () => {
    const text = 'disabled_plugins = ["cri"]\n';
    await using lab = await openLab('containerd', { [CONFIG]: text });
    const done = await lab.run();
    expect(done.notes.join('\n')).toMatch(/CRI is off/);
    expect(lab.read(CONFIG)).toBe(text);
    expect(done.activation).toEqual({ kind: 'none' });
  });

  test.each(['version = ', 'a = 1\na = 2\n', '\u0000'])('what is no TOML is refused: %j', async (text) => {
    await using lab = await openLab('containerd', { [CONFIG]: text });
    await expect(lab.run()).rejects.toMatchObject({ code: 'ERR_CONFIG_CONFLICT' });
    expect(lab.files()).toEqual({ [CONFIG]: text });
  });
});

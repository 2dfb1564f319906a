import { parse } from 'smol-toml';
import { expect, test } from 'vitest';
import { changesOf, openLab, visible } from './lab.ts';

const MAIN = 'containers/registries.conf';
const DROP_IN = 'containers/registries.conf.d/50-shoal.conf';

interface Table {
  readonly prefix: string;
  readonly location: string;
  readonly mirror: readonly { readonly location: string; readonly insecure?: boolean }[];
}

function registries(text: string): readonly Table[] {
  return (parse(text) as unknown as { registry: Table[] }).registry;
}

test('named registries are put behind the mirror by their path, a port without its colon', async () => {
  await using lab = await openLab('podman');
  const done = await lab.run({ registries: ['quay.io', 'lab.example:5000=http://10.0.0.5:5000'] });
  expect(visible(lab.files())).toEqual({
    [DROP_IN]: `# >>> shoal: written by \`shoal configure\`, taken out by \`shoal configure … --undo\`
[[registry]]
prefix = "quay.io"
location = "quay.io"

[[registry.mirror]]
location = "127.0.0.1:4001/quay.io"
insecure = true

[[registry]]
prefix = "lab.example:5000"
location = "10.0.0.5:5000"
insecure = true

[[registry.mirror]]
location = "127.0.0.1:4001/lab.example_5000"
insecure = true
# <<< shoal
`,
  });
  expect(done.activation).toEqual({ kind: 'none' });
  await lab.run({ undo: true });
  expect(lab.files()).toEqual({});
});

test('a registry below a path is asked for at the mirror alone, and that is said', async () => {
  await using lab = await openLab('podman');
  const done = await lab.run({
    registries: ['red.example=http://all.example/red/docker', 'six.example=http://[fd00::1]:5000'],
  });
  expect(registries(lab.read(DROP_IN))).toEqual([
    {
      prefix: 'red.example',
      location: 'red.example',
      mirror: [{ location: '127.0.0.1:4001/red.example', insecure: true }],
    },
    {
      prefix: 'six.example',
      location: '[fd00::1]:5000',
      insecure: true,
      mirror: [{ location: '127.0.0.1:4001/six.example', insecure: true }],
    },
  ]);
  expect(done.notes.join('\n')).toMatch(/nothing below http:\/\/all\.example\/red\/docker/);
  await expect(lab.run({ registries: ['[fd00::1]:5000'] })).rejects.toMatchObject({
    code: 'ERR_CONFIG_INVALID',
    message: expect.stringContaining('NAME=URL'),
  });
});

test('without names it is the usual five, and says that there is no mirror for all', async () => {
  await using lab = await openLab('crio');
  const done = await lab.run();
  expect(registries(lab.read(DROP_IN)).map(({ prefix }) => prefix)).toEqual([
    'docker.io',
    'quay.io',
    'ghcr.io',
    'registry.k8s.io',
    'gcr.io',
  ]);
  expect(done.notes[0]).toMatch(/no mirror for all registries/);
  expect(done.activation).toEqual({ kind: 'reload', command: 'systemctl reload crio' });
});

test('what another file says of a registry is kept, with Shoal before its mirrors', async () => {
  const main = `unqualified-search-registries = ["docker.io"]
[[registry]]
location = "quay.io"
mirror-by-digest-only = true
[[registry.mirror]]
location = "mirror.corp/quay"
[[registry]]
prefix = "ghcr.io"
location = "inside.corp/ghcr"
[[registry]]
prefix = "gcr.io"
location = "gcr.io"
blocked = true
`;
  await using lab = await openLab('podman', { [MAIN]: main });
  const done = await lab.run({ registries: ['quay.io', 'ghcr.io', 'gcr.io'] });
  expect(registries(lab.read(DROP_IN))).toEqual([
    {
      prefix: 'quay.io',
      location: 'quay.io',
      'mirror-by-digest-only': true,
      mirror: [{ location: '127.0.0.1:4001/quay.io', insecure: true }, { location: 'mirror.corp/quay' }],
    },
    {
      prefix: 'ghcr.io',
      location: 'inside.corp/ghcr',
      mirror: [{ location: '127.0.0.1:4001/inside.corp/ghcr', insecure: true }],
    },
  ]);
  expect(done.notes.join('\n')).toMatch(/gcr\.io is blocked/);
  expect(lab.read(MAIN)).toBe(main);
});

test('a file that is read later is named, since it wins', async () => {
  const late = '[[registry]]\nlocation = "quay.io"\n';
  await using lab = await openLab('podman', { 'containers/registries.conf.d/99-late.conf': late });
  expect((await lab.run({ registries: ['quay.io'] })).notes.join('\n')).toMatch(/read later .* quay\.io/);
});

test('what others wrote into the same file stays', async () => {
  const theirs = '[[registry]]\nlocation = "theirs.example"';
  await using lab = await openLab('podman', { [DROP_IN]: theirs });
  await lab.run({ registries: ['quay.io'] });
  expect(registries(lab.read(DROP_IN))).toHaveLength(2);
  expect(changesOf(await lab.run({ registries: ['quay.io'] }))).toEqual([
    'unchanged registries.conf.d/50-shoal.conf',
  ]);
  lab.write(DROP_IN, `${lab.read(DROP_IN)}[[registry]]\nlocation = "late.example"\n`);
  await lab.run({ undo: true });
  expect(lab.files()).toEqual({ [DROP_IN]: `${theirs}\n[[registry]]\nlocation = "late.example"\n` });
});

test('a proxy with TLS is not called insecure', async () => {
  await using lab = await openLab('podman');
  await lab.run({ registries: ['quay.io'], proxy: 'https://shoal.example:4001/' });
  expect(registries(lab.read(DROP_IN))[0]?.mirror).toEqual([{ location: 'shoal.example:4001/quay.io' }]);
});

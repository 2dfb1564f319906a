import { describe, expect, test } from 'vitest';
import { planDocker } from '../../../app/configure/docker-plan.ts';
import { parseProxy } from '../../../app/configure/names.ts';
import { changesOf, openLab, visible } from './lab.ts';

const DAEMON = 'docker/daemon.json';
const UNIT = 'systemd/docker.service.d/shoal-proxy.conf';
const URL_ = 'http://127.0.0.1:4001';

describe('daemon.json', () => {
  const cases: [string, string, string][] = [
    ['an empty object', '{}', `{\n  "registry-mirrors": ["${URL_}"]\n}`],
    ['one line', '{"debug":true}', `{"debug":true, "registry-mirrors": ["${URL_}"]}`],
    [
      'four spaces and no line end',
      '{\n    "debug": true,\n    "labels": ["a{", "]\\""]\n}',
      `{\n    "debug": true,\n    "labels": ["a{", "]\\""],\n    "registry-mirrors": ["${URL_}"]\n}`,
    ],
    [
      'mirrors of others',
      '{\n\t"registry-mirrors": [\n\t\t"https://m.corp"\n\t],\n\t"debug": false\n}\n',
      `{\n\t"registry-mirrors": [\n\t\t"${URL_}",\n\t\t"https://m.corp"\n\t],\n\t"debug": false\n}\n`,
    ],
    ['an empty list', '{"registry-mirrors": [ ]}', `{"registry-mirrors": ["${URL_}"]}`],
    [
      'lines with CR',
      '{\r\n  "a": 1\r\n}\r\n',
      `{\r\n  "a": 1,\r\n  "registry-mirrors": ["${URL_}"]\r\n}\r\n`,
    ],
    ['a byte order mark', '\uFEFF{"a":1}', `\uFEFF{"a":1, "registry-mirrors": ["${URL_}"]}`],
    ['nothing', ' \n', `{\n  "registry-mirrors": [\n    "${URL_}"\n  ]\n}\n`],
  ];

  test.each(cases)('with %s: keys, order and spacing stay', async (_what, before, after) => {
    await using lab = await openLab('docker', { [DAEMON]: before });
    expect((await lab.run()).activation).toEqual({ kind: 'reload', command: 'systemctl reload docker' });
    expect(lab.read(DAEMON)).toBe(after);
    expect((await lab.run()).changed).toBe(false);
    await lab.run({ undo: true });
    expect(lab.files()).toEqual({ [DAEMON]: before });
  });

  test.each([
    ['not JSON', '{"a": 1,}'],
    ['a list', '[]'],
    ['mirrors that are no list', '{"registry-mirrors": "x"}'],
    ['a key that stands twice', '{"registry-mirrors": [], "registry-mirrors": ["https://m"]}'],
  ])('with %s is refused', async (_what, text) => {
    await using lab = await openLab('docker', { [DAEMON]: text });
    await expect(lab.run()).rejects.toMatchObject({ code: 'ERR_CONFIG_CONFLICT' });
    expect(lab.files()).toEqual({ [DAEMON]: text });
  });

  test('a mirror that is there already is left as it is', async () => {
    const text = `{"registry-mirrors": ["https://m", "${URL_}/"]}`;
    await using lab = await openLab('docker', { [DAEMON]: text });
    expect((await lab.run()).changed).toBe(false);
    expect(lab.files()).toEqual({ [DAEMON]: text });
  });

  test('what others change later stays when Shoal is taken out', async () => {
    await using lab = await openLab('docker', { [DAEMON]: '{\n  "debug": true\n}\n' });
    await lab.run({ proxies: 'daemon' });
    const text = lab.read(DAEMON).replace('true', 'false').replace('["http', '["https://m", "http');
    lab.write(DAEMON, text.replace('"proxies": { ', '"proxies": { "no-proxy": "corp", '));
    await lab.run({ undo: true });
    expect(lab.files()).toEqual({
      [DAEMON]:
        '{\n  "debug": false,\n  "registry-mirrors": ["https://m"],\n  "proxies": { "no-proxy": "corp" }\n}\n',
    });
  });
});

test('with proxies a new Docker is told by daemon.json, an old or unknown one by a drop-in', async () => {
  await using lab = await openLab('docker');
  const options = {
    registries: [],
    proxy: parseProxy(URL_),
    file: lab.at(DAEMON),
    configDir: lab.at('systemd/docker.service.d'),
    proxies: 'auto' as const,
    undo: false,
  };
  const paths = async (version: number | undefined) =>
    (await planDocker(options, async () => version)).changes.map(({ way, path }) => [way, path]);
  expect(await paths(23)).toEqual([
    ['put', lab.at(DAEMON)],
    ['take', lab.at(UNIT)],
  ]);
  for (const version of [20, undefined, Number.NaN]) {
    expect(await paths(version)).toEqual([
      ['put', lab.at(DAEMON)],
      ['put', lab.at(UNIT)],
    ]);
  }
});

test('going from one way of proxies to the other, and to none, leaves nothing behind', async () => {
  await using lab = await openLab('docker');
  await lab.run({ proxies: 'systemd' });
  expect(lab.read(UNIT)).toContain(
    `\n[Service]\nEnvironment="HTTP_PROXY=${URL_}"\nEnvironment="HTTPS_PROXY=${URL_}"\n`,
  );
  const changed = await lab.run({ proxies: 'daemon' });
  expect(changesOf(changed)).toEqual([
    'changed docker/daemon.json',
    'removed docker.service.d/shoal-proxy.conf',
  ]);
  expect(changed.activation.kind).toBe('restart');
  expect(JSON.parse(lab.read(DAEMON))).toEqual({
    'registry-mirrors': [URL_],
    proxies: { 'http-proxy': URL_, 'https-proxy': URL_ },
  });
  expect((await lab.run()).activation).toEqual({ kind: 'restart', command: 'systemctl restart docker' });
  expect(Object.keys(visible(lab.files()))).toEqual([DAEMON]);
  await lab.run({ undo: true });
  expect(lab.files()).toEqual({});
});

test('another proxy of Docker is not overwritten, wherever it stands', async () => {
  await using lab = await openLab('docker', { [DAEMON]: '{"proxies": {"https-proxy": "http://corp"}}' });
  await expect(lab.run({ proxies: 'daemon' })).rejects.toMatchObject({ code: 'ERR_CONFIG_CONFLICT' });
  lab.write('systemd/docker.service.d/corp.conf', '[Service]\nEnvironment="HTTPS_PROXY=http://corp"\n');
  await expect(lab.run({ proxies: 'systemd' })).rejects.toMatchObject({ code: 'ERR_CONFIG_CONFLICT' });
});

test('another registry than Docker Hub is refused with the way that there is', async () => {
  await using lab = await openLab('docker');
  await expect(lab.run({ registries: ['quay.io'] })).rejects.toMatchObject({
    code: 'ERR_CONFIG_INVALID',
    message: expect.stringContaining('--proxies'),
  });
  expect((await lab.run({ registries: ['index.docker.io'] })).changed).toBe(true);
});

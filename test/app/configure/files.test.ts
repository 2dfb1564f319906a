import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import fc from 'fast-check';
import { stringify } from 'smol-toml';
import { expect, test } from 'vitest';
import type { Client } from '../../../app/configure/clients.ts';
import { unifiedDiff } from '../../../app/configure/diff.ts';
import { parseProxy, parseRegistry } from '../../../app/configure/names.ts';
import { ROOT, run, SHOAL, startCommand } from '../../support/child.ts';
import { openLab } from './lab.ts';

const DAEMON = 'docker/daemon.json';
const MEMORY = `${DAEMON}.shoal-undo`;

const key = fc.stringMatching(/^[a-z-]{1,6}$/);
const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const spacing = fc.constantFrom(undefined, 1, 4, '\t');
const value = fc.oneof(text, fc.boolean(), fc.integer(), fc.array(text, { maxLength: 3 }));
const object = fc.dictionary(key, fc.oneof(value, fc.dictionary(key, value, { maxKeys: 3 })), { maxKeys: 5 });
const json = fc
  .tuple(object, fc.option(fc.array(text, { maxLength: 3 })), spacing, fc.constantFrom('', '\n', '\r\n \t'))
  .map(([doc, mirrors, space, end]) => {
    const whole = mirrors === null ? doc : { ...doc, 'registry-mirrors': mirrors };
    return JSON.stringify(whole, null, space) + end;
  });
const toml = fc
  .tuple(object, fc.constantFrom('', '# a comment\n', '\n\n'), fc.constantFrom('', '\n# the end'))
  .map(([doc, head, tail]) => head + stringify(doc) + tail);

test.each<[Client, string, fc.Arbitrary<string>]>([
  ['docker', DAEMON, json],
  ['containerd', 'containerd/config.toml', toml],
  ['podman', 'containers/registries.conf.d/50-shoal.conf', toml],
])(
  '%s: whatever was there is there again, byte for byte, and a second run changes nothing',
  async (client, path, content) => {
    await fc.assert(
      fc.asyncProperty(content, async (before) => {
        await using lab = await openLab(client, { [path]: before });
        const refused = await lab.run().then(
          () => false,
          () => true,
        );
        if (!refused) {
          const once = lab.files();
          expect((await lab.run()).changed).toBe(false);
          expect(lab.files()).toEqual(once);
          await lab.run({ undo: true });
        }
        expect(lab.files()).toEqual({ [path]: before });
      }),
      { numRuns: 40 },
    );
  },
);

test('any bytes at all are either configured and put back, or refused and left', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 40 }), async (before) => {
      await using lab = await openLab('docker', { [DAEMON]: before });
      const written = lab.read(DAEMON);
      await lab.run().then(
        () => lab.run({ undo: true }),
        () => undefined,
      );
      expect(lab.files()).toEqual({ [DAEMON]: written });
    }),
    { numRuns: 40 },
  );
});

test('a dry run writes nothing and tells the difference', async () => {
  await using lab = await openLab('docker', { [DAEMON]: '{}\n' });
  const dry = await lab.run({ dryRun: true });
  expect(lab.files()).toEqual({ [DAEMON]: '{}\n' });
  expect(dry).toMatchObject({ changed: true, dryRun: true });
  expect(dry.files[0]?.diff).toContain('+  "registry-mirrors": ["http://127.0.0.1:4001"]\n');
});

test('mode and owner stay, for what is remembered too', async () => {
  await using lab = await openLab('docker', { [DAEMON]: '{}' });
  chmodSync(lab.at(DAEMON), 0o640);
  if (process.getuid?.() === 0) chownSync(lab.at(DAEMON), 12, 34);
  const { mode, uid, gid } = statSync(lab.at(DAEMON));
  await lab.run();
  for (const path of [DAEMON, MEMORY]) expect(statSync(lab.at(path))).toMatchObject({ mode, uid, gid });
  await lab.run({ undo: true });
  expect(statSync(lab.at(DAEMON))).toMatchObject({ mode, uid, gid });
});

test('a symbolic link stays one, and what it leads to is changed', async () => {
  await using lab = await openLab('docker', { 'elsewhere/daemon.json': '{}' });
  mkdirSync(lab.at('docker'));
  symlinkSync('../elsewhere/daemon.json', lab.at(DAEMON));
  await lab.run();
  expect(lstatSync(lab.at(DAEMON)).isSymbolicLink()).toBe(true);
  expect(lab.read('elsewhere/daemon.json')).toContain('registry-mirrors');
  await lab.run({ undo: true });
  expect(lab.read(DAEMON)).toBe('{}');
  rmSync(lab.at('elsewhere/daemon.json'));
  await expect(lab.run()).rejects.toMatchObject({ code: 'ERR_CONFIG_CONFLICT' });
});

test('what is no plain file, too large, or not UTF-8 is refused', async () => {
  await using lab = await openLab('docker');
  mkdirSync(lab.at(DAEMON), { recursive: true });
  await expect(lab.run()).rejects.toMatchObject({
    code: expect.stringMatching(/^ERR_(?:CONFIG_CONFLICT|OUTPUT)$/),
  });
  rmSync(lab.at(DAEMON), { recursive: true });
  await run(['mkfifo', lab.at(DAEMON)]);
  await expect(lab.run()).rejects.toMatchObject({ code: 'ERR_CONFIG_CONFLICT' });
  rmSync(lab.at(DAEMON));
  lab.write(DAEMON, `{"a": "${'x'.repeat(1024 * 1024)}"}`);
  await expect(lab.run()).rejects.toMatchObject({ code: 'ERR_CONFIG_CONFLICT' });
});

test('a run cut off between remembering and writing is taken up again, or taken back', async () => {
  await using lab = await openLab('docker', { [DAEMON]: '{"a": 1}' });
  await lab.run();
  const done = lab.files();
  lab.write(DAEMON, '{"a": 1}');
  await lab.run();
  expect(lab.files()).toEqual(done);
  lab.write(DAEMON, '{"a": 1}');
  await lab.run({ undo: true });
  expect(lab.files()).toEqual({ [DAEMON]: '{"a": 1}' });
});

test('what is remembered and damaged is not guessed at', async () => {
  await using lab = await openLab('docker', { [DAEMON]: '{}' });
  await lab.run();
  lab.write(MEMORY, '{}');
  await expect(lab.run({ undo: true })).rejects.toMatchObject({ code: 'ERR_CONFIG_CONFLICT' });
});

test('without the right to write there is one clear error, and nothing is written', async () => {
  await using lab = await openLab('docker', { [DAEMON]: '{}' });
  chmodSync(lab.at('docker'), 0o555);
  chmodSync(lab.at('.'), 0o755);
  const args = ['configure', 'docker', '--file', lab.at(DAEMON), '--config-dir', lab.at('units')];
  const root = process.getuid?.() === 0;
  const [program, ...before] = root
    ? // Another user might not get at this checkout; root without its privilege is held to the mode as well.
      ['setpriv', '--bounding-set', '-dac_override', '--inh-caps', '-dac_override', ...SHOAL]
    : SHOAL;
  const ran = spawnSync(program ?? '', [...before, ...args], { encoding: 'utf8', cwd: ROOT });
  expect(ran).toMatchObject({ status: 1, stderr: expect.stringContaining('ERR_CONFIG_DENIED') });
  expect(ran.stderr).toMatch(/sudo/);
  expect(lab.files()).toEqual({ [DAEMON]: '{}' });
});

test('the difference is one that patch applies', () => {
  const lines = fc.array(fc.constantFrom('a\n', 'b\n', 'c\n', '\n'), { maxLength: 30 });
  const body = fc.tuple(lines, fc.constantFrom('', 'end')).map(([all, end]) => all.join('') + end);
  fc.assert(
    fc.property(body, body, (before, after) => {
      expect(applied(before, unifiedDiff('f', before, after))).toBe(after);
    }),
    { numRuns: 300 },
  );
  expect(unifiedDiff('f', undefined, 'a\n')).toBe('--- /dev/null\n+++ f\n@@ -0,0 +1,1 @@\n+a\n');
  expect(unifiedDiff('f', 'a', undefined)).toBe(
    '--- f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n\\ No newline at end of file\n',
  );
});

/** A text after a unified difference, each line of which is held against the text. */
function applied(before: string, diff: string): string {
  const from = before === '' ? [] : before.split(/(?<=\n)/);
  let at = 0;
  let after = '';
  const lines = diff.replaceAll('\n\\ No newline at end of file\n', '').split(/(?<=\n)|(?<=end)(?=[+@])/);
  for (const line of lines.slice(2)) {
    const range = /^@@ -(\d+)(?:,(\d+))? /.exec(line);
    if (range !== null) {
      const start = range[2] === '0' ? Number(range[1]) : Number(range[1]) - 1;
      after += from.slice(at, start).join('');
      at = start;
      continue;
    }
    const content = line.slice(1);
    if (line.startsWith('+')) after += content;
    else {
      expect(from[at]).toBe(content);
      if (line.startsWith(' ')) after += content;
      at += 1;
    }
  }
  return after + from.slice(at).join('');
}

test.each(['*.example.com', 'a/b', '', '..', 'http://x', 'a b', 'x:123456', 'quay.io=ftp://x'])(
  'no registry: %j',
  (name) => {
    expect(() => parseRegistry(name)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }));
  },
);

test.each(['', '127.0.0.1:4001', 'ftp://x', 'http://x/p', 'http://u:p@x', 'http://x?q', 'http://x#f'])(
  'no proxy: %j',
  (url) => {
    expect(() => parseProxy(url)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }));
  },
);

test('the command line configures, says so, and takes back', async () => {
  await using lab = await openLab('podman');
  const shoal = (...args: string[]) =>
    startCommand([...SHOAL, 'configure', 'podman', '--config-dir', lab.at('d'), ...args], 20_000).done;
  expect(await shoal('--dry-run')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^--- \/dev\/null\n/),
  });
  expect(lab.files()).toEqual({});
  const named = ['--registry', 'quay.io', '--registry', 'ghcr.io', '--no-check'];
  const done = await shoal(...named, '--json');
  expect(JSON.parse(done.stdout)).toMatchObject({
    client: 'podman',
    changed: true,
    files: [{ change: 'created' }],
  });
  expect(await shoal(...named)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('nothing changed'),
  });
  expect(await shoal('--undo', '--registry', 'quay.io')).toMatchObject({ code: 2 });
  expect(await shoal('--undo')).toMatchObject({ code: 0, stdout: expect.stringContaining('removed') });
  expect(await shoal('--undo')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('nothing of Shoal'),
  });
  expect(lab.files()).toEqual({});
});

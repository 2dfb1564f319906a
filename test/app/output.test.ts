import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openOutput } from '../../app/output.ts';
import { hashesOf } from '../support/piece-hashes.ts';
import { tempDir } from '../support/temp-dir.ts';

const never = new AbortController().signal;

async function* chunks(...parts: string[]): AsyncIterable<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

/** A cached file whose content is to be `content`. */
function cached(path: string) {
  return { path, revision: undefined, length: 7, pieces: hashesOf(Buffer.from('content')) };
}

test('a copy appears with its content, and no later write to it reaches the source', async () => {
  await using dir = await tempDir();
  const source = join(dir.path, 'cached');
  writeFileSync(source, 'content', { mode: 0o400 });
  const output = openOutput(join(dir.path, 'out'));
  await output.copyFrom(cached(source), never);
  expect(readFileSync(output.path, 'utf8')).toBe('content');
  expect(statSync(output.path).mode & 0o777).toBe(0o666 & ~process.umask());
  appendFileSync(output.path, 'more');
  writeFileSync(output.path, 'X', { flag: 'r+' });
  expect(readFileSync(source, 'utf8')).toBe('content');
  expect(statSync(source).nlink).toBe(1);
  expect(readdirSync(dir.path).sort()).toEqual(['cached', 'out']);
});

test('what was at the path stays until the new content is whole', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'out');
  writeFileSync(path, 'old');
  async function* broken(): AsyncIterable<Uint8Array> {
    yield Buffer.from('ne');
    expect(readFileSync(path, 'utf8')).toBe('old');
    throw new Error('cut');
  }
  await expect(openOutput(path).writeFrom(broken(), never)).rejects.toThrow('cut');
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(dir.path)).toEqual(['out']);
  expect(await openOutput(path).writeFrom(chunks('ne', 'w'), never)).toBe(3);
  expect(readFileSync(path, 'utf8')).toBe('new');
  expect(readdirSync(dir.path)).toEqual(['out']);
});

test('an aborted output leaves nothing behind', async () => {
  await using dir = await tempDir();
  const stop = new AbortController();
  async function* endless(): AsyncIterable<Uint8Array> {
    for (let count = 0; ; count++) {
      if (count === 3) stop.abort(new Error('stopped'));
      yield Buffer.from('x');
    }
  }
  await expect(openOutput(join(dir.path, 'out')).writeFrom(endless(), stop.signal)).rejects.toThrow(
    'stopped',
  );
  writeFileSync(join(dir.path, 'cached'), 'content');
  const copy = openOutput(join(dir.path, 'out')).copyFrom(cached(join(dir.path, 'cached')), stop.signal);
  await expect(copy).rejects.toThrow('stopped');
  expect(readdirSync(dir.path)).toEqual(['cached']);
});

test('a source that cannot be read, or has another length, says so', async () => {
  await using dir = await tempDir();
  const output = openOutput(join(dir.path, 'out'));
  const details = { source: true };
  await expect(output.copyFrom(cached(join(dir.path, 'gone')), never)).rejects.toMatchObject({ details });
  writeFileSync(join(dir.path, 'short'), 'ab');
  await expect(output.copyFrom(cached(join(dir.path, 'short')), never)).rejects.toMatchObject({ details });
  expect(readdirSync(dir.path)).toEqual(['short']);
});

test('a moved file is gone from where it was', async () => {
  await using dir = await tempDir();
  writeFileSync(join(dir.path, 'cached'), 'content', { mode: 0o600 });
  const output = openOutput(join(dir.path, 'out'));
  expect(await output.moveFrom(join(dir.path, 'cached'))).toBe(true);
  expect(readFileSync(output.path, 'utf8')).toBe('content');
  expect(existsSync(join(dir.path, 'cached'))).toBe(false);
});

test('a path where nothing can be put is refused before any download', async () => {
  await using dir = await tempDir();
  mkdirSync(join(dir.path, 'sub'));
  writeFileSync(join(dir.path, 'file'), '');
  const wrong = ['sub', 'none/out', 'file/out'];
  for (const path of wrong) {
    expect(() => openOutput(join(dir.path, path)), path).toThrow(
      expect.objectContaining({ code: 'ERR_OUTPUT' }),
    );
  }
  if (process.getuid?.() !== 0) {
    chmodSync(join(dir.path, 'sub'), 0o500);
    expect(() => openOutput(join(dir.path, 'sub/out'))).toThrow(/no file can be made/);
  }
});

test('a device is written to, not replaced', async () => {
  const output = openOutput('/dev/null');
  await expect(output.copyFrom(cached('/etc/hostname'), never)).rejects.toMatchObject({
    details: { source: true },
  });
  expect(await output.writeFrom(chunks('abc'), never)).toBe(3);
  output.discard();
  expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
});

test.each([
  ['to a file', true],
  ['to nothing yet', false],
])('a link %s is followed, and stays a link', async (_, isThere) => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  mkdirSync(at('sub'));
  if (isThere) writeFileSync(at('sub/real'), 'old');
  symlinkSync('real', at('sub/second'));
  symlinkSync('sub/second', at('link'));
  await openOutput(at('link')).writeFrom(chunks('new'), never);
  expect(readFileSync(at('sub/real'), 'utf8')).toBe('new');
  for (const link of ['link', 'sub/second']) expect(lstatSync(at(link)).isSymbolicLink(), link).toBe(true);
  expect(readdirSync(at('sub')).sort()).toEqual(['real', 'second']);
});

test('links that lead to themselves are refused', async () => {
  await using dir = await tempDir();
  symlinkSync('link', join(dir.path, 'link'));
  expect(() => openOutput(join(dir.path, 'link'))).toThrow(expect.objectContaining({ code: 'ERR_OUTPUT' }));
});

const ways = {
  written: (path: string) => openOutput(path).writeFrom(chunks('content'), never),
  copied: (path: string) => openOutput(path).copyFrom(cached(`${path}.cached`), never),
  moved: (path: string) => openOutput(path).moveFrom(`${path}.cached`),
};

test.each(Object.entries(ways))(
  'what is %s is read by whom the file was read by that it replaces',
  async (_, put) => {
    await using dir = await tempDir();
    const path = join(dir.path, 'out');
    for (const mode of [0o600, 0o640, 0o444, 0o755]) {
      writeFileSync(`${path}.cached`, 'content', { mode: 0o600 });
      rmSync(path, { force: true });
      writeFileSync(path, 'old');
      chmodSync(path, mode);
      await put(path);
      expect(readFileSync(path, 'utf8')).toBe('content');
      expect((statSync(path).mode & 0o777).toString(8)).toBe(mode.toString(8));
    }
  },
);

test('an owner stays where that can be; where not, a new group is given no more than everybody', async () => {
  // Only root gives files away.
  if (process.getuid?.() !== 0) return;
  await using dir = await tempDir();
  const path = join(dir.path, 'out');
  chmodSync(dir.path, 0o777);
  for (const [who, left, owner] of [
    [0, 0o664, 4242],
    [4444, 0o644, 4444],
  ] as const) {
    writeFileSync(path, 'old');
    chmodSync(path, 0o664);
    chownSync(path, 4242, 4343);
    process.setegid?.(who);
    process.seteuid?.(who);
    try {
      await openOutput(path).writeFrom(chunks('new'), never);
    } finally {
      process.seteuid?.(0);
      process.setegid?.(0);
    }
    const { mode, uid } = statSync(path);
    expect([(mode & 0o777).toString(8), uid]).toEqual([left.toString(8), owner]);
  }
});

test('nobody else reads what is still coming', async () => {
  await using dir = await tempDir();
  async function* looking(): AsyncIterable<Uint8Array> {
    yield Buffer.from('a');
    const [name = ''] = readdirSync(dir.path);
    expect(statSync(join(dir.path, name)).mode & 0o077).toBe(0);
  }
  await openOutput(join(dir.path, 'out')).writeFrom(looking(), never);
});

test('a full disk is said to be full', async () => {
  const output = openOutput('/dev/full');
  await expect(output.writeFrom(chunks('abc'), never)).rejects.toMatchObject({ code: 'ERR_STORE_FULL' });
});

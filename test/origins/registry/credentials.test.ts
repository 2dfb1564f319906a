import { chmodSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../core/logger.ts';
import { askHelper } from '../../../origins/registry/credential-helper.ts';
import { RegistryCredentials } from '../../../origins/registry/credentials.ts';
import { registryTargetOf } from '../../../origins/registry/target.ts';
import { type TempDir, tempDir } from '../../support/temp-dir.ts';
import { realClock } from '../support.ts';

const auth = (text: string) => ({ auth: Buffer.from(text).toString('base64') });

let temp: TempDir;
let dir: string;
let file: string;
let warnings: unknown[];
const logger = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) };
const path = process.env['PATH'];

beforeAll(async () => {
  temp = await tempDir();
  dir = temp.path;
  process.env['PATH'] = `${dir}${delimiter}${path}`;
});
afterAll(async () => {
  process.env['PATH'] = path;
  await temp[Symbol.asyncDispose]();
});
beforeEach(() => {
  warnings = [];
  file = join(dir, 'config.json');
});
afterEach(() => rmSync(file, { force: true }));

function helper(name: string, script: string): void {
  const program = join(dir, `docker-credential-${name}`);
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
}

function credentials(registries: Record<string, string> = {}, clock = realClock) {
  return new RegistryCredentials({ file, registries, clock, logger });
}

async function found(of: RegistryCredentials, url: string) {
  const target = registryTargetOf(url);
  if (target === undefined) throw new Error('no target');
  return (await of.find(target))?.credential;
}

const quay = 'https://quay.io/v2/a/manifests/latest';

describe('configured credentials', () => {
  test('are none without a file, and those of the file once it is there, changed or gone', async () => {
    const all = credentials();
    expect(await found(all, quay)).toBeUndefined();
    writeFileSync(file, JSON.stringify({ auths: { 'quay.io': auth('me:one') } }));
    expect(await found(all, quay)).toMatchObject({ password: 'one' });
    writeFileSync(file, JSON.stringify({ auths: { 'quay.io': auth('me:two') } }));
    utimesSync(file, 1, 1);
    expect(await found(all, quay)).toMatchObject({ password: 'two' });
    rmSync(file);
    expect(await found(all, quay)).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  test('are none where the file is wrong, which is said once and without its text', async () => {
    writeFileSync(file, '{"auths": secret-text');
    const all = credentials();
    expect(await found(all, quay)).toBeUndefined();
    expect(await found(all, quay)).toBeUndefined();
    expect(warnings).toHaveLength(1);
    expect(JSON.stringify(warnings)).not.toContain('secret');
    rmSync(file);
    mkdirSync(file);
    expect(await found(all, quay)).toBeUndefined();
    rmSync(file, { recursive: true });
  });

  test('of a name go to the URL that the name was given, and in the open to no other', async () => {
    writeFileSync(
      file,
      JSON.stringify({ auths: { 'r.lab:5000': auth('lab:pw'), 'quay.io': auth('me:pw') } }),
    );
    const all = credentials({ 'r.lab:5000': 'http://10.0.0.5:5000' });
    expect(await found(all, 'http://10.0.0.5:5000/v2/a/blobs/x')).toMatchObject({ user: 'lab' });
    expect(await found(all, 'http://10.0.0.6:5000/v2/a/blobs/x')).toBeUndefined();
    expect(await found(all, 'http://r.lab:5000/v2/a/blobs/x')).toBeUndefined();
    expect(await found(all, 'https://r.lab:5000/v2/a/blobs/x')).toMatchObject({ user: 'lab' });
    expect(await found(all, 'http://quay.io/v2/a/blobs/x')).toBeUndefined();
    expect(await found(all, 'http://quay.io:443/v2/a/blobs/x')).toBeUndefined();
  });

  test('on this machine may go in plain HTTP', async () => {
    writeFileSync(
      file,
      JSON.stringify({ auths: { 'localhost:5000': auth('l:pw'), '127.0.0.1:5000': auth('i:pw') } }),
    );
    expect(await found(credentials(), 'http://localhost:5000/v2/')).toMatchObject({ user: 'l' });
    expect(await found(credentials(), 'http://127.0.0.1:5000/v2/')).toMatchObject({ user: 'i' });
  });

  test('come from a helper, which is asked once for many', async () => {
    helper(
      'count',
      `echo "$1" >> ${dir}/asked; read -r url; printf '{"ServerURL":"%s","Username":"u-%s","Secret":"s"}' "$url" "$url"`,
    );
    writeFileSync(file, JSON.stringify({ credHelpers: { 'quay.io': 'count' } }));
    const all = credentials();
    const answers = await Promise.all([found(all, quay), found(all, quay), found(all, quay)]);
    expect(answers).toEqual(new Array(3).fill({ kind: 'login', user: 'u-quay.io', password: 's' }));
    expect(readFileSync(join(dir, 'asked'), 'utf8')).toBe('get\n');
  });

  test('of a helper are asked for again after a while, those it could not give too', async () => {
    let nowMs = 0;
    let runs = 0;
    writeFileSync(file, JSON.stringify({ credsStore: 'x', auths: { 'quay.io': auth('me:pw') } }));
    const runHelper = async () => {
      runs += 1;
      if (runs === 1) throw new Error('locked');
      return { kind: 'identity', user: '<token>', token: `t${runs}` } as const;
    };
    const clock = { ...realClock, now: () => nowMs };
    const all = new RegistryCredentials({ file, registries: {}, clock, logger, runHelper });
    expect(await found(all, quay)).toMatchObject({ user: 'me' });
    expect(await found(all, quay)).toMatchObject({ user: 'me' });
    expect([runs, warnings.length]).toEqual([1, 1]);
    nowMs += 6_000;
    expect(await found(all, quay)).toMatchObject({ token: 't2' });
    nowMs += 59_000;
    expect(await found(all, quay)).toMatchObject({ token: 't2' });
    nowMs += 2_000;
    expect(await found(all, quay)).toMatchObject({ token: 't3' });
  });
});

describe('a credential helper', () => {
  test('says an identity token by the name of its user', async () => {
    helper('id', `printf '{"Username":"<token>","Secret":"abc"}'`);
    expect(await askHelper('id', 'a.io', 5_000)).toEqual({ kind: 'identity', user: '<token>', token: 'abc' });
  });

  test('has nothing for a server it does not know', async () => {
    helper('none', 'echo "credentials not found in native keychain"; exit 1');
    expect(await askHelper('none', 'a.io', 5_000)).toBeUndefined();
  });

  test.each([
    ['is missing', undefined, 'ENOENT'],
    ['fails', 'echo secret; exit 3', 'ended with 3'],
    ['says what is no answer', 'echo secret', 'not understood'],
    ['says too much', 'head -c 1000000 /dev/zero', 'MAXBUFFER'],
    ['takes too long', 'exec sleep 30', 'no answer within 200 ms'],
  ])('that %s is an error without a secret in it', async (what, script, message) => {
    const name = what.replaceAll(' ', '-');
    if (script !== undefined) helper(name, script);
    const error = await askHelper(name, 'a.io', 200).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_CONFIG_INVALID' });
    expect(String(error)).toContain(message);
    expect(String(error)).not.toContain('secret');
  });
});

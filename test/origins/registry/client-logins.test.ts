import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../../core/logger.ts';
import { createAddressPolicy } from '../../../origins/address-policy.ts';
import { ClientLogins } from '../../../origins/registry/client-logins.ts';
import type { Credential } from '../../../origins/registry/docker-config.ts';
import { openRegistries } from '../../../origins/registry/open-registries.ts';
import { SimClock } from '../../../sim/clock.ts';
import { seededRandom } from '../../transport/real-clock.ts';
import { ask, failure, file, gather, never, realClock, serve } from '../support.ts';
import { login as entry, get, opened } from './client-scene.ts';
import { PASSWORD, startFakeRegistry, testRegistries, USER } from './support.ts';

const BASE = 'https://registry.example';
const login = (user: string, password = PASSWORD): Credential => ({ kind: 'login', user, password });
const ME = login(USER);
const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 251));
const blob = `/v2/team/app/blobs/sha256:${'ab'.repeat(32)}`;
const whole = { range: { start: 0, end: content.length }, expect: { etag: '"v1"', length: content.length } };

async function closedFor(user: string) {
  const registry = opened(await startFakeRegistry(content));
  registry.readers.clear();
  registry.readers.add(user);
  return registry;
}

describe('logins of clients', () => {
  const create = (clock = new SimClock()) => ({ clock, logins: new ClientLogins(clock, seededRandom(1)) });

  test('are found by the name they were given, for their registry alone', () => {
    const { logins } = create();
    const name = logins.keep(`${BASE}/`, ME);
    expect(logins.find(name, new URL(BASE))).toMatchObject({ credential: ME });
    for (const other of ['http://registry.example', 'https://registry.example:444', 'https://example']) {
      expect(logins.find(name, new URL(other)), other).toBeUndefined();
    }
    expect(logins.find(undefined, new URL(BASE))).toBeUndefined();
    expect(logins.isName(name)).toBe(true);
    expect(logins.isName('Basic x')).toBe(false);
  });

  test('have a name that tells nothing, the same for the same one, another in another process', () => {
    const { logins } = create();
    const name = logins.keep(BASE, ME);
    const { hash } = logins.find(name, new URL(BASE)) ?? {};
    expect(logins.keep(BASE, ME)).toBe(name);
    expect(logins.find(name, new URL(BASE))?.hash, 'given anew').not.toBe(hash);
    const others = [logins.keep(BASE, login(USER, 'x')), logins.keep('https://b.example', ME)];
    others.push(new ClientLogins(new SimClock(), seededRandom(2)).keep(BASE, ME));
    expect(new Set([name, ...others]).size).toBe(4);
    expect(name).toMatch(/^Shoal-Login [A-Za-z0-9_-]{43}$/);
  });

  test('are forgotten where nobody uses them, and the longest unused where there are too many', async () => {
    const { clock, logins } = create();
    const [used, unused] = [logins.keep(BASE, ME), logins.keep(BASE, login('other'))];
    for (let minutes = 10; minutes <= 60; minutes += 10) {
      await clock.run(minutes * 60_000);
      expect(logins.find(used, new URL(BASE))).toBeDefined();
    }
    expect(logins.find(unused, new URL(BASE))).toBeUndefined();
    for (let count = 0; count < 1_000; count += 1) logins.keep(BASE, login(`user${count}`));
    expect(logins.find(used, new URL(BASE))).toBeUndefined();
    const last = logins.keep(BASE, ME);
    logins.close();
    expect(logins.find(last, new URL(BASE))).toBeUndefined();
  });
});

describe('a registry that is asked with a client’s login', () => {
  test('is shown it in the way it wants, and the host’s own nowhere', async () => {
    const registry = await closedFor(USER);
    const { client, logins } = opened(testRegistries());
    const authorization = logins.keep(registry.server.url, ME);
    const answer = await client.ask(get(registry.server.url, { authorization }), never);
    expect(answer).toMatchObject({ status: 200, as: 'client', body: content });
    const other = await client.ask(get(registry.server.url), never);
    expect(other).toMatchObject({ status: 401, as: 'anonymous' });
  });

  test('and refuses it, is not read as whom this host is configured to be, nor as anybody', async () => {
    const registry = await closedFor('');
    const dir = mkdtempSync(join(tmpdir(), 'shoal-logins-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const dockerConfig = join(dir, 'config.json');
    const name = `127.0.0.1:${registry.server.port}`;
    writeFileSync(dockerConfig, JSON.stringify({ auths: { [name]: entry(USER, PASSWORD) } }));
    const { client, logins } = opened(testRegistries({ dockerConfig }));
    registry.readers.add(USER);
    const authorization = logins.keep(registry.server.url, login(USER, 'guess'));
    for (const isKnown of [false, true]) {
      if (isKnown) {
        const own = await client.ask(get(registry.server.url), never);
        expect(own).toMatchObject({ status: 200, as: 'configured' });
      }
      const answer = await client.ask(get(registry.server.url, { authorization }), never);
      expect(answer).toMatchObject({ status: 401, as: 'client' });
      expect(Buffer.from(answer.body).toString()).toBe('{"details":"incorrect username or password"}');
    }
  });

  test('that needs none is public', async () => {
    const plain = opened(await serve(file(content)));
    const { client, logins } = opened(testRegistries());
    const authorization = logins.keep(plain.url, ME);
    expect(await client.ask(get(plain.url, { authorization }), never)).toMatchObject({ as: 'anonymous' });
    expect(plain.requests[0]?.headers.authorization).toBeUndefined();
  });

  test('is read on where a token ends in mid-read, and not at all with the login of another registry', async () => {
    const registry = await closedFor(USER);
    const { origin, logins } = opened(testRegistries());
    const url = `${registry.server.url}${blob}`;
    const headers = { authorization: logins.keep(registry.server.url, ME) };
    const probed = await origin.probe({ ...ask(url, headers), prefixBytes: 10 }, never);
    if (probed.kind === 'content') probed.body.discard();
    expect(probed).toMatchObject({ probed: { audience: 'source' } });
    registry.expire();
    const got = gather();
    await origin.read({ ...ask(url, headers), ...whole }, got.sink, never);
    expect(got.bytes.equals(content)).toBe(true);
    const seen = registry.server.requests.length;
    const wrong = { authorization: logins.keep(BASE, ME) };
    expect(await failure(origin.read({ ...ask(url, wrong), ...whole }, got.sink, never))).toMatchObject({
      code: 'ERR_SOURCE_REFUSED',
      details: { status: 401 },
    });
    expect(registry.server.requests).toHaveLength(seen);
  });

  test('leaves no trace of it in logs and errors', async () => {
    const lines: string[] = [];
    const write = (fields: unknown, message: string) => lines.push(JSON.stringify([fields, message]));
    const logger = { ...silentLogger, debug: write, info: write, warn: write, error: write };
    const policy = createAddressPolicy({ allowOrigin: ['127.0.0.1'], onlyOrigin: false });
    const random = seededRandom(1);
    const dockerConfig = '/nonexistent/config.json';
    const { client, logins } = opened(
      openRegistries({ policy, logger, clock: realClock, random, dockerConfig, registries: {} }),
    );
    const registry = await closedFor(USER);
    for (const password of [PASSWORD, 'a guess']) {
      const authorization = logins.keep(registry.server.url, login(USER, password));
      await client.ask(get(registry.server.url, { authorization }), never);
      const encoded = Buffer.from(`${USER}:${password}`).toString('base64');
      for (const secret of [password, encoded]) expect(lines.join('\n')).not.toContain(secret);
    }
    expect(lines.length).toBeGreaterThan(0);
  });
});

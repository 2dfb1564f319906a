import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { testRegistries } from '../../origins/registry/support.ts';
import { ask, failure, gather, never } from '../../origins/support.ts';
import { ALICE, ANYBODY, type RegistryAuth, startRegistry } from '../../support/registry.ts';
import { tempDir } from '../../support/temp-dir.ts';

const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 253));
const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
const blob = `/v2/team/app/blobs/${digest}`;

async function push(base: string): Promise<void> {
  const upload = await fetch(`${base}/v2/team/app/blobs/uploads/`, { method: 'POST' });
  const place = new URL(upload.headers.get('location') ?? '', base);
  place.searchParams.set('digest', digest);
  const headers = { 'content-type': 'application/octet-stream' };
  const { status } = await fetch(place, { method: 'PUT', body: content, headers });
  expect(status).toBe(201);
}

/** A registry that holds the blob, and a config.json with Alice's password. */
async function scene(auth: RegistryAuth) {
  const dir = await tempDir();
  const registry = await startRegistry({ auth });
  await registry.loading(push);
  const dockerConfig = join(dir.path, 'config.json');
  const { user: username, password } = ALICE;
  writeFileSync(dockerConfig, JSON.stringify({ auths: { [registry.name]: { username, password } } }));
  const [nobody, alice] = [testRegistries(), testRegistries({ dockerConfig })];
  return {
    registry,
    nobody,
    alice,
    async [Symbol.asyncDispose]() {
      await nobody.close();
      await alice.close();
      await registry[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

describe("Debian's docker-registry", () => {
  test('behind a password is read with the one that is configured, and not without', async () => {
    await using at = await scene('basic');
    const asked = { base: at.registry.url, method: 'HEAD', path: blob } as const;
    expect(await at.alice.client.ask(asked, never)).toMatchObject({ status: 200, as: 'configured' });
    expect(await at.nobody.client.ask(asked, never)).toMatchObject({ status: 401, as: 'anonymous' });
    const got = gather();
    const whole = { range: { start: 0, end: content.length }, expect: { length: content.length } };
    await at.alice.origin.read({ ...ask(`${at.registry.url}${blob}`), ...whole }, got.sink, never);
    expect(got.bytes.equals(content)).toBe(true);
  });

  test('behind tokens is read by whom it lets in, and is public where that is everybody', async () => {
    await using at = await scene('token');
    at.registry.grant(ALICE.user, 'team/app');
    const url = `${at.registry.url}${blob}`;
    const probe = async (origin: typeof at.alice.origin) => {
      const answer = await origin.probe({ ...ask(url), prefixBytes: 10 }, never);
      if (answer.kind === 'content') answer.body.discard();
      return answer;
    };
    expect(await probe(at.alice.origin)).toMatchObject({
      probed: { audience: 'source', length: content.length },
    });
    expect(await failure(probe(at.nobody.origin))).toMatchObject({ code: 'ERR_SOURCE_REFUSED' });
    at.registry.grant(ANYBODY, 'team/app');
    expect(await probe(at.nobody.origin)).toMatchObject({ probed: { audience: 'public' } });
    at.registry.withdraw(ANYBODY, 'team/app');
    expect(await failure(probe(at.nobody.origin))).toMatchObject({ code: 'ERR_SOURCE_REFUSED' });
    expect(await probe(at.alice.origin)).toMatchObject({ probed: { audience: 'source' } });
  });
});

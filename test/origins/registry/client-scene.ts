import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { RegistryRequest } from '../../../origins/registry/registry.ts';
import { serve, type TestServer } from '../support.ts';
import { type FakeRegistry, startFakeRegistry, testRegistries } from './support.ts';

/** What the registries of these tests serve. */
export const content = Buffer.from('{"schemaVersion":2}');
const path = '/v2/team/app/manifests/latest';

/** Closes something after the test. */
export function opened<T extends { close(): Promise<void> }>(one: T): T {
  onTestFinished(() => one.close());
  return one;
}

/** A registry behind tokens. */
export async function fake(options?: Parameters<typeof startFakeRegistry>[1]): Promise<FakeRegistry> {
  return opened(await startFakeRegistry(content, options));
}

/** Any server. */
export async function server(...args: Parameters<typeof serve>): Promise<TestServer> {
  return opened(await serve(...args));
}

/** A client with this entry for the registry in its config.json. */
export function clientFor(
  registry: { port: number },
  entry: object,
  more: Parameters<typeof testRegistries>[0] = {},
) {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-client-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const dockerConfig = join(dir, 'config.json');
  writeFileSync(dockerConfig, JSON.stringify({ auths: { [`127.0.0.1:${registry.port}`]: entry } }));
  return opened(testRegistries({ dockerConfig, ...more })).client;
}

/** An entry of config.json. */
export const login = (user: string, password: string) => ({
  auth: Buffer.from(`${user}:${password}`).toString('base64'),
});

/** A question for the manifest. */
export function get(base: string, more: Partial<RegistryRequest> = {}): RegistryRequest {
  return { base, method: 'GET', path, headers: { accept: 'application/test', via: '1.1 me' }, ...more };
}

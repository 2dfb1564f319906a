import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type ClusterAccounts,
  makeClusterAccounts,
  removeClusterAccounts,
} from '../../../app/kubernetes/accounts.ts';
import { type ClusterApi, clusterAccess, clusterApi } from '../../../app/kubernetes/api.ts';
import { makeNatsCertificate } from '../../../app/kubernetes/nats-certificate.ts';
import { connectNatsBus } from '../../../transport/nats-bus.ts';
import { startNats } from '../../support/nats-server.ts';
import { tempDir } from '../../support/temp-dir.ts';

interface Secret {
  readonly metadata: { readonly name: string };
  readonly stringData: Readonly<Record<string, string>>;
}

const ASKED: ClusterAccounts = { swarm: 'shoal', namespace: 'ns', name: 'my', service: 'my-nats' };
const NAMES = ['host', 'scheduler', 'operator', 'monitor', 'gateway'].map((role) => `my-login-${role}`);
const ALL = [...NAMES, 'my-accounts', 'my-nats-auth'].sort();
const NOW_MS = Date.now();

let secrets: Map<string, Secret>;
let api: ClusterApi;
beforeEach(() => {
  secrets = new Map();
  const nameIn = (path: string) => {
    expect(path).toMatch(/^\/api\/v1\/namespaces\/ns\/secrets/);
    return path.split('/').at(-1) ?? '';
  };
  api = {
    read: async (path) => {
      const secret = secrets.get(nameIn(path));
      const data = Object.entries(secret?.stringData ?? {}).map(([key, text]) => [key, btoa(text)]);
      return secret && { data: Object.fromEntries(data) };
    },
    create: async (path, object) => {
      const secret = object as Secret;
      expect(nameIn(path)).toBe('secrets');
      if (secrets.has(secret.metadata.name)) return 'kept';
      secrets.set(secret.metadata.name, secret);
      return 'made';
    },
    remove: async (path) => (secrets.delete(nameIn(path)) ? 'removed' : 'absent'),
  };
});
const text = (name: string, key: string) => secrets.get(name)?.stringData[key] ?? '';

test('accounts are made once, kept by a second run, made whole after one cut off, and removed', async () => {
  expect(new Set((await makeClusterAccounts(api, ASKED, NOW_MS)).map(({ done }) => done))).toEqual(
    new Set(['made']),
  );
  expect([...secrets.keys()].sort()).toEqual(ALL);
  const first = new Map(secrets);
  expect(new Set((await makeClusterAccounts(api, ASKED, NOW_MS)).map(({ done }) => done))).toEqual(
    new Set(['kept']),
  );
  for (const name of ALL) if (name !== 'my-accounts') secrets.delete(name);
  await makeClusterAccounts(api, ASKED, NOW_MS);
  expect(secrets).toEqual(first);
  await removeClusterAccounts(api, ASKED);
  expect([...secrets.keys()]).toEqual([]);
});

test('whoever is second takes the accounts of the first', async () => {
  const slow: ClusterApi = { ...api, read: async () => undefined };
  await makeClusterAccounts(api, ASKED, NOW_MS);
  const first = new Map(secrets);
  let reads = 0;
  await makeClusterAccounts(
    { ...slow, read: (path) => (reads++ === 0 ? slow.read(path) : api.read(path)) },
    ASKED,
    NOW_MS,
  );
  expect(secrets).toEqual(first);
});

test('accounts of another swarm are not handed out', async () => {
  await makeClusterAccounts(api, ASKED, NOW_MS);
  await expect(makeClusterAccounts(api, { ...ASKED, swarm: 'other' }, NOW_MS)).rejects.toMatchObject({
    code: 'ERR_CONFIG_CONFLICT',
  });
});

test('a NATS with what was made lets those in who have a login, by TLS', async () => {
  await makeClusterAccounts(api, ASKED, NOW_MS);
  await using dir = await tempDir();
  const file = (name: string, content: string) => {
    writeFileSync(join(dir.path, name), content, { mode: 0o600 });
    return join(dir.path, name);
  };
  const certFile = file('tls.crt', text('my-nats-auth', 'tls.crt'));
  const keyFile = file('tls.key', text('my-nats-auth', 'tls.key'));
  const config = `tls { cert_file: "${certFile}", key_file: "${keyFile}" }\n${text('my-nats-auth', 'auth.conf')}`;
  await using nats = await startNats({ config });
  const caFile = file('ca.crt', text('my-login-host', 'ca.crt'));
  const nkeyFile = file('login.nk', text('my-login-host', 'login.nk'));
  const login = { servers: `tls://localhost:${nats.port}`, swarm: 'shoal', tls: { caFile } };
  const host = { kind: 'host', name: '0123456789abcdef0123456789abcdef' } as const;
  const bus = connectNatsBus({ ...login, ...host, credentials: { nkeyFile } });
  await expect.poll(() => bus.state).toBe('connected');
  await bus.close();
  const nobody = connect({ servers: login.servers, tls: { caFile } });
  await expect(nobody).rejects.toThrow(/authoriz/i);
});

describe('the API server', () => {
  test('is asked with the token of the pod, over TLS that its CA vouches for', async () => {
    const tls = await makeNatsCertificate(['localhost'], NOW_MS);
    const seen: string[] = [];
    const server = createServer({ cert: tls.cert, key: tls.key }, (request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers.authorization}`);
      const codes: Record<string, number> = { '/gone': 404, '/there': 200, '/taken': 409, '/denied': 403 };
      response.statusCode = codes[request.url ?? ''] ?? 500;
      request.resume().once('end', () => response.end('{"message":"said so"}'));
    });
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    await using dir = await tempDir();
    mkdirSync(join(dir.path, 'account'));
    writeFileSync(join(dir.path, 'account/ca.crt'), tls.ca);
    writeFileSync(join(dir.path, 'account/token'), 'a-token\n');
    const { port } = server.address() as AddressInfo;
    const env = { KUBERNETES_SERVICE_HOST: 'localhost', KUBERNETES_SERVICE_PORT: String(port) };
    const real = clusterApi(clusterAccess(env, join(dir.path, 'account')));
    expect(await real.read('/gone')).toBeUndefined();
    expect(await real.read('/there')).toEqual({ message: 'said so' });
    expect(await real.create('/taken', {})).toBe('kept');
    expect(await real.remove('/gone')).toBe('absent');
    await expect(real.remove('/denied')).rejects.toMatchObject({
      code: 'ERR_OUTPUT',
      message: expect.stringContaining('403 said so'),
    });
    expect(seen[0]).toBe('GET /gone Bearer a-token');
    const other = await makeNatsCertificate(['localhost'], NOW_MS);
    writeFileSync(join(dir.path, 'account/ca.crt'), other.ca);
    const wary = clusterApi(clusterAccess(env, join(dir.path, 'account')));
    await expect(wary.read('/there')).rejects.toMatchObject({ code: 'ERR_OUTPUT' });
    server.closeAllConnections();
    server.close();
  });

  test('is not there outside of a pod, and that is said', () => {
    expect(() => clusterAccess({})).toThrow(/in a pod/);
  });
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { loadSchedulerConfig } from '../../app/config.ts';
import { openNatsBus } from '../../app/nats-bus.ts';
import { connectSwarm } from '../../app/swarm-client.ts';
import { type Logger, silentLogger } from '../../core/logger.ts';
import { makeCa } from '../../proxy/forward/make-ca.ts';
import { newUserKey } from '../../transport/nkeys.ts';
import { issue } from '../support/certificates.ts';
import { makeNatsJwt } from '../support/nats-jwt.ts';
import { startNats, type TestNats, type TestNatsOptions } from '../support/nats-server.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { codeOf } from '../transport/bus-contract.ts';

let temp: TempDir;
let nats: TestNats | undefined;

beforeEach(async () => {
  temp = await tempDir();
});
afterEach(async () => {
  await nats?.[Symbol.asyncDispose]();
  nats = undefined;
  await temp[Symbol.asyncDispose]();
});

async function server(config: string, more: TestNatsOptions = {}): Promise<TestNats> {
  nats = await startNats({ config, jetstream: false, ...more });
  return nats;
}

function file(name: string, text: string): string {
  const path = join(temp.path, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** The name that a command of these settings has in subjects, once it is let in. */
async function enter(flags: Record<string, unknown>, env: Record<string, string> = {}): Promise<string> {
  const config = loadSchedulerConfig({ flags: { nats: nats?.url, ...flags }, env });
  if (config.nats === undefined) throw new Error('no nats');
  const client = await connectSwarm('shoal', config.nats, silentLogger);
  const { name } = client.bus;
  await client[Symbol.asyncDispose]();
  return name;
}

test('user and password: by flag, by variable, by file, and in the URL', async () => {
  const { url } = await server('authorization { user: "ann", password: "s:cret" }');
  expect(await enter({ 'nats-user': 'ann', 'nats-password': 's:cret' })).toBe('ann');
  expect(await enter({}, { SHOAL_NATS_USER: 'ann', SHOAL_NATS_PASSWORD: 's:cret' })).toBe('ann');
  expect(await enter({ 'nats-user': 'ann', 'nats-password-file': file('p', 's:cret\n') })).toBe('ann');
  expect(await enter({ 'nats-password-file': file('login', '# sender: alice\nann:s:cret\n') })).toBe('alice');
  expect(await enter({}, { SHOAL_NATS_PASSWORD_FILE: file('login', 'ann:s:cret\n') })).toBe('ann');
  expect(await enter({ nats: url.replace('//', '//ann:s%3Acret@') })).toBe('ann');
  expect(
    await enter(
      { config: undefined },
      { SHOAL_CONFIG: file('c.yaml', 'nats-user: ann\nnats-password: "s:cret"\n') },
    ),
  ).toBe('ann');
});

test('a token: by flag, by variable, by file, and in the URL', async () => {
  const { url } = await server('authorization { token: "t0ken" }');
  for (const settings of [
    { 'nats-token': 't0ken' },
    { 'nats-token-file': file('t', 't0ken\n') },
    { nats: url.replace('//', '//t0ken@') },
  ]) {
    expect(await enter(settings)).toMatch(/^cli-[0-9a-f]{12}$/);
  }
  expect(await enter({}, { SHOAL_NATS_TOKEN: 't0ken' })).toMatch(/^cli-/);
});

test('an nkey: a seed alone, and among lines that say whose it is', async () => {
  const { publicKey, seed } = newUserKey();
  await server(`authorization { users: [ { nkey: ${publicKey} } ] }`);
  expect(await enter({ 'nats-nkey': file('seed', seed) })).toMatch(/^cli-/);
  expect(await enter({}, { SHOAL_NATS_NKEY: file('named', `# whose\n# sender: alice\n${seed}\n`) })).toBe(
    'alice',
  );
  const decorated = `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`;
  expect(await enter({ 'nats-nkey': file('decorated', decorated) })).toMatch(/^cli-/);
  expect(await codeOf(enter({ 'nats-nkey': file('other', newUserKey().seed) }))).toBe('ERR_BUS_DENIED');
});

test('a JWT with its seed, in a credentials file', async () => {
  const { operatorJwt, config, creds } = makeNatsJwt();
  await server(`operator: "${file('operator.jwt', operatorJwt)}"\n${config}`);
  expect(await enter({ 'nats-creds': file('user.creds', creds) })).toMatch(/^cli-/);
  expect(await codeOf(enter({ 'nats-creds': file('other.creds', makeNatsJwt().creds) }))).toBe(
    'ERR_BUS_DENIED',
  );
});

test('TLS with a CA of its own, and a client certificate as the login', async () => {
  const ca = await makeCa(join(temp.path, 'ca'), { name: 'a CA', days: 2 });
  const { key, cert } = await issue(temp.path, ca, '127.0.0.1');
  const files = { cert: file('server.crt', cert), key: file('server.key', key) };
  const tls = (more: string) =>
    `tls { cert_file: "${files.cert}", key_file: "${files.key}", ca_file: "${ca.certFile}" ${more} }`;
  const { url, port } = await server(`${tls('')}\nauthorization { user: "ann", password: "secret" }`);
  const user = { 'nats-user': 'ann', 'nats-password': 'secret' };
  expect(await enter({ ...user, 'nats-ca': ca.certFile })).toBe('ann');
  expect(await enter({ ...user, 'nats-ca': ca.certFile, nats: url.replace('nats:', 'tls:') })).toBe('ann');
  // Whoever cannot tell the server for what it is does not send it a password.
  expect(await codeOf(enter({ ...user, nats: url.replace('nats:', 'tls:') }))).toBe('ERR_BUS_UNAVAILABLE');

  const client = await issue(temp.path, ca, 'alice');
  const mine = {
    'nats-ca': ca.certFile,
    'nats-cert': file('alice.pem', client.cert),
    'nats-cert-key': file('alice.key.pem', client.key),
  };
  const mapped = `${tls(', verify_and_map: true')}\nauthorization { users: [ { user: "alice" } ] }`;
  await nats?.restart({ config: mapped });
  expect(nats?.port).toBe(port);
  expect(await enter(mine)).toMatch(/^cli-/);
  expect(await codeOf(enter({ 'nats-ca': ca.certFile }))).not.toBe('no error');
});

test.each([
  ['a URL that is none', { nats: 'nats://' }, /not a NATS URL/],
  ['a URL with a bad escape', { nats: 'nats://ann:hunter2%zz@h' }, /not a NATS URL/],
  ['a URL with a bad port', { nats: 'nats://hunter2@h:99999' }, /not a NATS URL/],
  ['a URL with a path', { nats: 'nats://h/x' }, /not a NATS URL/],
  ['a URL with a host that is none', { nats: 'nats://a b' }, /not a NATS URL/],
  ['two ways at once', { 'nats-token': 'hunter2', 'nats-creds': '/x' }, /more than one way/],
  ['a password without a user', { 'nats-password': 'hunter2' }, /needs nats-user/],
  ['a user without a password', { 'nats-user': 'ann' }, /needs nats-password/],
  ['a certificate without its key', { 'nats-cert': '/x' }, /belong together/],
  ['a credentials file that is not there', { 'nats-creds': '/nowhere/x.creds' }, /x\.creds cannot be read/],
  ['an nkey file that is not there', { 'nats-nkey': '/nowhere/x.nk' }, /x\.nk cannot be read/],
  [
    'a password file that is not there',
    { 'nats-user': 'a', 'nats-password-file': '/nowhere/p' },
    /cannot be read/,
  ],
  ['a token file that is not there', { 'nats-token-file': '/nowhere/t' }, /cannot be read/],
  ['a CA that is not there', { 'nats-ca': '/nowhere/ca.pem' }, /ca\.pem/],
  ['a credentials file that is none', { 'nats-creds': 'FILE' }, /is not a NATS credentials file/],
  ['an nkey file that is none', { 'nats-nkey': 'FILE' }, /holds no seed/],
  ['a login file that is none', { 'nats-password-file': 'FILE' }, /holds no USER:PASSWORD/],
  [
    'a CA that is none',
    { 'nats-ca': 'FILE', 'nats-cert': 'FILE', 'nats-cert-key': 'FILE' },
    /no use for TLS/,
  ],
])('%s is a usage error, and no secret is printed', async (_what, flags, message) => {
  const some = file('some', 'hunter2\n');
  const given = Object.entries(flags).map(([name, value]) => [name, value === 'FILE' ? some : value]);
  const error = await enter({ nats: 'nats://127.0.0.1:1', ...Object.fromEntries(given) }).catch(
    (caught) => caught,
  );
  expect(error).toMatchObject({ code: 'ERR_CONFIG_INVALID', exit: 2, message });
  expect(`${error.message} ${error.cause?.message}`).not.toContain('hunter2');
});

test('a daemon on an open NATS says so, once; on a closed one it says nothing', async () => {
  const told: string[] = [];
  const warn = (_fields: unknown, text?: string) => void told.push(String(text));
  const logger: Logger = { ...silentLogger, warn };
  const join = async (kind: 'host' | 'scheduler' | 'client', login: Record<string, unknown>) => {
    const config = loadSchedulerConfig({ flags: { nats: nats?.url, ...login }, env: {} });
    if (config.nats === undefined) throw new Error('no nats');
    const bus = openNatsBus(config.nats, { kind, name: kind }, { swarm: 'shoal', logger });
    await vi.waitFor(() => expect(bus.state).toBe('connected'));
    await bus.close();
  };
  await server('authorization { user: "ann", password: "secret" }');
  await join('host', { 'nats-user': 'ann', 'nats-password': 'secret' });
  await nats?.restart({ config: '' });
  await join('client', {});
  expect(told).toEqual([]);
  await join('scheduler', {});
  await join('host', {});
  expect(told).toEqual([expect.stringContaining('asks nobody for a login')]);
});

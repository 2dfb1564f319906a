import { X509Certificate } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect as connectTcp, createServer } from 'node:net';
import { join } from 'node:path';
import { connect, TLSSocket } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadCa } from '../../proxy/forward/ca.ts';
import { SHOAL, startCommand } from '../support/child.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';

let temp: TempDir;
let out: string;

beforeEach(async () => {
  temp = await tempDir();
  out = join(temp.path, 'etc/ca');
});
afterEach(() => temp[Symbol.asyncDispose]());

const ca = (...args: string[]) => startCommand([...SHOAL, 'proxy', 'ca', ...args]).done;

test('a CA is made whose key its owner alone reads, and whoever made it is told what to do next', async () => {
  const { code, stdout, stderr } = await ca('--out', out);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(readdirSync(out).sort()).toEqual(['ca.key', 'ca.pem']);
  expect(statSync(join(out, 'ca.key')).mode & 0o777).toBe(0o600);
  expect(statSync(join(out, 'ca.pem')).mode & 0o444).toBe(0o444);
  expect(stdout).toContain(`--proxy-ca-cert ${out}/ca.pem --proxy-ca-key ${out}/ca.key`);
  expect(stdout).toContain('/etc/docker/certs.d/');
});

test('a client that trusts the certificate trusts what the daemon shows it', async () => {
  const { stdout } = await ca('--out', out, '--json');
  const made = JSON.parse(stdout);
  const certificate = new X509Certificate(readFileSync(made.certFile));
  expect(certificate.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(made.fingerprint);
  expect(new Date(certificate.validTo)).toEqual(new Date(made.expires));
  const authority = await loadCa(made.certFile, made.keyFile);
  const secureContext = await authority.contextFor('registry.example');
  const server = createServer((socket) => {
    new TLSSocket(socket, { isServer: true, secureContext }).on('error', () => {}).end('hello');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const socket = connect({
    socket: connectTcp(port, '127.0.0.1'),
    servername: 'registry.example',
    ca: certificate.toString(),
  });
  let said = '';
  for await (const chunk of socket) said += chunk;
  expect(said).toBe('hello');
  server.close();
});

test.each(['ca.pem', 'ca.key'])(
  'where %s is there already, it stays and nothing else is written',
  async (name) => {
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, name), 'theirs');
    const { code, stdout, stderr } = await ca('--out', out);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(`${join(out, name)} is there already`);
    expect(readdirSync(out)).toEqual([name]);
    expect(readFileSync(join(out, name), 'utf8')).toBe('theirs');
  },
);

test('where the certificate cannot be written, no key is left behind', async () => {
  mkdirSync(out, { recursive: true });
  symlinkSync('/nowhere/ca.pem', join(out, 'ca.pem'));
  const { code, stderr } = await ca('--out', out);
  expect(code).toBe(1);
  expect(stderr).toContain(`cannot put a CA into ${out}`);
  expect(readdirSync(out)).toEqual(['ca.pem']);
});

test('a place where no folder can be made is named', async () => {
  writeFileSync(join(temp.path, 'etc'), '');
  const { code, stderr } = await ca('--out', out, '--json');
  expect(code).toBe(1);
  expect(JSON.parse(stderr).error).toMatchObject({
    code: 'ERR_OUTPUT',
    message: expect.stringContaining(out),
  });
  expect(existsSync(out)).toBe(false);
});

import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startGateway } from '../../gateway/listen.ts';
import type { GatewayWorld } from '../../gateway/world.ts';
import { makeCa } from '../../proxy/forward/make-ca.ts';
import { issue } from '../support/certificates.ts';
import { tempDir } from '../support/temp-dir.ts';

/** What /healthy needs of a world. */
const world = {
  console: new Map(),
  harborLogin: 'token',
  version: '0.1.0',
  onAnswered: () => undefined,
} as unknown as GatewayWorld;

test('with a certificate the API is spoken to by TLS, and not otherwise', async () => {
  await using dir = await tempDir();
  const ca = await makeCa(join(dir.path, 'ca'), { name: 'test', days: 2 });
  await issue(dir.path, ca, '127.0.0.1');
  const tls = { certFile: join(dir.path, '127.0.0.1.crt'), keyFile: join(dir.path, '127.0.0.1.key') };
  await using gateway = await startGateway(world, { listen: '127.0.0.1', port: 0, tls });
  expect(gateway.url).toBe(`https://127.0.0.1:${gateway.port}`);
  const status = await new Promise((resolve, reject) => {
    const asked = request(
      `${gateway.url}/healthy`,
      { ca: readFileSync(ca.certFile), agent: false },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      },
    );
    asked.on('error', reject);
    asked.end();
  });
  expect(status).toBe(200);
  await expect(fetch(`http://127.0.0.1:${gateway.port}/healthy`)).rejects.toThrow();
});

test('a port that is taken, and a certificate that is none, are said so', async () => {
  await using gateway = await startGateway(world, { listen: '127.0.0.1', port: 0 });
  const { port } = gateway;
  await expect(startGateway(world, { listen: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'ERR_CONFIG_INVALID',
    message: expect.stringContaining('cannot listen'),
  });
  const tls = { certFile: import.meta.filename, keyFile: import.meta.filename };
  await expect(startGateway(world, { listen: '127.0.0.1', port: 0, tls })).rejects.toMatchObject({
    code: 'ERR_CONFIG_INVALID',
    message: expect.stringContaining('certificate'),
  });
});

import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { descriptorLimit, descriptorShares } from '../../app/descriptors.ts';
import { digestOfFile, MIB, writeRandomFile } from '../support/files.ts';
import { startOriginServer } from '../support/origin-server.ts';
import { startSwarm } from '../support/swarm.ts';
import { tempDir } from '../support/temp-dir.ts';

test('few descriptors are shared out so that some are left, many are not counted', () => {
  for (const limit of [256, 512, 1024, 4096]) {
    const { tasks, up, down, clients } = descriptorShares(limit);
    expect(2 * tasks + up + down + 2 * clients, String(limit)).toBeLessThan(0.8 * limit);
    expect(Math.min(tasks, up, down, clients), String(limit)).toBeGreaterThanOrEqual(16);
  }
  expect(descriptorShares(undefined)).toEqual({ tasks: 64, down: 256, up: 512, clients: 2048 });
  expect(descriptorShares(1_048_576)).toEqual(descriptorShares(undefined));
  expect(descriptorLimit()).toBeGreaterThan(16);
  expect(descriptorLimit('/nowhere')).toBeUndefined();
});

/** Connections that say nothing. */
async function holdOpen(port: number, count: number): Promise<Socket[]> {
  const opened = Array.from({ length: count }, () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    return socket;
  });
  await Promise.all(
    opened.map((socket) => new Promise((done) => socket.once('connect', done).once('close', done))),
  );
  return opened;
}

test.each([256, 1024])(
  'with %i descriptors and more idle connections than those, downloads go on',
  async (limit) => {
    await using temp = await tempDir();
    const digest = writeRandomFile(join(temp.path, 'big'), 20 * MIB);
    await using origin = await startOriginServer({ '/big': join(temp.path, 'big') });
    await using swarm = await startSwarm({
      peers: 2,
      seed: false,
      hostFlags: ['--allow-origin', `127.0.0.1:${origin.port}`],
      inside: () => ['sh', '-c', `ulimit -n ${limit}; exec "$@"`, 'sh'],
    });
    const { proxy = '', dataPort } = await swarm.status('peer1');
    const sockets = [
      ...(await holdOpen(Number(proxy.split(':')[1]), limit + 200)),
      ...(await holdOpen(dataPort, limit + 200)),
    ];
    try {
      for (const host of ['peer1', 'peer2']) {
        const output = join(temp.path, `${host}.out`);
        const { code, stderr } = await swarm.get(host, origin.url('/big'), { digest, output }).done;
        expect(code, `${stderr}\n${swarm.logs(20)}`).toBe(0);
        expect(await digestOfFile(output)).toBe(digest);
      }
      expect(origin.bodyBytes('/big')).toBeLessThan(1.1 * 20 * MIB);
      expect(swarm.logs(1_000).split('\n').length).toBeLessThan(300);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  },
  120_000,
);

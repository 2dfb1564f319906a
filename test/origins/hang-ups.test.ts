import { randomBytes } from 'node:crypto';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { ask, failure, never, testOrigin } from './support.ts';

/*
 * Origins that close the connection while the sink still works on what they sent. An error that nobody catches ends the
 * daemon, and fails the test.
 */

const content = randomBytes(300_000);
const origin = testOrigin();
const closers: (() => void)[] = [];

/** A server that answers each connection with these bytes, then does something to the connection. */
async function answering(head: string, body: Buffer, then: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.write(Buffer.concat([Buffer.from(head), body]), () => then(socket)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** RST and no FIN before it, which `resetAndDestroy` sends where all was written. */
function reset(socket: Socket): void {
  (socket as unknown as { _handle: { reset(done: () => void): number } })._handle.reset(() =>
    socket.destroy(),
  );
}

/** Reads an answer with a sink that takes `busyMs` for each chunk. */
async function slowly(url: string, busyMs: number): Promise<Buffer> {
  const answer = await origin.probe({ ...ask(url), prefixBytes: content.length }, never);
  if (answer.kind !== 'content') throw new Error('no content');
  const chunks: Buffer[] = [];
  await wait(busyMs);
  await answer.body.pump(async (chunk) => {
    chunks.push(Buffer.from(chunk));
    await wait(busyMs);
  }, never);
  return Buffer.concat(chunks);
}

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const CLOSING = 'HTTP/1.0 200 OK\r\n\r\n';
const SIZED = `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${content.length}\r\n\r\n`;

test.each([0, 1, 30])(
  'a body that ends with its connection comes whole to a sink of %i ms',
  async (busyMs) => {
    for (const head of [CLOSING, SIZED]) {
      for (const bytes of [1, 1000, 65_536, 300_000]) {
        if (head === SIZED && bytes !== content.length) continue;
        const url = await answering(head, content.subarray(0, bytes), (socket) => socket.end());
        expect((await slowly(url, busyMs)).equals(content.subarray(0, bytes))).toBe(true);
      }
    }
  },
);

test.each([0, 1, 30])(
  'a connection that is reset in mid-body fails the read, with a sink of %i ms',
  async (busyMs) => {
    // Of a body that ends with its connection libuv tells a reset as an end where both come at once.
    for (const bytes of [1, 1000, 65_536, 200_000]) {
      const url = await answering(SIZED, content.subarray(0, bytes), reset);
      expect((await failure(slowly(url, busyMs))).code).toBe('ERR_SOURCE_UNAVAILABLE');
    }
  },
);

test.each([0, 1, 30])('a body that ends too early fails the read, with a sink of %i ms', async (busyMs) => {
  for (const bytes of [0, 1, 65_536, 200_000]) {
    const url = await answering(SIZED, content.subarray(0, bytes), (socket) => socket.end());
    expect((await failure(slowly(url, busyMs))).code).toBe('ERR_SOURCE_UNAVAILABLE');
  }
});

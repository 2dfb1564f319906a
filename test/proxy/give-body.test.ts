import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { BODY_BUFFERS, giveBody, nextWithin } from '../../proxy/give-body.ts';

const CHUNKS = 16;

/** What a body of this number has in its chunk `at`. */
const byteOf = (body: number, at: number) => (body * CHUNKS + at) & 0xff;

async function* chunksOf(body: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < CHUNKS; at += 1) yield BODY_BUFFERS.take().fill(byteOf(body, at));
}

/** Reads a body as slowly as a client that does something else meanwhile, and says which of its bytes are wrong. */
function wrongBytes(port: number, body: number): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: `/${body}` }, (response) => {
      let position = 0;
      let wrong = 0;
      response.on('data', (chunk: Buffer) => {
        for (const byte of chunk) {
          if (byte !== byteOf(body, Math.floor(position / BODY_BUFFERS.bytes))) wrong += 1;
          position += 1;
        }
        response.pause();
        setTimeout(() => response.resume(), 1);
      });
      response.on('end', () => resolve(wrong + CHUNKS * BODY_BUFFERS.bytes - position));
      response.on('error', reject);
    }).on('error', reject);
  });
}

test('bodies that share buffers never have each other’s bytes, however slow their readers are', async () => {
  const server = createServer(async (request, response) => {
    const chunks = chunksOf(Number(request.url?.slice(1)));
    const first = await nextWithin(chunks, 5_000);
    const signal = new AbortController().signal;
    const length = CHUNKS * BODY_BUFFERS.bytes;
    await giveBody({ response, first, chunks, length, stallMs: 5_000, onSent: () => {}, signal });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const wrong = await Promise.all([0, 1, 2, 3, 4].map((body) => wrongBytes(port, body)));
    expect(wrong).toEqual([0, 0, 0, 0, 0]);
  } finally {
    server.close();
  }
});

import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * The ports that tests give: below those that the system picks itself, which are the source ports of whatever connects
 * next. Workers that run at once have a slice each, by the number that vitest gives them, so no two give the same.
 */
const FIRST_PORT = 12_000;
const SLICES = 20;
const SLICE = 1_000;

const first = FIRST_PORT + (Number(process.env['VITEST_POOL_ID'] ?? 0) % SLICES) * SLICE;
let next = randomInt(SLICE);

/**
 * A TCP port that is free on an address now and that this process is not given again: whoever asked for it may not have
 * listened yet, or may listen again after a restart. @throws Error where nothing can listen on the address
 */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = first + next;
    next = (next + 1) % SLICE;
    const server = createServer().listen(port, address);
    try {
      await once(server, 'listening');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') continue;
      throw error;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}

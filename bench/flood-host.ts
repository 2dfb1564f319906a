import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { toShoalError } from '../core/errors.ts';
import { hostIdFrom, partitionOf, type ResourceId, type TaskId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { silentLogger } from '../core/logger.ts';
import { newSigningKey } from '../dataplane/signing-key.ts';
import type { Bus } from '../transport/bus.ts';
import { connectNatsBus } from '../transport/nats-bus.ts';
import { SUBJECTS } from '../transport/subjects.ts';

/*
 * A host that floods a swarm: syncs of tasks, holdings and URLs that it makes up, hosts that are none, and connections
 * that say nothing, as fast as it can. Run by bench/flood.ts; prints how it was answered.
 */
const { values } = parseArgs({
  options: { nats: { type: 'string' }, seconds: { type: 'string' }, ports: { type: 'string', default: '' } },
});

/** Requests under way at once. */
const AT_ONCE = 256;
const CONNECTIONS = 1_000;

const hostId = hostIdFrom(randomBytes(16));
const bus = connectNatsBus({
  servers: [values.nats ?? ''],
  kind: 'host',
  name: hostId,
  swarm: 'shoal',
  logger: silentLogger,
});
while (bus.state !== 'connected') await new Promise((resolve) => setTimeout(resolve, 20));

const alive = {
  incarnation: 1,
  ip: '127.0.0.1',
  port: 9,
  role: 'normal' as const,
  version: 'flood',
  uploading: 0,
  downloading: 0,
  slotsUp: 16,
  slotsDown: 24,
  cachedBytes: 0,
  cachedTasks: 0,
};
await bus.request(
  SUBJECTS.announce,
  { hostId },
  { ...alive, publicKey: newSigningKey().publicKey },
  { timeoutMs: 5_000 },
);

for (const port of values.ports.split(',').filter((text) => text !== '')) {
  for (let index = 0; index < CONNECTIONS; index += 1)
    connect(Number(port), '127.0.0.1').on('error', () => undefined);
}

const answers = new Map<string, number>();
let running = 0;
let sent = 0;
const endMs = performance.now() + Number(values.seconds) * 1_000;
for (let number = 0; performance.now() < endMs; number += 1) {
  if (running >= AT_ONCE) {
    await setImmediate();
    continue;
  }
  send(bus, number);
  if (number % 64 === 0) await setImmediate();
}
console.log(JSON.stringify({ sent, answers: Object.fromEntries(answers) }));
process.exit(0);

/** Each of the ways to make a scheduler remember, by turns. */
function send(to: Bus, number: number): void {
  sent += 1;
  const hex = createHash('sha256').update(String(number)).digest('hex');
  const taskId = `url-${hex}` as TaskId;
  const partition = String(partitionOf(taskId));
  const geometry = {
    length: (1 + (number % 4_096)) * LIMITS.pieceMinBytes,
    pieceLength: LIMITS.pieceMinBytes,
  };
  if (number % 512 === 0) to.publish(SUBJECTS.alive, { hostId }, alive);
  if (number % 16 === 1) {
    to.publish(SUBJECTS.alive, { hostId: hostIdFrom(randomBytes(16)) }, alive);
    return;
  }
  if (number % 16 === 2) {
    const tasks = Array.from({ length: 200 }, (_, index) => ({
      taskId: `url-${createHash('sha256').update(`${number} ${index}`).digest('hex')}` as TaskId,
      audience: 'public' as const,
      ...(index % 8 === 0 ? { have: new Uint8Array(512).fill(255) } : {}),
      ...geometry,
    }));
    to.publish(SUBJECTS.holds, { hostId, partition }, { incarnation: 1, page: 0, pages: 1, tasks, gone: [] });
    return;
  }
  if (number % 16 < 8) {
    const resourceId = hex as ResourceId;
    const tokens = { partition: String(partitionOf(resourceId)), resourceId, hostId };
    const asked = { url: `http://127.0.0.1:9/${hex}`, credentials: false, mayReadOrigin: true };
    count(
      to.request(
        SUBJECTS.resolve,
        tokens,
        { incarnation: 1, ask: number, maxStaleMs: 0, ...asked },
        { timeoutMs: 2_000 },
      ),
    );
    return;
  }
  count(
    to.request(
      SUBJECTS.sync,
      { partition, taskId, hostId },
      {
        incarnation: 1,
        seq: 1,
        base: 0,
        ...geometry,
        have: new Uint8Array(Math.ceil((1 + (number % 4_096)) / 8)).fill(255),
        added: [],
        running: [],
        queued: [],
        freeSlots: 24,
        transferBytesPerSec: 1e8,
        wants: number % 2 === 0,
        sources: [{ url: `http://127.0.0.1:9/${hex}`, credentials: false }],
        mayReadOrigin: true,
        failures: [],
        hashCursor: 0,
        adrift: true,
        seen: { epoch: 0, number: 0 },
        received: { origin: 0, peers: 0, local: 0 },
      },
      { timeoutMs: 2_000 },
    ),
  );
}

function count(answered: Promise<{ readonly status: string }>): void {
  running += 1;
  const add = (kind: string) => {
    running -= 1;
    answers.set(kind, (answers.get(kind) ?? 0) + 1);
  };
  answered.then(
    ({ status }) => add(status),
    (error: unknown) => add(toShoalError(error).code),
  );
}

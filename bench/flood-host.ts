import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { toShoalError } from '../core/errors.ts';
import { type HostId, hostIdFrom } from '../core/ids.ts';
import { silentLogger } from '../core/logger.ts';
import { newSigningKey } from '../dataplane/signing-key.ts';
import { connectNatsBus } from '../transport/nats-bus.ts';
import { SUBJECTS } from '../transport/subjects.ts';
import { aliveOf, type Flood, KINDS } from './flood-kinds.ts';

/*
 * A host that floods a swarm as fast as it can, by the kinds of bench/flood-kinds.ts in turn. Run by bench/flood.ts; prints
 * how it was answered.
 */
const { values } = parseArgs({
  options: {
    nats: { type: 'string', default: '' },
    seconds: { type: 'string' },
    kinds: { type: 'string', default: '' },
    ports: { type: 'string', default: '' },
    other: { type: 'string', default: '' },
  },
});

/** Requests under way at once. */
const AT_ONCE = 256;

const hostId = hostIdFrom(randomBytes(16));
const bus = connectNatsBus({
  servers: [values.nats],
  kind: 'host',
  name: hostId,
  swarm: 'shoal',
  logger: silentLogger,
});
while (bus.state !== 'connected') await new Promise((resolve) => setTimeout(resolve, 20));
const alive = aliveOf(1);
await bus.request(
  SUBJECTS.announce,
  { hostId },
  { ...alive, publicKey: newSigningKey().publicKey },
  { timeoutMs: 5_000 },
);

const sends = values.kinds.split(',').map((kind) => {
  const send = KINDS[kind];
  if (send === undefined) throw new Error(`no such kind: ${kind}; there are ${Object.keys(KINDS).join(' ')}`);
  return send;
});
const flood: Flood = { bus, hostId, alive, other: values.other as HostId, ports: portsOf(values.ports) };
const answers = new Map<string, number>();
let running = 0;
let sent = 0;
const begunMs = performance.now();
let saidMs = begunMs;
while (performance.now() < begunMs + Number(values.seconds) * 1_000) {
  if (running >= AT_ONCE) {
    await setImmediate();
    continue;
  }
  if (performance.now() - saidMs > 1_000 && !values.kinds.includes('births')) {
    saidMs = performance.now();
    bus.publish(SUBJECTS.alive, { hostId }, alive);
  }
  const answer = sends[sent % sends.length]?.(flood, Math.floor(sent / sends.length));
  sent += 1;
  if (answer !== undefined) count(answer);
  if (sent % 64 === 0) await setImmediate();
}
console.log(JSON.stringify({ sent, answers: Object.fromEntries(answers) }));
process.exit(0);

function portsOf(text: string): number[] {
  return text
    .split(',')
    .filter((port) => port !== '')
    .map(Number);
}

function count(answered: Promise<unknown>): void {
  running += 1;
  const add = (kind: string) => {
    running -= 1;
    answers.set(kind, (answers.get(kind) ?? 0) + 1);
  };
  answered.then(
    (reply) => add(statusOf(reply)),
    (error: unknown) => add(toShoalError(error).code),
  );
}

function statusOf(reply: unknown): string {
  const isNamed = typeof reply === 'object' && reply !== null && 'status' in reply;
  return isNamed ? String(reply.status) : 'answered';
}

import { expect, test } from 'vitest';
import { explainText } from '../../../bin/views/explain.ts';
import { historyText } from '../../../bin/views/history.ts';
import type { Explanation } from '../../../core/swarm-rows.ts';
import { NOTHING_SPENT, timeSpent } from '../../../core/time-spent.ts';

const MIB = 1024 * 1024;
const TASK = `sha256-${'9f'.repeat(32)}`;
const A = '7d3b1f0c9a5e4d2f8b6a1c0e3f5d7b92';
const B = '21c04fe9b8d7465fa3e0d1c2b3a49586';
const C = '5c1e9d7a3b2f40685c1e9d7a3b2f4068';
const time = { ...timeSpent(NOTHING_SPENT, 0), links: 1_660, waiting: 290, tail: 150, cpu: 1 };

const delivery: Explanation['hosts'][number] = {
  hostId: A,
  toldBy: 'host',
  outcome: 'complete',
  begunMs: 1_770_000_000_000,
  atMs: 1_770_000_003_000,
  length: 256 * MIB,
  bytes: { origin: 32 * MIB, peers: 225 * MIB, local: 0 },
  droppedBytes: MIB,
  originReasons: { 'no-holder': 30 * MIB, adrift: 2 * MIB },
  durationMs: 2_101,
  time,
  linkBytesPerSec: 154 * MIB,
  sources: [
    { from: B, bytes: 225 * MIB, unusedBytes: 3 * MIB, tookMs: 1_700, failed: { stalled: 1, corrupt: 2 } },
    { from: 'origin', bytes: 32 * MIB, unusedBytes: 0, tookMs: 900, failed: {} },
  ],
};

const explained: Explanation = {
  taskId: TASK,
  state: 'distributing',
  length: 256 * MIB,
  sources: ['https://files.example.org/model.bin'],
  heard: { scheduler: true, hosts: 1, log: 'read' },
  bytes: { origin: 64 * MIB, peers: 225 * MIB, local: 0 },
  originReasons: { 'no-holder': 62 * MIB, adrift: 2 * MIB },
  hosts: [
    delivery,
    {
      ...delivery,
      hostId: B,
      toldBy: 'log',
      outcome: 'failed',
      error: { code: 'ERR_STORE_FULL', message: 'no space left in /var/lib/shoal' },
      sources: [
        { ...delivery.sources[0], from: 'others', hosts: 3, bytes: 1, unusedBytes: 0, tookMs: 1, failed: {} },
      ],
    },
    {
      ...delivery,
      hostId: C,
      toldBy: 'scheduler',
      bytes: { origin: 0, peers: 0, local: 0 },
      time: undefined,
      sources: [],
    },
  ],
};

test('an explanation tells of each host where its bytes came from, what failed and where the time went', () => {
  const text = explainText(explained);
  expect(text).toMatchInlineSnapshot(`
    "task:   sha256-9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f
    state:  distributing
    size:   256 MiB
    source: https://files.example.org/model.bin
    origin: 64 MiB, 0.25 times its size
    why:    no holder yet 62 MiB, adrift 2 MiB
    asked:  a scheduler, the log, 1 host

    7d3b1f0c9a5e4d2f8b6a1c0e3f5d7b92: complete in 2.1 s (122 MiB/s)
      32 MiB from the origin (no holder yet 30 MiB, adrift 2 MiB), 225 MiB from
        hosts, 0 B local; 1 MiB of that was taken back
      21c04fe9b8d7465fa3e0d1c2b3a49586 225 MiB in 1.7 s, 3 MiB unused, failed:
                                        stalled 1, corrupt 2
      origin                            32 MiB in 900 ms
      time: links 1.7 s, waiting for pieces 290 ms, tail 150 ms (links: 154 MiB/s
        seen at most)
      told by the host itself

    21c04fe9b8d7465fa3e0d1c2b3a49586: failed after 256 MiB of 256 MiB in 2.1 s
      (122 MiB/s): no space left in /var/lib/shoal (ERR_STORE_FULL)
      32 MiB from the origin (no holder yet 30 MiB, adrift 2 MiB), 225 MiB from
        hosts, 0 B local; 1 MiB of that was taken back
      3 others                         1 B in 1 ms
      time: links 1.7 s, waiting for pieces 290 ms, tail 150 ms (links: 154 MiB/s
        seen at most)
      told by the log

    5c1e9d7a3b2f40685c1e9d7a3b2f4068: complete
      nobody tells any more how it came here
    "
  `);
});

test('no line is wider than a terminal of 80 columns', () => {
  const hosts = explained.hosts.map((host) => ({
    ...host,
    time: { ...time, asking: 900, origin: 800, hosts: 700 },
  }));
  const lines = explainText({ ...explained, hosts }).split('\n');
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
});

test('what comes from other hosts does not reach the terminal as it is', () => {
  const error = { code: 'E', message: '\u001b[2J' };
  const text = explainText({ ...explained, hosts: [{ ...delivery, outcome: 'failed', error }] });
  expect(text).not.toContain('\u001b');
});

test('a history is told oldest first, in 80 columns', () => {
  const text = historyText({
    taskId: TASK,
    created: {
      atMs: 1_770_000_000_000,
      epoch: 1_770_000_000_000,
      length: 256 * MIB,
      sources: ['https://a.example/b'],
    },
    hashes: 256,
    retired: { atMs: 1_770_000_060_000 },
    deliveries: [delivery],
  });
  expect(text).toMatchInlineSnapshot(`
    "task:    sha256-9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f
    hashes:  of 256 pieces

    2026-02-02 02:40:00  created    256 MiB, epoch 1770000000000 https://a.example/b
    2026-02-02 02:40:03  delivered  7d3b1f0c9a5e4d2f8b6a1c0e3f5d7b92 complete
        in 2.1 s: 32 MiB from the origin (no holder yet 30 MiB,
        adrift 2 MiB), 225 MiB from hosts, 0 B local
    2026-02-02 02:41:00  retired    nobody wanted it for a while
    "
  `);
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
});

import { expect, test } from 'vitest';
import { circles, forbidden, type Import, importsOf } from '../../scripts/check-imports.ts';

const arrow = (from: string, to: string): Import => ({ from, to });

test('imports are found as paths from the root, types among them', () => {
  const text = `import { a } from '../core/a.ts';\nimport type { B } from './b.ts';\nimport 'node:fs';\nawait import('./c.ts');`;
  expect(importsOf('transport/x.ts', text).map(({ to }) => to)).toEqual([
    'core/a.ts',
    'transport/b.ts',
    'transport/c.ts',
  ]);
});

test.each([
  ['core/a.ts', 'scheduling/b.ts'],
  ['storage/a.ts', 'transport/b.ts'],
  ['machines/host/peer.ts', 'actors/host/host.ts'],
  ['actors/host/peer/peer.ts', 'actors/scheduler/task/task.ts'],
  ['actors/scheduler/task/task.ts', 'actors/host/host.ts'],
  ['actors/host/host.ts', 'actors/client/downloads.ts'],
  ['actors/xstate-clock.ts', 'actors/host/host.ts'],
  ['actors/client/gate.ts', 'proxy/port.ts'],
  ['proxy/port.ts', 'app/host.ts'],
  ['app/host.ts', 'sim/world.ts'],
])('%s may not import %s', (from, to) => {
  expect(forbidden([arrow(from, to)])).toHaveLength(1);
});

test.each([
  ['scheduling/a.ts', 'core/b.ts'],
  ['actors/host/peer/peer.ts', 'actors/xstate-clock.ts'],
  ['actors/host/peer/peer.ts', 'actors/host/world.ts'],
  ['actors/client/gate.ts', 'actors/host/world.ts'],
  ['proxy/mirror/mirror.ts', 'actors/client/access.ts'],
  ['app/host.ts', 'actors/scheduler/scheduler.ts'],
])('%s may import %s', (from, to) => {
  expect(forbidden([arrow(from, to)])).toEqual([]);
});

test('a circle of imports is found, wherever it is entered', () => {
  const ring = [arrow('z.ts', 'a.ts'), arrow('a.ts', 'b.ts'), arrow('b.ts', 'c.ts'), arrow('c.ts', 'a.ts')];
  expect(circles(ring)).toEqual([['a.ts', 'b.ts', 'c.ts']]);
  expect(circles(ring.slice(0, 3))).toEqual([]);
});

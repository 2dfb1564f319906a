import { expect, test } from 'vitest';
import { OwnLoad } from '../../core/own-load.ts';

test('a process that was busy nearly all the time held everything up, by its processor or by its disk', () => {
  const use = { busyMs: 0, cpuMs: 0 };
  const load = new OwnLoad(() => ({ ...use }));
  const after = (busyMs: number, cpuMs: number, nowMs: number) => {
    use.busyMs += busyMs;
    use.cpuMs += cpuMs;
    return load.heldBy(nowMs);
  };
  expect(after(0, 0, 0)).toBe(undefined);
  expect(after(150, 150, 200)).toBe(undefined);
  expect(after(195, 190, 400)).toBe('cpu');
  // Within a window the word of the last one holds.
  expect(after(0, 0, 450)).toBe('cpu');
  expect(after(200, 20, 600)).toBe('disk');
  expect(after(10, 10, 800)).toBe(undefined);
});

test('where nobody knows, nothing is held up', () => {
  expect(new OwnLoad().heldBy(1_000)).toBe(undefined);
});

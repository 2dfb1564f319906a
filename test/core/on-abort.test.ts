import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { onAbort } from '../../core/on-abort.ts';

test('what is to run when a signal aborts runs once', () => {
  const controller = new AbortController();
  let runs = 0;
  onAbort(controller.signal, () => {
    runs += 1;
  });
  expect(runs).toBe(0);
  controller.abort();
  controller.abort();
  controller.signal.dispatchEvent(new Event('abort'));
  expect(runs).toBe(1);
});

test('who stops listening is not called, and leaves no listener behind', () => {
  const controller = new AbortController();
  let runs = 0;
  const stop = onAbort(controller.signal, () => {
    runs += 1;
  });
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
  stop();
  stop();
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  controller.abort();
  expect(runs).toBe(0);
});

test('a signal that has aborted already, or none, runs nothing', () => {
  let runs = 0;
  const run = () => {
    runs += 1;
  };
  onAbort(AbortSignal.abort(), run)();
  onAbort(undefined, run)();
  expect(runs).toBe(0);
});

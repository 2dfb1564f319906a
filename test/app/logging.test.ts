import { expect, test } from 'vitest';
import { openLog } from '../../app/logging.ts';
import { ShoalError } from '../../core/errors.ts';

function logged(format: 'json' | 'plain' = 'json') {
  const lines: string[] = [];
  const log = openLog({ level: 'info', format }, { write: (line) => lines.push(line) });
  return { lines, log };
}

test('no secret reaches the log, wherever it stands', () => {
  const { lines, log } = logged();
  const cause = new Error('connect nats://u:hunter2@x failed');
  log.info(
    {
      url: 'http://u:hunter2@origin/x',
      headers: { authorization: 'hunter2' },
      request: { headers: ['hunter2'], Cookie: 'hunter2', nested: { password: 'hunter2' } },
      list: ['nats://u:hunter2@x'],
      err: new ShoalError('ERR_BUS_UNAVAILABLE', 'no http://u:hunter2@x', {
        cause,
        details: { authorization: 'hunter2' },
      }),
    },
    'tried nats://u:hunter2@x and nats://u:hunter2@y',
  );
  log.child({ token: 'hunter2', sub: 'bus' }).warn({}, 'x');
  expect(lines.join('')).not.toContain('hunter2');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 'info',
    url: 'http://origin/x',
    err: { code: 'ERR_BUS_UNAVAILABLE', cause: { message: 'connect nats://x failed' } },
    msg: 'tried nats://x and nats://y',
  });
});

test('levels below the configured one are not written', () => {
  const { lines, log } = logged();
  log.debug({}, 'hidden');
  log.error({}, 'shown');
  expect(lines).toHaveLength(1);
});

test('plain lines carry time, level, subsystem, fields and the error', () => {
  const { lines, log } = logged('plain');
  log
    .child({ sub: 'storage' })
    .warn({ taskId: 'a', n: 1, err: new ShoalError('ERR_STORE_FULL', 'full') }, 'evicting');
  expect(lines[0]).toMatch(/^[\d:.]{12} warn {2}storage: evicting taskId=a n=1 \(ERR_STORE_FULL: full\)\n$/);
});

test('fields that nest without end are cut', () => {
  const { lines, log } = logged();
  const loop: { self?: unknown } = {};
  loop.self = loop;
  log.info({ loop, bytes: new Uint8Array(5), big: 5n }, 'x');
  expect(lines[0]).toContain('[deep]');
});

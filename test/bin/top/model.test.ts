import { describe, expect, test } from 'vitest';
import { listedIds, type Place, press, type Seen, START, type TypedKey } from '../../../bin/top/model.ts';
import { cellsBar, fitted, span, table } from '../../../bin/top/picture.ts';
import { topPicture } from '../../../bin/views/top.ts';
import type { HostRow, TaskDetail, TaskRow } from '../../../core/swarm-rows.ts';

const id = (at: number) => `sha256-${String(at).repeat(64)}`;
const hostId = (at: number) => String(at).repeat(32);

function task(at: number, more: Partial<TaskRow> = {}): TaskRow {
  return {
    taskId: id(at),
    state: 'idle',
    length: at * 1024,
    sources: [`https://files.example.org/${at}.bin`],
    holders: at,
    fetching: 0,
    audience: 'public',
    ...more,
  };
}

function host(at: number, more: Partial<HostRow> = {}): HostRow {
  return {
    hostId: hostId(at),
    ip: `10.0.0.${at}`,
    port: 4003,
    role: 'normal',
    version: '1.0.0',
    aliveAgoMs: 500,
    uploading: 0,
    downloading: 0,
    cachedBytes: at,
    cachedTasks: at,
    ...more,
  };
}

const detail: TaskDetail = {
  ...task(2, { fetching: 1 }),
  peers: [
    { hostId: hostId(1), have: 8, pieces: 8, state: 'complete', cells: '99999999', from: [] },
    {
      hostId: hostId(2),
      have: 4,
      pieces: 8,
      state: 'fetching',
      cells: '99990000',
      from: ['origin', hostId(1)],
    },
  ].map((peer) => ({ ...peer, bytes: { origin: 0, peers: 0, local: 0 }, originReasons: {} })),
  originReasons: { 'no-holder': 4096 },
};

function seen(more: Partial<Seen> = {}): Seen {
  return {
    swarm: 'shoal',
    atMs: Date.parse('2026-01-31T12:00:00Z'),
    tasks: [task(1), task(2, { fetching: 1 }), task(3)],
    hosts: [host(1, { role: 'seed' }), host(2, { downloading: 3, zone: 'b' })],
    schedulers: [],
    details: new Map([[id(2), detail]]),
    rates: new Map([[id(2), 2_097_152]]),
    events: ['12:00:00 peer.joined taskId=…'],
    trouble: undefined,
    ...more,
  };
}

function pressed(keys: readonly TypedKey[], from = seen()): Place {
  return keys.reduce((place, key) => press(place, key, listedIds(from, place)), START);
}

function textOf(place: Place, from = seen(), columns = 80, lines = 24): string[] {
  return topPicture(from, place, columns, lines).map((line) => line.map(({ text }) => text).join(''));
}

const typed = (text: string): TypedKey[] => [...text].map((sequence) => ({ name: sequence, sequence }));
const ENTER = { name: 'return' };

describe('keys', () => {
  test('what moves is first; s orders by size, then by copies, then by id, and begins again', () => {
    const orders = [0, 1, 2, 3, 4].map((times) =>
      listedIds(seen(), pressed(Array.from({ length: times }, () => ({ name: 's' })))).map((one) =>
        one.at(-1),
      ),
    );
    expect(orders).toEqual([
      ['2', '1', '3'],
      ['3', '2', '1'],
      ['3', '2', '1'],
      ['1', '2', '3'],
      ['2', '1', '3'],
    ]);
  });

  test('Enter opens what is chosen, Escape leads back', () => {
    const opened = pressed([{ name: 'down' }, ENTER]);
    expect(opened.open).toEqual({ tab: 'tasks', id: id(1) });
    expect(press(opened, { name: 'escape' }, []).open).toBeUndefined();
  });

  test('the choice never leaves the list, however short it has become', () => {
    const far = pressed(Array.from({ length: 20 }, () => ({ name: 'pagedown' })));
    expect(far.row).toBe(2);
    const shorter = seen({ tasks: [task(3)] });
    expect(press(far, ENTER, listedIds(shorter, far)).open?.id).toBe(id(3));
    expect(press(far, ENTER, []).open).toBeUndefined();
    expect(press(far, { name: 'up' }, []).row).toBe(0);
  });

  test('a filter is typed, kept by Enter, dropped by Escape; the letters of other keys belong to it', () => {
    const typing = pressed([{ sequence: '/' }, ...typed('q3.bix'), { name: 'backspace' }]);
    expect(typing).toMatchObject({ filter: 'q3.bi', typing: true, quit: false });
    const kept = pressed([{ sequence: '/' }, ...typed('3.b'), ENTER]);
    expect(listedIds(seen(), kept)).toEqual([id(3)]);
    expect(listedIds(seen(), press(kept, { name: 'escape' }, []))).toHaveLength(3);
    expect(pressed([{ sequence: '/' }, { sequence: '\x1b[200~' }, { sequence: 'é' }]).filter).toBe('');
  });

  test('1 to 4, Tab and the arrows change the list; q and Ctrl-C end', () => {
    expect(pressed([{ sequence: '2' }]).tab).toBe('hosts');
    expect(pressed([{ name: 'left' }]).tab).toBe('events');
    expect(pressed([{ name: 'tab' }, { name: 'right' }]).tab).toBe('schedulers');
    expect(pressed([{ name: 'q' }]).quit).toBe(true);
    expect(pressed([{ sequence: '/' }, { name: 'c', ctrl: true }]).quit).toBe(true);
    expect(pressed([{ sequence: '9' }, { name: 'f7' }])).toEqual(START);
  });
});

describe('the picture', () => {
  const places = [
    pressed([]),
    pressed([{ sequence: '2' }]),
    pressed([{ sequence: '3' }]),
    pressed([{ sequence: '4' }]),
    pressed([ENTER]),
    pressed([{ sequence: '2' }, ENTER]),
    pressed([{ sequence: '/' }, ...typed('nothing such')]),
  ];

  test.each([
    [80, 24],
    [200, 50],
    [20, 5],
    [1, 1],
  ])('%i columns and %i lines are filled and no more', (columns, lines) => {
    const many = seen({
      tasks: Array.from({ length: 500 }, (_, at) =>
        task(at % 10, { sources: ['https://x.example/'.padEnd(400, 'y')] }),
      ),
      trouble: 'what is shown is old: no scheduler answers '.repeat(4),
    });
    for (const from of [seen(), many]) {
      for (const place of places) {
        const picture = textOf(place, from, columns, lines);
        expect(picture).toHaveLength(lines);
        for (const line of picture) expect(line).toHaveLength(columns);
      }
    }
  });

  test('a task that moves shows how far and how fast', () => {
    const [, , , first] = textOf(START);
    expect(first).toMatch(/^222222222222 .* 2 KiB .* █████░░░░░ 50% .*2 MiB\/s/);
  });

  test('an open task shows what each host holds and from whom it takes more', () => {
    const picture = textOf(pressed([ENTER])).join('\n');
    expect(picture).toContain('222222222222   50%  ████      from origin, 111111111111');
    expect(picture).toMatch(/111111111111 {2}100% {2}█{8} {2}complete/);
  });

  test('what does not answer is told, and what was known stays', () => {
    const picture = textOf(START, seen({ trouble: 'what is shown is old: no scheduler answers' }));
    expect(picture[0]).toContain('no scheduler answers');
    expect(picture.join('\n')).toContain('222222222222');
  });

  test('nothing that a host says of itself can command the terminal or shift a column', () => {
    const nasty = '\x1b[2J\u0007\u202e日本\u{1f600}e\u0301';
    const picture = textOf(
      pressed([{ sequence: '2' }]),
      seen({ hosts: [host(1, { zone: nasty, version: nasty })] }),
    );
    for (const line of picture) {
      expect(line).toHaveLength(80);
      expect(line).not.toMatch(/[\p{C}\p{M}]|[^\0-\u2600]/u);
    }
  });
});

test('columns that are spared go first where there is no room', () => {
  const columns = [{ title: 'A' }, { title: 'B', spare: 1 }, { title: 'C', spare: 2 }, { title: 'D' }];
  const rows = [['aaaa', 'bbbb', 'cccc', 'dddd']];
  expect(table(columns, rows, 40).rows).toEqual(['aaaa  bbbb  cccc  dddd']);
  expect(table(columns, rows, 18).rows).toEqual(['aaaa  bbbb  dddd']);
  expect(table(columns, rows, 12).rows).toEqual(['aaaa  dddd']);
});

test('parts of the content in fewer columns: full only where all is held, empty only where nothing is', () => {
  expect(cellsBar('9990', 4)).toBe('███ ');
  expect(cellsBar('99999990', 4)).toBe('███▒');
  expect(cellsBar('00000001', 1)).toBe('░');
  expect(cellsBar('99999998', 1)).toBe('▓');
  expect(fitted([span('ab'), span('cd')], 3).map(({ text }) => text)).toEqual(['ab', 'c']);
});

import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { ROLES, type Role } from '../../../app/auth/access.ts';
import { withMatrix } from '../../../scripts/docs-security.ts';
import { closedNats, HOST, OTHER_HOST, refusals } from './closed-nats.ts';

const PAGE = await readFile(new URL('../../../docs/SECURITY.md', import.meta.url), 'utf8');
const BUCKETS = ['directory', 'ownership', 'jobs', 'job-hosts'].map((bucket) => `KV_shoal-${bucket}`);
const STREAMS = ['shoal-tasks', 'shoal-deliveries', 'shoal-jobs', ...BUCKETS];

interface Cell {
  readonly subject: string;
  readonly role: Role;
  readonly publish: 'all' | 'own' | 'none';
  readonly subscribe: 'all' | 'own' | 'none';
}

function extent(text: string, word: string): Cell['publish'] {
  const part = text.split(', ').find((each) => each.startsWith(word));
  if (part === undefined) return 'none';
  return part === word ? 'all' : 'own';
}

/** The cells as the page shows them to a reader. */
function cells(): Cell[] {
  const rows = PAGE.slice(PAGE.indexOf('<!-- matrix -->'), PAGE.indexOf('<!-- end of matrix -->'))
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  return rows.flatMap((row) => {
    const [, quoted = '', ...texts] = row.split('|').map((part) => part.trim());
    const subject = quoted.slice(1, -1).replaceAll('<swarm>', 'shoal');
    const subjects = subject.includes('<stream>')
      ? STREAMS.map((name) => subject.replace('<stream>', name))
      : [subject];
    return subjects.flatMap((one) =>
      ROLES.map((role, index) => {
        const text = texts[index] ?? '';
        return { subject: one, role, publish: extent(text, 'pub'), subscribe: extent(text, 'sub') };
      }),
    );
  });
}

/** A subject of a row, with the tokens that could be somebody's all of one owner. */
function concrete(subject: string, owner: { hostId: string; sender: string }): string {
  return subject
    .replace(/\{(\w+)\}/g, (_variable, name: string) => {
      if (name === 'hostId') return owner.hostId;
      return name === 'sender' || name === 'keeper' ? owner.sender : `a-${name}`;
    })
    .replace(/>$/, 'rest');
}

test('the matrix is in step with the code (npx tsx scripts/docs-security.ts --write)', () => {
  expect(PAGE).toBe(withMatrix(PAGE));
  expect(cells().length).toBeGreaterThan(200);
});

describe.each(['shared', 'each'] as const)('hosts with users %s', (hostUsers) => {
  test('every cell of the matrix is what a real nats-server does', async () => {
    await using closed = await closedNats('nkeys', hostUsers);
    const wrong: string[] = [];
    let tried = 0;
    for (const role of ROLES) {
      const login = role === 'host' && hostUsers === 'each' ? HOST : role;
      const connection = await closed.raw(login);
      const refused = refusals(connection);
      // An own host and another's; an own name and another's: of a host its id.
      const mine = { hostId: role === 'host' ? HOST : 'any-host', sender: role === 'host' ? HOST : role };
      const others = [
        { ...mine, hostId: OTHER_HOST },
        { ...mine, sender: role === 'host' ? OTHER_HOST : 'alice' },
      ];
      const expected = new Map<string, boolean>();
      for (const cell of cells().filter((one) => one.role === role)) {
        const shared = role === 'host' && hostUsers === 'shared';
        const own = concrete(cell.subject, mine);
        for (const way of ['publish', 'subscribe'] as const) {
          const key = (subject: string) => `${way === 'publish' ? 'publish' : 'subscription'} ${subject}`;
          const may = cell[way];
          expected.set(key(own), may !== 'none');
          if (may === 'all' || may === 'none') {
            for (const other of others) expected.set(key(concrete(cell.subject, other)), may === 'all');
          } else {
            // The token that is its own: a host's id where it hears or speaks as a host, else the sender.
            const byHost = cell.subject.includes('{hostId}') && role === 'host';
            const foreign = concrete(
              cell.subject,
              byHost ? { ...mine, hostId: OTHER_HOST } : (others[1] ?? mine),
            );
            expect(foreign).not.toBe(own);
            expected.set(key(foreign), shared);
          }
        }
      }
      for (const what of expected.keys()) {
        const [way, subject = ''] = what.split(' ');
        if (way === 'publish') connection.publish(subject);
        else connection.subscribe(subject, { callback: () => undefined });
      }
      await connection.flush();
      await connection.flush();
      for (const [what, allowed] of expected) {
        tried += 1;
        if (refused.has(what) === allowed) wrong.push(`${role} ${what}: ${allowed ? 'refused' : 'allowed'}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(tried).toBeGreaterThan(500);
  });
});

test('what nobody needs is refused to every role', async () => {
  await using closed = await closedNats('passwords', 'shared');
  const anything = [
    '$JS.API.STREAM.DELETE.shoal-tasks',
    '$JS.API.STREAM.PURGE.shoal-tasks',
    '$JS.API.STREAM.INFO.other',
  ];
  const foreign = [
    '$JS.API.INFO',
    '$JS.API.STREAM.CREATE.other',
    '$KV.other.k',
    '$SYS.REQ.SERVER.PING',
    'other.v1.census',
  ];
  for (const role of ROLES) {
    const connection = await closed.raw(role);
    const refused = refusals(connection);
    for (const subject of [...anything, ...foreign]) connection.publish(subject);
    for (const subject of ['>', '_INBOX_SHOAL.>', '$JS.>', 'shoal.v1.>']) {
      connection.subscribe(subject, { callback: () => undefined });
    }
    await connection.flush();
    await connection.flush();
    expect(refused.size, [...refused].join('\n')).toBe(anything.length + foreign.length + 4);
  }
});

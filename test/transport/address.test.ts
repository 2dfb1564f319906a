import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShoalError } from '../../core/errors.ts';
import { Address, isToken } from '../../transport/address.ts';
import { matches } from '../../transport/pattern.ts';
import { SUBJECTS } from '../../transport/subjects.ts';

const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/);
const template = 'task.{partition}.{taskId}.{hostId}.sync';
const names = ['partition', 'taskId', 'hostId'] as const;
const tokens = fc.record({ partition: token, taskId: token, hostId: token });

describe('an address', () => {
  test('reads back the tokens it was built of', () => {
    fc.assert(
      fc.property(token, tokens, (swarm, given) => {
        const address = new Address(swarm, template);
        expect(address.parse(address.subject(given))).toEqual(given);
      }),
    );
  });

  test('has a pattern that matches its subject, whichever tokens are left open', () => {
    fc.assert(
      fc.property(tokens, fc.subarray([...names]), tokens, (given, kept, other) => {
        const address = new Address('shoal', template);
        const match = Object.fromEntries(kept.map((name) => [name, given[name]]));
        const pattern = address.pattern(match);
        expect(matches(pattern, address.subject(given))).toBe(true);
        const same = kept.every((name) => given[name] === other[name]);
        expect(matches(pattern, address.subject(other))).toBe(same);
      }),
    );
  });

  test('never builds a subject of a text that is not a token', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...names), (text, name) => {
        fc.pre(!isToken(text));
        const given = { partition: '1', taskId: 't', hostId: 'h', [name]: text };
        const address = new Address('shoal', template);
        expect(() => address.subject(given)).toThrow(ShoalError);
        expect(() => address.pattern(given)).toThrow(ShoalError);
      }),
    );
  });

  test('never reads a subject of another shape, and never crashes on one', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const parsed = new Address('shoal', template).parse(text);
        if (parsed !== undefined) expect(text).toMatch(/^shoal\.v1\.task\.[\w-]+\.[\w-]+\.[\w-]+\.sync$/);
      }),
    );
    const address = new Address('shoal', template);
    for (const subject of [
      'shoal.v1.task.1.t.h.synch',
      'shoal.v1.task.1.t.h',
      'shoal.v1.task.1.t.h.sync.x',
      'other.v1.task.1.t.h.sync',
      'shoal.v2.task.1.t.h.sync',
      'shoal.v1.task.1..h.sync',
      'shoal.v1.task.1.*.h.sync',
    ]) {
      expect(address.parse(subject)).toBeUndefined();
    }
  });

  test('keeps a name of the prototype from being taken for a token', () => {
    expect(() => new Address('shoal', 'a.{toString}').subject({})).toThrow(ShoalError);
    expect(new Address('shoal', 'a.{toString}').pattern({})).toBe('shoal.v1.a.*');
  });

  test('refuses a swarm name and a template that are not tokens', () => {
    for (const swarm of ['', 'a.b', '*', 'a b', '$JS'])
      expect(() => new Address(swarm, 'a')).toThrow(ShoalError);
    for (const bad of ['', 'a..b', 'a.*', 'a.>', 'a.{b', 'a.{b.c}'])
      expect(() => new Address('shoal', bad)).toThrow(ShoalError);
  });

  test('understands every subject of Shoal, and no two of them are the same', () => {
    const patterns = Object.values(SUBJECTS).map(({ template: each }) =>
      new Address('shoal', each).pattern({}),
    );
    expect(new Set(patterns).size).toBe(patterns.length);
  });
});

describe('a pattern', () => {
  test('matches as NATS matches', () => {
    const cases: [string, string, boolean][] = [
      ['a.b', 'a.b', true],
      ['a.*', 'a.b', true],
      ['a.*', 'a', false],
      ['a.*', 'a.b.c', false],
      ['a.>', 'a.b.c', true],
      ['a.>', 'a', false],
      ['*.b', 'a.b', true],
      ['a.b.c', 'a.b', false],
      ['>', 'a', true],
    ];
    for (const [pattern, subject, expected] of cases) expect(matches(pattern, subject)).toBe(expected);
  });
});

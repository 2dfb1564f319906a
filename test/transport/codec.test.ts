import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ERRORS, ShoalError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { decode, decodeError, encode, encodeError, faultOf } from '../../transport/codec.ts';
import { SUBJECTS } from '../../transport/subjects.ts';

const anything = z.unknown();
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, false),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }),
    fc.string(),
    fc.array(tie('any'), { maxLength: 5 }),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('any'),
      { maxKeys: 5 },
    ),
  ),
})).any;

function ok(bytes: Uint8Array): unknown {
  const decoded = decode(anything, bytes);
  if (!decoded.ok) throw new Error(decoded.reason);
  return decoded.message;
}

describe('the codec', () => {
  test('gives back what was encoded', () => {
    fc.assert(
      fc.property(value, (given) => {
        // -0 and a plain prototype are not kept apart on the wire.
        expect(JSON.stringify(ok(encode(given)))).toBe(JSON.stringify(given));
      }),
    );
  });

  test('gives back bytes that alias nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const message = encode({ bytes });
        const found = ok(message) as { bytes: Uint8Array };
        message.fill(0);
        expect(found.bytes).toBeInstanceOf(Uint8Array);
        expect([...found.bytes]).toEqual([...bytes]);
      }),
    );
  });

  test('answers hostile bytes with a reason, whatever they are', () => {
    const schemas = Object.values(SUBJECTS).map(({ message }) => message as z.ZodType<unknown>);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.constantFrom(...schemas), (bytes, schema) => {
        const decoded = decode(schema, bytes);
        if (!decoded.ok) expect(decoded.reason.length).toBeLessThanOrEqual(300);
      }),
      { numRuns: 3000 },
    );
  });

  test('answers a message cut or flipped at any place', () => {
    const message = { incarnation: 1, page: 0, pages: 1, tasks: [], gone: [] };
    const bytes = encode(message);
    for (let cut = 0; cut < bytes.length; cut += 1) {
      expect(decode(SUBJECTS.holds.message, bytes.subarray(0, cut)).ok).toBe(false);
      for (let bit = 0; bit < 8; bit += 1) {
        const flipped = bytes.slice();
        flipped[cut] = (flipped[cut] ?? 0) ^ (1 << bit);
        expect(() => decode(SUBJECTS.holds.message, flipped)).not.toThrow();
      }
    }
  });

  test('survives lengths that promise more than there is, and deep nesting', () => {
    const started = process.cpuUsage();
    const arrays = new Uint8Array(LIMITS.messageBytes);
    for (let at = 0; at + 5 <= arrays.length; at += 5) arrays.set([0xdd, 0x00, 0xff, 0xff, 0xff], at);
    const maps = new Uint8Array(LIMITS.messageBytes).fill(0x81);
    const nested = new Uint8Array(LIMITS.messageBytes).fill(0x91);
    const binary = new Uint8Array([0xc6, 0xff, 0xff, 0xff, 0xff, 1]);
    const strings = new Uint8Array([0xdb, 0xff, 0xff, 0xff, 0xff, 0x61]);
    for (const bytes of [arrays, maps, nested, binary, strings]) {
      expect(decode(anything, bytes).ok).toBe(false);
    }
    // Of the processor, not of the clock: others may hold it meanwhile.
    expect(process.cpuUsage(started).user / 1_000).toBeLessThan(2_000);
    expect(ok(encode({ still: 'alive' }))).toEqual({ still: 'alive' });
  });

  test('lets no message change how a later one is read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 0, max: 15 }), (tail, type) => {
        // Extension 0x72 defines a record in msgpackr's own dialect.
        decode(anything, new Uint8Array([0xd4, 0x72, 0x40 + type, 0x91, 0xa1, 0x78, ...tail]));
        expect(ok(encode({ n: 64 + type, list: [65, 127] }))).toEqual({ n: 64 + type, list: [65, 127] });
      }),
    );
  });

  test('never sets a prototype', () => {
    const bytes = encode(JSON.parse('{"a": 1, "__proto__": {"polluted": true}}'));
    const found = decode(z.looseObject({}), bytes);
    expect(found.ok && Object.getPrototypeOf(found.message)).toBe(Object.prototype);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('refuses to encode and to read beyond the limit', () => {
    expect(() => encode('x'.repeat(LIMITS.messageBytes))).toThrow(ShoalError);
    expect(decode(anything, new Uint8Array(LIMITS.messageBytes + 1)).ok).toBe(false);
    expect(encode('x'.repeat(LIMITS.messageBytes - 5)).length).toBe(LIMITS.messageBytes);
  });
});

describe('an error on the wire', () => {
  test('keeps code, message and details', () => {
    for (const code of Object.keys(ERRORS) as (keyof typeof ERRORS)[]) {
      const error = decodeError(encodeError(new ShoalError(code, 'what happened', { details: { a: [1] } })));
      expect(error).toMatchObject({ code, message: 'what happened', details: { a: [1] } });
    }
  });

  test('leaves out details that do not fit, and cuts a long message', () => {
    const circular: Record<string, unknown> = { big: 'x'.repeat(LIMITS.messageBytes) };
    const error = decodeError(
      encodeError(new ShoalError('ERR_STORE_IO', 'm'.repeat(9000), { details: circular })),
    );
    expect(error.code).toBe('ERR_STORE_IO');
    expect(error.message).toHaveLength(2000);
    expect(error.details).toEqual({});
  });

  test('is an error too where it is hostile', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), value.map(encode)), (bytes) => {
        expect(decodeError(bytes)).toBeInstanceOf(ShoalError);
      }),
    );
    expect(decodeError(encode({ code: 'toString', message: 'x' })).code).toBe('ERR_INTERNAL');
  });

  test('is one line of ASCII in the headers', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (message) => {
        const { status, text } = faultOf('ERR_BUS_CONFLICT', message);
        expect(status).toBe(409);
        expect(text).toMatch(/^[\x20-\x7e]{1,200}$/);
      }),
    );
  });
});

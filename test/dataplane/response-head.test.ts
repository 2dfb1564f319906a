import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseResponseHead } from '../../dataplane/response-head.ts';

const GOOD =
  'HTTP/1.1 206 Partial Content\r\nContent-Type: application/octet-stream\r\nContent-Length: 10\r\n' +
  'Content-Range: bytes 5-14/100\r\nConnection: keep-alive\r\nKeep-Alive: timeout=60\r\n\r\n';

function parse(text: string) {
  return parseResponseHead(Buffer.from(text, 'latin1'));
}

test('a head is read, and where its body begins', () => {
  expect(parse(`${GOOD}0123456789`)).toMatchObject({
    head: { status: 206, contentLength: 10, close: false },
    headBytes: GOOD.length,
  });
  const closing = parse(GOOD.replace('keep-alive', 'close'));
  expect(closing).toMatchObject({ head: { close: true } });
});

test('a head that is cut anywhere is incomplete', () => {
  for (let at = 0; at < GOOD.length; at += 1) expect(parse(GOOD.slice(0, at))).toBe('incomplete');
});

test('a head without an end is refused at its bound', () => {
  expect(parse(`HTTP/1.1 206 OK\r\n${'X: y\r\n'.repeat(800)}`)).toBe('malformed');
  expect(parse(`HTTP/1.1 206 OK\r\n${'a'.repeat(5000)}\r\n\r\n`)).toBe('malformed');
});

test('heads that another reader could take otherwise are refused', () => {
  for (const [what, by] of [
    ['HTTP/1.1', 'HTTP/1.0'],
    ['HTTP/1.1', 'HTTP/2.0'],
    ['HTTP/1.1 206', 'HTTP/1.1 0206'],
    ['HTTP/1.1 206', 'HTTP/1.1  206'],
    ['HTTP/1.1 206', 'HTTP/1.1 100'],
    ['Content-Length: 10', 'Content-Length: +10'],
    ['Content-Length: 10', 'Content-Length: 010'],
    ['Content-Length: 10', 'Content-Length: 0x10'],
    ['Content-Length: 10', 'Content-Length: 10, 10'],
    ['Content-Length: 10', 'Content-Length: -1'],
    ['Content-Length: 10', 'Content-Length: 1e1'],
    ['Content-Length: 10', 'Content-Length: 9999999999999999999'],
    ['Content-Length: 10', 'Content-Length: 10\r\nContent-Length: 10'],
    ['Content-Length: 10', 'Content-Length: 10\r\ncontent-length: 11'],
    ['Content-Length: 10', 'Content-Length : 10'],
    ['Content-Length: 10', 'Content-Length: 10\r\n folded'],
    ['Content-Length: 10', 'Content-Length: 10\n'],
    ['Content-Length: 10', 'Transfer-Encoding: chunked'],
    ['Content-Length: 10', 'Content-Length: 10\r\nTransfer-Encoding: chunked'],
    ['Content-Length: 10', 'Content-Length:'],
    ['Content-Length: 10', 'No-Length: 10'],
  ] as const) {
    expect(parse(GOOD.replace(what, by)), by).toBe('malformed');
  }
});

test('a flipped bit gives a head that is whole, or a refusal', () => {
  const bytes = Buffer.from(GOOD, 'latin1');
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
      const parsed = parseResponseHead(flipped);
      if (typeof parsed === 'string') return true;
      return /^\d+$/.test(String(parsed.head.contentLength)) && parsed.headBytes <= bytes.length;
    }),
  );
});

test('no bytes make it throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
      const parsed = parseResponseHead(Buffer.from(bytes));
      return parsed === 'incomplete' || parsed === 'malformed' || parsed.headBytes <= bytes.length;
    }),
  );
});

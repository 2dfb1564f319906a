import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { warningHeader, warnOf } from '../../../proxy/mirror/warning.ts';
import { digestOf, startScene } from './scene.ts';

/** `299 SP - SP quoted-string` of ASCII alone: RFC 7234 5.5, OCI distribution specification. */
const GRAMMAR = /^299 - "(?:[ !#-[\]-~]|\\["\\])*"$/;

const responseOf = () => new ServerResponse(new IncomingMessage(new Socket()));

test('whatever a sentence has in it, the header is one that a client can read', () => {
  const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ maxLength: 3_000 }));
  fc.assert(
    fc.property(texts, (text) => {
      const header = warningHeader(text);
      expect(header).toMatch(GRAMMAR);
      expect(header.length).toBeLessThan(4_096);
    }),
  );
  expect(warningHeader('a "b" \\ ü')).toBe('299 - "a \\"b\\" \\\\ ?"');
});

test('it is said where the registry gave content, and where a client waited; of a cache nothing', () => {
  const told = (start: Parameters<typeof warnOf>[1], waitedMs: number) => {
    const response = responseOf();
    warnOf({ response, pull: undefined }, start, waitedMs);
    return response.getHeader('warning');
  };
  expect(told({ from: 'cache' }, 10)).toBe(undefined);
  expect(told({ from: 'swarm' }, 10)).toBe(undefined);
  expect(told({ from: 'swarm', originReason: 'no-holder' }, 10)).toBe(
    '299 - "read from the registry: no holder yet"',
  );
  expect(told({ from: 'upstream' }, 10)).toBe('299 - "read from the registry, past the swarm"');
  expect(told({ from: 'swarm', originReason: 'adrift' }, 4_200)).toEqual([
    '299 - "read from the registry: adrift"',
    '299 - "waited 4.2 s for the first byte"',
  ]);
});

test('a client is told once a pull', async () => {
  await using scene = await startScene();
  scene.originReason = 'no-holder';
  scene.upstream = () => ({});
  const layers = ['one', 'two'].map((text) => Buffer.from(text));
  const warnings: unknown[] = [];
  for (const layer of layers) {
    scene.swarm.set(digestOf(layer), layer);
    const answer = await scene.ask(`/v2/library/app/blobs/${digestOf(layer)}?ns=registry.example`);
    expect(answer.body).toEqual(layer);
    warnings.push(answer.headers['warning']);
  }
  expect(warnings).toEqual(['299 - "read from the registry: no holder yet"', undefined]);
});

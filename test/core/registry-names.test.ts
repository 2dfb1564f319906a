import fc from 'fast-check';
import { expect, test } from 'vitest';
import { registryOfSegment, segmentOfRegistry } from '../../core/registry-names.ts';

/** A path component of an image reference, as the distribution project's grammar has it. */
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;

const label = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const registry = fc
  .tuple(fc.array(label, { minLength: 1, maxLength: 4 }), fc.option(fc.integer({ min: 1, max: 65_535 })))
  .map(([labels, port]) => `${labels.join('.')}${port === null ? '' : `:${port}`}`);

test('every registry, with or without a port, has a segment that image references allow, and is found by it', () => {
  fc.assert(
    fc.property(registry, (name) => {
      const segment = segmentOfRegistry(name);
      expect(segment).toMatch(COMPONENT);
      expect(registryOfSegment(segment)).toBe(name);
    }),
  );
});

test('a port written with a colon is understood too', () => {
  expect(registryOfSegment('registry.lab:5000')).toBe('registry.lab:5000');
  expect(registryOfSegment('registry.lab_5000')).toBe('registry.lab:5000');
  expect(registryOfSegment('quay.io')).toBe('quay.io');
});

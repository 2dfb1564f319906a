import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShoalError } from '../../core/errors.ts';
import { formatImageReference, isRepository, parseImageReference } from '../../core/oci-reference.ts';

const HEX = 'ab'.repeat(32);

describe('an image reference', () => {
  test.each([
    ['alpine', 'docker.io', 'library/alpine', 'latest'],
    ['alpine:3.20', 'docker.io', 'library/alpine', '3.20'],
    ['grafana/grafana', 'docker.io', 'grafana/grafana', 'latest'],
    ['docker.io/alpine', 'docker.io', 'library/alpine', 'latest'],
    ['index.docker.io/grafana/grafana:v1_X', 'docker.io', 'grafana/grafana', 'v1_X'],
    ['localhost/a', 'localhost', 'a', 'latest'],
    ['localhost:5000/a/b/c:1', 'localhost:5000', 'a/b/c', '1'],
    ['local/a', 'docker.io', 'local/a', 'latest'],
    ['Local/a', 'local', 'a', 'latest'],
    ['quay.io/a/b', 'quay.io', 'a/b', 'latest'],
    ['registry:5000/a', 'registry:5000', 'a', 'latest'],
    ['[2001:db8::1]:5000/a', '[2001:db8::1]:5000', 'a', 'latest'],
    ['a__b/c--d.e_f', 'docker.io', 'a__b/c--d.e_f', 'latest'],
    ['ghcr.io/a/b:_', 'ghcr.io', 'a/b', '_'],
    ['xn--n3h.com/myimage:xn--n3h.com', 'xn--n3h.com', 'myimage', 'xn--n3h.com'],
  ])('%s is read as docker reads it', (text, registry, repository, tag) => {
    expect(parseImageReference(text)).toEqual({ registry, repository, tag, digest: undefined });
  });

  test('with a digest has no tag unless it says one', () => {
    const digest = `sha256:${HEX}`;
    expect(parseImageReference(`quay.io/a@${digest}`)).toMatchObject({ tag: undefined, digest });
    expect(parseImageReference(`quay.io/a:1@${digest}`)).toMatchObject({ tag: '1', digest });
    expect(parseImageReference(`a@sha512:${'0'.repeat(128)}`).digest).toBe(`sha512:${'0'.repeat(128)}`);
  });

  test.each([
    '',
    ':tag',
    '@',
    `@sha256:${HEX}`,
    HEX,
    'a/B',
    'Alpine',
    'quay.io/',
    'quay.io//a',
    '/a',
    'a/',
    'a:',
    'a:-x',
    'a:b:c',
    'a@sha256:12',
    `a@md5:${HEX}`,
    `a@sha256:${HEX}@sha256:${HEX}`,
    'a..b/c d',
    '../etc',
    'quay.io/../../x',
    'quay.io:port/a',
    'quay.io:123456/a',
    '-x.io/a',
    'a___b',
    'a\nb',
    'a b',
    'https://quay.io/a',
    `a:${'x'.repeat(129)}`,
    `quay.io/${'a'.repeat(256)}`,
    'a/'.repeat(5000),
  ])('%j is refused', (text) => {
    expect(() => parseImageReference(text)).toThrow(ShoalError);
  });

  test('written in full says the same again', () => {
    const part = fc.stringMatching(/^[a-z0-9]{1,8}(?:(?:[._]|__|-{1,3})[a-z0-9]{1,8}){0,2}$/);
    const registry = fc.constantFrom('docker.io', 'quay.io', 'localhost:5000', '[::1]:5000', '10.0.0.1');
    const tag = fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}$/), { nil: undefined });
    const digest = fc.constantFrom('', `@sha256:${HEX}`);
    const path = fc.array(part, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(registry, path, tag, digest, (name, parts, version, suffix) => {
        const colon = version === undefined ? '' : `:${version}`;
        const reference = parseImageReference(`${name}/${parts.join('/')}${colon}${suffix}`);
        expect(reference.registry).toBe(name);
        expect(parseImageReference(formatImageReference(reference))).toEqual(reference);
      }),
    );
  });

  test('of any text is parsed to names that are safe in a path, or refused in time', () => {
    const pieces = fc.constantFrom(
      'a',
      'B',
      '0',
      '.',
      '..',
      '/',
      ':',
      '@',
      '-',
      '_',
      '__',
      ' ',
      '%',
      '?',
      '\\',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(pieces, { maxLength: 60 }).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(text, (any) => {
        try {
          const { repository, registry } = parseImageReference(any);
          expect(isRepository(repository)).toBe(true);
          expect(repository).not.toMatch(/\.\.|[^a-z0-9._/-]|^\/|\/$/);
          expect(registry).not.toMatch(/[/@?#%\s]/);
        } catch (error) {
          expect(error).toBeInstanceOf(ShoalError);
        }
      }),
      { numRuns: 500 },
    );
    const began = performance.now();
    expect(() => parseImageReference(`${'a-'.repeat(2000)}!`)).toThrow(ShoalError);
    expect(() => parseImageReference(`${'a-'.repeat(2000)}.io!/x`)).toThrow(ShoalError);
    expect(performance.now() - began).toBeLessThan(200);
  });
});

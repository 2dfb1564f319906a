import { expect, test } from 'vitest';
import { fitsPattern, parseJobWord } from '../../core/job-words.ts';
import { parseImageReference } from '../../core/oci-reference.ts';

test.each([
  ['https://origin.example/a#b', 'https://origin.example/a'],
  ['HTTP://origin.example/a', 'http://origin.example/a'],
  [`sha256:${'A'.repeat(64)}`, `sha256:${'a'.repeat(64)}`],
  [`url-${'a'.repeat(64)}`, `url-${'a'.repeat(64)}`],
])('%s is one thing to fetch', (word, resource) => {
  expect(parseJobWord(word)).toEqual({ kind: 'resource', resource });
});

test.each(['alpine', 'localhost:5000/a/b:c', 'r.example/a'])('%s is an image', (word) => {
  expect(parseJobWord(word)).toEqual({ kind: 'image', reference: parseImageReference(word) });
});

test.each([
  ['https://me:secret@origin.example/a', 'ERR_CONFIG_INVALID'],
  ['https://me@origin.example/a', 'ERR_CONFIG_INVALID'],
  ['file:///etc/passwd', 'ERR_SOURCE_URL_INVALID'],
  ['docker://alpine', 'ERR_SOURCE_URL_INVALID'],
  ['sha256:abc', 'ERR_DIGEST_INVALID'],
  ['Not An Image', 'ERR_IMAGE_REFERENCE'],
  ['', 'ERR_IMAGE_REFERENCE'],
])('%j is refused, and no secret told', (word, code) => {
  const refuse = () => parseJobWord(word);
  expect(refuse).toThrow(expect.objectContaining({ code }));
  expect(refuse).not.toThrow(/secret/);
});

test.each([
  ['r.example/a:v1.*', 'v1.*'],
  ['r.example:5000/a:*', '*'],
  ['alpine:3.?', '3.?'],
])('%s is every tag that fits', (word, pattern) => {
  const reference = parseImageReference(word.slice(0, -pattern.length - 1));
  expect(parseJobWord(word)).toEqual({ kind: 'tags', reference, pattern });
});

test.each([
  ['v1.2', 'v1.*', true],
  ['v1.2', 'v1.?', true],
  ['v1.22', 'v1.?', false],
  ['v1x2', 'v1.*', false],
  ['xv1.2', 'v1.*', false],
  ['', '*', true],
  ['a-b', 'a-*', true],
])('%s and %s', (tag, pattern, fits) => {
  expect(fitsPattern(tag, pattern)).toBe(fits);
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ShoalError } from '../../core/errors.ts';
import { isResourceId, isTaskId } from '../../core/ids.ts';
import {
  canonicalUrl,
  FILTERED_QUERY,
  isSignedUrl,
  parseSourceUrl,
  redactUrl,
  resourceIdOf,
  strongEtag,
  taskIdOfUrl,
} from '../../core/source.ts';

const url = fc.webUrl({ withQueryParameters: true, withFragments: true });

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return error instanceof ShoalError ? error.code : `not a ShoalError: ${String(error)}`;
  }
}

test('a URL is read without its user-info and its fragment', () => {
  expect(parseSourceUrl('HTTP://User:p%40ss@Host:80/a/../b?q=1#top')).toEqual({
    url: 'http://host/b?q=1',
    userInfo: 'User:p@ss',
  });
  expect(parseSourceUrl('https://host')).toEqual({ url: 'https://host/', userInfo: undefined });
  expect(parseSourceUrl('https://token@host/').userInfo).toBe('token:');
});

test.each([
  '',
  'host/path',
  '/a',
  'ftp://host/a',
  'file:///etc/passwd',
  'data:text/plain,a',
  'http://',
  'nats://h',
])('%j is no source', (text) => {
  expect(codeOf(() => parseSourceUrl(text))).toBe('ERR_SOURCE_URL_INVALID');
});

test('any text is a URL or refused with one code', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'binary' }).map((rest) => `http://${rest}`),
    url,
  );
  fc.assert(
    fc.property(text, (odd) => {
      const code = codeOf(() => resourceIdOf(odd));
      expect([undefined, 'ERR_SOURCE_URL_INVALID']).toContain(code);
    }),
    { numRuns: 500 },
  );
});

test('user-info with percent signs that encode nothing is taken as it is, or refused with the same code', () => {
  for (const odd of ['http://%ff@host/', 'http://a:%zz@host/', 'http://%@host/']) {
    expect([undefined, 'ERR_SOURCE_URL_INVALID']).toContain(codeOf(() => parseSourceUrl(odd)));
  }
});

test('the error about a URL shows no password', () => {
  for (const text of [
    'http://user:secret@ho st/',
    'ftp://user:secret@host/',
    'user:secret@host',
    '//u:secret@h',
  ]) {
    try {
      parseSourceUrl(text);
      expect.unreachable();
    } catch (error) {
      expect((error as Error).message).not.toContain('secret@');
    }
  }
});

test('a password is not printed, whatever is in it and however many URLs are in the text', () => {
  expect(redactUrl('http://user:secret@host/a@b')).toBe('http://host/a@b');
  expect(redactUrl('nats://u:secret@a,nats://u:secret@b')).toBe('nats://a,nats://b');
  expect(redactUrl('http://user:sec@ret@host/')).toBe('http://host/');
  expect(redactUrl('http:\\\\user:secret@host')).toBe('http://host');
  expect(redactUrl(`http://u:${'secret'.repeat(200)}@host`)).toBe('http://host');
  expect(redactUrl('x'.repeat(10_000)).length).toBeLessThanOrEqual(500);
});

test('a resource is the same whoever asks, by whatever fragment and signature', () => {
  const plain = canonicalUrl('https://bucket.example/a/b?versionId=3');
  expect(
    canonicalUrl(
      'https://me:pw@bucket.example/a/b?X-Amz-Date=1&versionId=3&x-amz-signature=ff&X-Amz-Date=2#x',
    ),
  ).toBe(plain);
  expect(canonicalUrl('https://bucket.example/a/b?versionId=3&X%2DAmz%2DDate=1&X-Goog-Date')).toBe(plain);
  expect(canonicalUrl('https://bucket.example/a/b?X-Goog-Signature=1')).toBe('https://bucket.example/a/b');
});

test.each(['Key-Pair-Id', 'AWSAccessKeyId', 'GoogleAccessId', 'OSSAccessKeyId'])(
  'a URL that is signed by %s is the same whenever it is, and what is not signed is left as it is',
  (signer) => {
    const signed = `https://cdn.example/a?v=1&Expires=5&Signature=abc~&${signer}=K&Policy=e30_`;
    expect(canonicalUrl(signed)).toBe('https://cdn.example/a?v=1');
    expect(isSignedUrl(new URL(signed))).toBe(true);
    for (const plain of [`?Expires=5&Policy=a&${signer}=K`, '?Signature=abc&Policy=a']) {
      expect(canonicalUrl(`https://cdn.example/a${plain}`)).toBe(`https://cdn.example/a${plain}`);
      expect(isSignedUrl(new URL(`https://cdn.example/a${plain}`))).toBe(false);
    }
  },
);

test.each([
  [
    'OSS, version 4',
    'x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=a&x-oss-date=d&x-oss-expires=9&x-oss-signature=s',
  ],
  ['OSS, for a while', 'OSSAccessKeyId=a&Expires=9&Signature=s&security-token=t'],
  ['Azure', 'sv=2024-11-04&ss=b&srt=o&sp=r&se=2026-01-01T00%3A00%3A00Z&st=2025&spr=https&sig=a%2Bb%3D'],
  ['Azure, by a user', 'sv=2024&sr=b&sp=r&st=1&se=2&skoid=a&sktid=b&skt=c&ske=d&sks=b&skv=e&sig=s'],
])('a URL signed by %s is the same whenever it is, and private', (_, query) => {
  const signed = `https://store.example/a?versionid=3&${query}&snapshot=4`;
  expect(canonicalUrl(signed)).toBe('https://store.example/a?versionid=3&snapshot=4');
  expect(isSignedUrl(new URL(signed))).toBe(true);
});

test('names that sign beside a signature name content without one', () => {
  for (const plain of ['https://h/a?sv=1&sr=b&se=2', 'https://h/a?sig=x', 'https://h/a?security-token=t']) {
    expect(canonicalUrl(plain)).toBe(plain);
    expect(isSignedUrl(new URL(plain))).toBe(false);
  }
});

test('a signature leaves the rest of a query as it was written', () => {
  for (const rest of ['?x', 'a&&b', '%ff=%zz', 'name=a%20b', 'flag', 'a=1&b', 'path=~x*y', 'q=%C3%A4&q=+']) {
    expect(canonicalUrl(`https://h/a?${rest}&X-Amz-Signature=1`)).toBe(canonicalUrl(`https://h/a?${rest}`));
  }
});

test('what is canonical stays so', () => {
  fc.assert(
    fc.property(url, fc.subarray([...FILTERED_QUERY]), (text, names) => {
      const [bare = ''] = text.split('#');
      const signed = `${bare}${bare.includes('?') ? '&' : '?'}${names.map((name) => `${name}=s`).join('&')}`;
      const canonical = canonicalUrl(signed);
      expect(canonicalUrl(canonical)).toBe(canonical);
      for (const name of names) expect(canonical).not.toContain(`${name}=s`);
    }),
  );
});

test('the order of a query counts, and so do its values', () => {
  expect(resourceIdOf('http://h/?a=1&b=2')).not.toBe(resourceIdOf('http://h/?b=2&a=1'));
  expect(resourceIdOf('http://h/?a=1')).not.toBe(resourceIdOf('http://h/?a=2'));
});

test('ids of URLs are ids, and each version of a URL has its own', () => {
  fc.assert(
    fc.property(url, fc.string(), fc.nat(), (text, etag, length) => {
      expect(isResourceId(resourceIdOf(text))).toBe(true);
      const first = taskIdOfUrl(text, { etag, length });
      expect(isTaskId(first)).toBe(true);
      expect(taskIdOfUrl(text, { etag, length })).toBe(first);
      expect(taskIdOfUrl(text, { etag, length: length + 1 })).not.toBe(first);
      expect(taskIdOfUrl(text, { etag: `${etag}x`, length })).not.toBe(first);
      expect(taskIdOfUrl(text, { readId: `${etag}\n${length}` })).not.toBe(first);
    }),
  );
});

test.each([
  ['"abc"', '"abc"'],
  [' "a-b:c/1" ', '"a-b:c/1"'],
  ['""', '""'],
  ['W/"abc"', undefined],
  ['w/"abc"', undefined],
  ['abc', undefined],
  ['"a"b"', undefined],
  ['"a\nb"', undefined],
  ['"a b"', undefined],
  ['"', undefined],
  ['', undefined],
  [undefined, undefined],
])('the strong ETag of %j is %j', (header, etag) => {
  expect(strongEtag(header)).toBe(etag);
});

import { expect, test } from 'vitest';
import { type Digest, type TaskId, taskIdAt, taskIdOfDigest } from '../../core/ids.ts';
import { isReadAt, placeFor } from '../../origins/place.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}` as Digest;
const OTHER = `sha256:${'cd'.repeat(32)}`;
const at = (url: string, credentials = false) => placeFor({ url, credentials }, DIGEST);

test('a registry is one place for all that it has of a digest, with credentials or without', () => {
  const place = at(`https://r.test/v2/a/blobs/${DIGEST}`);
  expect(place).toBe('https://r.test');
  expect(at(`https://r.test/v2/b/c/manifests/${DIGEST}`, true)).toBe(place);
  expect(at(`https://r.test/v2/a/blobs/${DIGEST.replace(':', '%3A')}`)).toBe(place);
  for (const other of ['http://r.test', 'https://r.test:444', 'https://s.test']) {
    expect(at(`${other}/v2/a/blobs/${DIGEST}`), other).not.toBe(place);
  }
});

test('registries below paths of one server are places of their own', () => {
  const place = at(`https://r.test/tenant1/v2/a/blobs/${DIGEST}`);
  expect(place).toBe('https://r.test/tenant1');
  expect(at(`https://r.test/tenant1/v2/b/blobs/${DIGEST}`)).toBe(place);
  expect(at(`https://r.test/tenant2/v2/a/blobs/${DIGEST}`)).not.toBe(place);
});

test.each([
  ['another digest', `https://r.test/v2/a/blobs/${OTHER}`],
  ['a tag', 'https://r.test/v2/a/manifests/latest'],
  ['what belongs to no repository', 'https://r.test/v2/'],
  ['a name that only ends like it', `https://r.test/v2/a/blobs/x${DIGEST}`],
  ['a registry below a path', `https://r.test/x/v2/a/blobs/${DIGEST}`],
])('who may have %s of a registry may not have all of it', (_, url) => {
  for (const credentials of [true, false]) expect(at(url, credentials)).not.toBe('https://r.test');
});

test('another server speaks for one URL, however that is signed; those that want no credentials are one place', () => {
  const signed = (signature: string) => `https://s.test/file?v=1&X-Amz-Signature=${signature}`;
  expect(at(signed('a'))).toBe(at(signed('b')));
  expect(at(signed('a'))).toBe(at('https://s.test/file?v=1', true));
  expect(at(signed('a'))).not.toBe(at('https://s.test/file?v=2', true));
  expect(at('https://s.test/file')).toBe(at('http://mirror.test/other'));
  expect(at('https://s.test/file')).not.toBe(at('https://s.test/file', true));
});

test('content was read at a source where that is its one place; of a task without a digest every source is', () => {
  const taskId = taskIdOfDigest(DIGEST);
  const source = { url: `https://r.test/v2/a/blobs/${DIGEST}`, credentials: true };
  expect(isReadAt({ taskId, home: 'https://r.test' }, source)).toBe(true);
  expect(isReadAt({ taskId: taskIdAt(DIGEST, 'x'), home: 'https://r.test' }, source)).toBe(true);
  expect(isReadAt({ taskId, home: 'https://s.test' }, source)).toBe(false);
  expect(isReadAt({ taskId }, source)).toBe(false);
  expect(isReadAt({ taskId: `url-${'ab'.repeat(32)}` as TaskId }, source)).toBe(true);
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OciRefusal } from '../../../proxy/mirror/oci-error.ts';
import { parseMirrorRoute, upstreamPath } from '../../../proxy/mirror/route.ts';

const HEX = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
const SHA256 = `sha256:${HEX}`;
const SHA512 = `sha512:${HEX}${HEX}`;

function refused(target: string, header?: string): OciRefusal {
  try {
    parseMirrorRoute(target, header, undefined);
  } catch (error) {
    if (error instanceof OciRefusal) return error;
    throw error;
  }
  throw new Error(`${target} was not refused`);
}

describe('which registry is meant', () => {
  const path = `/v2/quay.io/org/app/blobs/${SHA256}`;

  test('a header wins over ns, ns over the path, the path over the default', () => {
    expect(parseMirrorRoute(`${path}?ns=ghcr.io`, 'MCR.example:443', 'docker.io')).toMatchObject({
      registry: 'mcr.example:443',
      namedBy: 'header',
      resource: { name: 'quay.io/org/app' },
    });
    expect(parseMirrorRoute(`${path}?ns=ghcr.io`, undefined, 'docker.io')).toMatchObject({
      registry: 'ghcr.io',
      namedBy: 'ns',
    });
    expect(parseMirrorRoute(path, undefined, 'docker.io')).toMatchObject({
      registry: 'quay.io',
      namedBy: 'path',
      resource: { name: 'org/app' },
    });
    const short = `/v2/library/app/blobs/${SHA256}`;
    expect(parseMirrorRoute(short, undefined, 'docker.io')).toMatchObject({
      registry: 'docker.io',
      namedBy: 'default',
      resource: { name: 'library/app' },
    });
    expect(parseMirrorRoute(short, undefined, undefined)).toMatchObject({
      registry: undefined,
      namedBy: 'nobody',
    });
  });

  test.each([
    ['localhost', 'localhost'],
    ['localhost:5000', 'localhost:5000'],
    ['registry_5000', 'registry:5000'],
    ['registry.lab_5000', 'registry.lab:5000'],
  ])('a first segment of %s names %s', (segment, registry) => {
    expect(parseMirrorRoute(`/v2/${segment}/app/tags/list`, undefined, undefined)).toMatchObject({
      registry,
    });
  });

  test.each([
    ['user_1', 'docker.io', 'user_1/app'],
    ['localhost_5000', 'docker.io', 'localhost_5000/app'],
    ['registry_5000', 'registry:5000', 'app'],
    ['registry.lab_5000', 'registry.lab:5000', 'app'],
    ['registry:6000', 'registry:6000', 'app'],
    ['constructor_1', 'docker.io', 'constructor_1/app'],
  ])('with a default registry %s/app is of %s', (segment, registry, name) => {
    const configured = { 'registry:5000': 'http://registry:5000' };
    const target = `/v2/${segment}/app/tags/list`;
    expect(parseMirrorRoute(target, undefined, 'docker.io', configured)).toMatchObject({
      registry,
      resource: { name },
    });
  });

  test.each([
    'a/b',
    'user@host',
    '..',
    '.example',
    'host:99999999',
    'host:port',
    'http://host',
    'a b',
    '',
    'h\u00f6st',
    `${'a'.repeat(254)}.example`,
  ])('a registry of %j is refused, in ns and in the header', (name) => {
    const target = `/v2/app/tags/list?ns=${encodeURIComponent(name)}`;
    expect(refused(target)).toMatchObject({ status: 400, code: 'NAME_INVALID' });
    expect(refused('/v2/app/tags/list', name)).toMatchObject({ status: 400, code: 'NAME_INVALID' });
  });

  test('two ns are refused', () => {
    expect(refused('/v2/app/tags/list?ns=a.example&ns=b.example')).toMatchObject({ status: 400 });
  });
});

describe('what of it is asked for', () => {
  test.each([
    ['/v2', '/v2/'],
    ['/v2/', '/v2/'],
    [`/v2/a/manifests/latest`, '/v2/a/manifests/latest'],
    [`/v2/a/b-c/d__e/manifests/${SHA512}`, `/v2/a/b-c/d__e/manifests/${SHA512}`],
    [`/v2/a/blobs/${SHA256}?ns=x.example`, `/v2/a/blobs/${SHA256}`],
    ['/v2/a/tags/list?n=3&last=a%26b&ns=x.example&token=secret', '/v2/a/tags/list?n=3&last=a%26b'],
    [`/v2/a/referrers/${SHA256}?artifactType=x`, `/v2/a/referrers/${SHA256}?artifactType=x`],
    // A repository may be called like a part of the path.
    ['/v2/manifests/manifests/manifests', '/v2/manifests/manifests/manifests'],
  ])('%s is %s at its registry', (target, path) => {
    expect(upstreamPath(parseMirrorRoute(target, undefined, 'docker.io').resource)).toBe(path);
  });

  test.each([
    [`/v2/../secret/blobs/${SHA256}`, 'NAME_INVALID'],
    [`/v2/a/../b/blobs/${SHA256}`, 'NAME_INVALID'],
    [`/v2/a/%2e%2e/b/blobs/${SHA256}`, 'NAME_INVALID'],
    [`/v2/a%2fb/blobs/${SHA256}`, 'NAME_INVALID'],
    [`/v2//a/blobs/${SHA256}`, 'NAME_INVALID'],
    [`/v2/a//b/blobs/${SHA256}`, 'NAME_INVALID'],
    [`/v2/A/blobs/${SHA256}`, 'NAME_INVALID'],
    [`/v2/-a/blobs/${SHA256}`, 'NAME_INVALID'],
    [`/v2/a\\b/blobs/${SHA256}`, 'NAME_INVALID'],
    [`/v2/${'a'.repeat(256)}/blobs/${SHA256}`, 'NAME_INVALID'],
    [`/v2/a/blobs/md5:${HEX.slice(32)}`, 'DIGEST_INVALID'],
    [`/v2/a/blobs/sha384:${HEX}`, 'DIGEST_INVALID'],
    [`/v2/a/manifests/blake3:${HEX}`, 'DIGEST_INVALID'],
    ['/v2/a/referrers/sha256:abc', 'DIGEST_INVALID'],
    ['/v2/a/referrers/latest', 'DIGEST_INVALID'],
  ])('%s is refused as %s', (target, code) => {
    expect(refused(target)).toMatchObject({ status: 400, code });
  });

  test.each([
    ['/v2/a/manifests/.hidden', 'MANIFEST_UNKNOWN'],
    ['/v2/a/manifests/.INVALID_MANIFEST_NAME', 'MANIFEST_UNKNOWN'],
    ['/v2/a/manifests/%2e%2e', 'MANIFEST_UNKNOWN'],
    ['/v2/a/manifests/a!b', 'MANIFEST_UNKNOWN'],
    [`/v2/a/manifests/${'t'.repeat(129)}`, 'MANIFEST_UNKNOWN'],
    ['/v2/a/manifests/sha256:abc', 'MANIFEST_UNKNOWN'],
    [`/v2/a/manifests/sha256:${HEX.toUpperCase()}`, 'MANIFEST_UNKNOWN'],
    ['/v2/a/blobs/latest', 'BLOB_UNKNOWN'],
    ['/v2/a/blobs/sha256:abc', 'BLOB_UNKNOWN'],
    [`/v2/a/blobs/sha256:${HEX.toUpperCase()}`, 'BLOB_UNKNOWN'],
    [`/v2/a/blobs/SHA256:${HEX}`, 'BLOB_UNKNOWN'],
  ])('%s names what no registry can have: %s', (target, code) => {
    expect(refused(target)).toMatchObject({ status: 404, code });
  });

  test.each(['/v2/a', '/v2/_catalog', '/v2/a/tags', '/v2/a/blobs', `/v2/a/blobs/uploads/`, '/v2x/'])(
    'there is nothing at %s',
    (target) => {
      expect(refused(target).status).toBeOneOf([400, 404]);
    },
  );

  test('whatever comes, it is a route of the grammar or a refusal, and the path upstream has no escape', () => {
    const part = fc.constantFrom(
      'v2',
      'a',
      '..',
      '%2e',
      '/',
      ':',
      'blobs',
      'manifests',
      SHA256,
      'tags/list',
      '\\',
      '@',
      'ns=',
    );
    const targets = fc.oneof(
      fc.string(),
      fc.array(part).map((parts) => `/v2/${parts.join('/')}`),
    );
    fc.assert(
      fc.property(targets, fc.option(fc.string(), { nil: undefined }), (target, header) => {
        try {
          const { resource, registry } = parseMirrorRoute(target, header, 'docker.io');
          const path = upstreamPath(resource).split('?')[0] ?? '';
          expect(path).toMatch(/^\/v2\/[A-Za-z0-9/._:=-]*$/);
          expect(path.split('/')).not.toContain('..');
          expect(registry).toMatch(/^[a-z0-9.:[\]-]+$/);
        } catch (error) {
          expect(error).toBeInstanceOf(OciRefusal);
        }
      }),
      { numRuns: 500 },
    );
  });
});

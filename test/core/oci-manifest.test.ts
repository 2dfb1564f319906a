import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShoalError } from '../../core/errors.ts';
import {
  blobsNamedIn,
  blobsOf,
  listedDigest,
  MANIFEST_BYTES,
  parseManifest,
} from '../../core/oci-manifest.ts';

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const part = (digit: string, size = 5) => ({
  mediaType: 'application/octet-stream',
  digest: digest(digit),
  size,
});
const OCI_IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const DOCKER_IMAGE = 'application/vnd.docker.distribution.manifest.v2+json';
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const ARTIFACT = 'application/vnd.oci.artifact.manifest.v1+json';
const image = { schemaVersion: 2, config: part('c'), layers: [part('1'), part('2', 7)] };
const index = {
  schemaVersion: 2,
  manifests: [
    { ...part('a'), platform: { os: 'linux', architecture: 'arm', variant: 'v7' } },
    { ...part('b'), annotations: { 'x.y': 'z' } },
  ],
};

describe('a manifest', () => {
  test('of an image tells its config and its layers in order', () => {
    const read = parseManifest(bytes({ ...image, mediaType: OCI_IMAGE }));
    expect(read).toMatchObject({ kind: 'image', mediaType: OCI_IMAGE, config: { digest: digest('c') } });
    expect(read.kind === 'image' && read.layers.map(({ size }) => size)).toEqual([5, 7]);
  });

  test('that is an index tells the platforms', () => {
    const read = parseManifest(bytes(index), DOCKER_LIST);
    expect(read).toMatchObject({
      kind: 'index',
      mediaType: DOCKER_LIST,
      manifests: [{ platform: { os: 'linux', architecture: 'arm', variant: 'v7' } }, { digest: digest('b') }],
    });
  });

  test('is what its header says; its own mediaType counts where the header tells nothing', () => {
    expect(parseManifest(bytes(image), `${DOCKER_IMAGE}; charset=utf-8`).mediaType).toBe(DOCKER_IMAGE);
    expect(parseManifest(bytes({ ...image, mediaType: DOCKER_IMAGE }), 'text/plain').mediaType).toBe(
      DOCKER_IMAGE,
    );
    expect(parseManifest(bytes(image)).mediaType).toBe(OCI_IMAGE);
    expect(parseManifest(bytes(index), 'application/octet-stream').mediaType).toBe(OCI_INDEX);
  });

  test('marks layers that the registry need not have', () => {
    const foreign = { ...part('1'), urls: ['https://example.com/layer'] };
    const read = parseManifest(bytes({ ...image, layers: [foreign, part('2')] }));
    expect(read.kind === 'image' && read.layers.map((layer) => layer.foreign)).toEqual([true, false]);
  });

  test('whose list is null has none of it, as Go writes it', () => {
    for (const layers of [null, undefined])
      expect(parseManifest(bytes({ ...image, layers }))).toMatchObject({ kind: 'image', layers: [] });
    const none = { schemaVersion: 2, manifests: null };
    expect(parseManifest(bytes(none), OCI_INDEX)).toMatchObject({ kind: 'index', manifests: [] });
    expect(blobsNamedIn(bytes({ ...image, layers: null }))).toEqual([digest('c')]);
  });

  test('may say nothing of types', () => {
    const untyped = { ...part('1'), mediaType: '' };
    const { mediaType: _none, ...typeless } = part('2');
    const read = parseManifest(bytes({ mediaType: '', config: untyped, layers: [untyped, typeless] }), '');
    expect(read).toMatchObject({ kind: 'image', mediaType: OCI_IMAGE, config: { digest: digest('1') } });
    expect(blobsOf(read)).toHaveLength(3);
  });

  test('of an artifact names its blobs', () => {
    const artifact = { mediaType: ARTIFACT, artifactType: 'x/y', blobs: [part('1'), part('2')] };
    for (const type of [ARTIFACT, 'application/octet-stream', undefined]) {
      const read = parseManifest(bytes(artifact), type);
      expect(read).toMatchObject({ kind: 'image', mediaType: ARTIFACT, config: undefined });
      expect(blobsOf(read).map((blob) => blob.digest)).toEqual([digest('1'), digest('2')]);
    }
    expect(blobsNamedIn(bytes(artifact))).toEqual([digest('1'), digest('2')]);
    expect(blobsOf(parseManifest(bytes({ mediaType: ARTIFACT, blobs: null })))).toEqual([]);
  });

  test('of an index is not judged by what nobody chose of it', () => {
    const linux = { os: 'linux', architecture: 'amd64' };
    const manifests = [
      { ...part('a'), platform: linux },
      { ...part('b'), digest: `blake3:${'2'.repeat(64)}`, platform: { os: 'linux', architecture: 's390x' } },
      { ...part('c', -1), mediaType: '' },
      { platform: { os: 5 } },
    ];
    const read = parseManifest(bytes({ manifests }), OCI_INDEX);
    const listed = read.kind === 'index' ? read.manifests : [];
    expect(listed.map(({ platform }) => platform?.os)).toEqual(['linux', 'linux', undefined, 'unknown']);
    const judged = listed.map((one) => {
      try {
        return listedDigest(one);
      } catch (error) {
        return error instanceof ShoalError ? error.code : error;
      }
    });
    expect(judged).toEqual([digest('a'), 'ERR_IMAGE_MANIFEST', digest('c'), 'ERR_IMAGE_MANIFEST']);
  });

  test.each([
    ['an image and an index at once', { ...image, ...index }, OCI_IMAGE],
    ['an index by its header and an image by its content', image, OCI_INDEX],
    ['an index by its header and of a null list in an image', { ...image, manifests: null }, OCI_INDEX],
    ['an artifact by its type and an image by its content', { ...image, blobs: [] }, ARTIFACT],
    ['an artifact and an index at once', { ...index, mediaType: ARTIFACT }, undefined],
    ['another type than its header says', { ...image, mediaType: DOCKER_IMAGE }, OCI_IMAGE],
    [
      'of the first schema',
      { schemaVersion: 1 },
      'application/vnd.docker.distribution.manifest.v1+prettyjws',
    ],
    ['nothing', {}, undefined],
    ['a list', [], undefined],
    ['a number', 5, undefined],
    ['null', null, undefined],
    ['of a digest that is a path', { ...image, config: { ...part('c'), digest: '../../etc' } }, undefined],
    ['of a digest too short', { ...image, config: { ...part('c'), digest: 'sha256:12' } }, undefined],
    ['of a negative size', { ...image, config: part('c', -1) }, undefined],
    ['of a size that is no number', { ...image, config: { ...part('c'), size: '5' } }, undefined],
    ['of a size beyond counting', { ...image, config: part('c', 2 ** 60) }, undefined],
    ['of too many layers', { ...image, layers: new Array(5000).fill(part('1')) }, undefined],
  ])('that is %s is refused', (_what, body, type) => {
    expect(() => parseManifest(bytes(body), type)).toThrow(
      expect.objectContaining({ code: 'ERR_IMAGE_MANIFEST' }),
    );
  });

  test('too long, not JSON or not UTF-8 is refused', () => {
    expect(() => parseManifest(Buffer.alloc(MANIFEST_BYTES + 1, 0x20))).toThrow('too many');
    expect(() => parseManifest(Buffer.from('{"a":'))).toThrow('not JSON');
    expect(() => parseManifest(Buffer.from([0x22, 0xff, 0x22]))).toThrow('not JSON');
    expect(() => parseManifest(new Uint8Array())).toThrow('not JSON');
  });

  test('of any content is read or refused', () => {
    const mangled = fc.constantFrom<unknown>(image, index).chain((whole) => {
      const text = JSON.stringify(whole);
      return fc
        .tuple(fc.nat(text.length), fc.nat(40), fc.string({ maxLength: 20 }))
        .map(([at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut));
    });
    const text = fc.oneof(mangled, fc.json());
    fc.assert(
      fc.property(
        text,
        fc.option(fc.constantFrom(OCI_IMAGE, OCI_INDEX), { nil: undefined }),
        (body, type) => {
          try {
            parseManifest(Buffer.from(body), type);
          } catch (error) {
            expect(error).toBeInstanceOf(ShoalError);
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});

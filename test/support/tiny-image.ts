import { createHash, randomBytes } from 'node:crypto';
import type { Digest } from '../../core/ids.ts';

/** Content by its digest. */
export interface TinyContent {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

/** An index of two platforms that share a layer. */
export interface TinyImage {
  readonly contents: ReadonlyMap<Digest, TinyContent>;
  readonly index: Digest;
  /** By architecture. */
  readonly manifests: Readonly<Record<'amd64' | 'arm64', Digest>>;
  readonly configs: Readonly<Record<'amd64' | 'arm64', Digest>>;
  readonly layers: Readonly<Record<'amd64' | 'arm64', readonly Digest[]>>;
}

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** Makes an image of random layers of so many bytes; the first is the same on both platforms. */
export function tinyImage(layerBytes: readonly number[]): TinyImage {
  const contents = new Map<Digest, TinyContent>();
  const add = (mediaType: string, bytes: Buffer) => {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
    contents.set(digest, { bytes, mediaType });
    return { mediaType, digest, size: bytes.length };
  };
  const json = (mediaType: string, value: object) => add(mediaType, Buffer.from(JSON.stringify(value)));
  const shared = add(LAYER, randomBytes(layerBytes[0] ?? 1));
  const made = (architecture: 'amd64' | 'arm64') => {
    const layers = [shared, ...layerBytes.slice(1).map((bytes) => add(LAYER, randomBytes(bytes)))];
    const config = json(CONFIG, { os: 'linux', architecture, created: randomBytes(8).toString('hex') });
    const manifest = json(MANIFEST, { schemaVersion: 2, mediaType: MANIFEST, config, layers });
    const listed = { ...manifest, platform: { os: 'linux', architecture } };
    return { listed, config: config.digest, layers: layers.map(({ digest }) => digest) };
  };
  const amd64 = made('amd64');
  const arm64 = made('arm64');
  const index = json(INDEX, { schemaVersion: 2, mediaType: INDEX, manifests: [amd64.listed, arm64.listed] });
  return {
    contents,
    index: index.digest,
    manifests: { amd64: amd64.listed.digest, arm64: arm64.listed.digest },
    configs: { amd64: amd64.config, arm64: arm64.config },
    layers: { amd64: amd64.layers, arm64: arm64.layers },
  };
}

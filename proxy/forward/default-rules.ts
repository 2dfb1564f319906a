import type { ForwardRule } from './rule.ts';

const ENDINGS = [
  // Packages.
  'whl|egg|deb|udeb|ddeb|rpm|drpm|apk|crate|gem|nupkg|jar|war|aar|conda|snap|msi|pkg|AppImage',
  // Archives.
  'tgz|tbz2|txz|tar|tar\\.(gz|bz2|xz|zst|lz4)|zip|7z|whl\\.zip|gz|xz|zst',
  // Disks.
  'iso|img|qcow2|vmdk|vhdx?|ova|squashfs|cpio',
  // Models and data.
  'safetensors|gguf|ggml|onnx|pt|pth|ckpt|h5|hdf5|tflite|parquet|arrow|npz',
].join('|');

const swarm = (path: string): ForwardRule => ({ path, use: 'swarm' });

/**
 * What goes through the swarm where nobody says otherwise: large things that do not change under their name. Each is
 * resolved at its origin all the same, so a thing that does change is only read again.
 */
export const DEFAULT_RULES: readonly ForwardRule[] = [
  // Blobs of registries.
  swarm('/v2/.+/blobs/sha(256|512):[0-9a-f]+$'),
  // npm, before the archives: `/<package>/-/<file>.tgz`.
  swarm('/-/[^/]+\\.tgz$'),
  // apt: pools, and index files by their hash.
  swarm('/pool/.+\\.(deb|udeb|ddeb|dsc|orig\\.tar\\.[a-z0-9]+|debian\\.tar\\.[a-z0-9]+)$'),
  swarm('/by-hash/(MD5Sum|SHA1|SHA256|SHA512)/[0-9a-f]{32,128}$'),
  // pip: files of an index.
  swarm('/packages/.+\\.(whl|egg|zip|tar\\.(gz|bz2|xz))$'),
  // What is named by its SHA-256: Git LFS, and the stores behind hubs of models.
  swarm('/[0-9a-f]{64}$'),
  // Index files of apt and dnf keep their names while they change: what the archives below would catch.
  { path: '/(Packages|Sources|Contents-[^/]+|Release|repodata/[^/]+)(\\.[a-z0-9]+)?$', use: 'direct' },
  swarm(`\\.(${ENDINGS})$`),
];

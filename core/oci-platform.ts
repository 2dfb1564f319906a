import { ShoalError } from './errors.ts';

/** What an image runs on, in the words of Go and OCI. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** Absent: the plainest of its architecture. */
  readonly variant?: string | undefined;
}

const ARCHITECTURES = new Map<string, readonly [architecture: string, variant?: string]>([
  ['x86_64', ['amd64']],
  ['x86-64', ['amd64']],
  ['x64', ['amd64']],
  ['ia32', ['386']],
  ['i386', ['386']],
  ['i686', ['386']],
  ['aarch64', ['arm64']],
  ['armhf', ['arm', 'v7']],
  ['armel', ['arm', 'v6']],
  ['mipsel', ['mipsle']],
  ['mips64el', ['mips64le']],
]);

/** The plainest variant, which is the same as none; an ARM of 32 bits is a v7 unless it says otherwise. */
const PLAINEST = new Map([
  ['amd64', 'v1'],
  ['arm64', 'v8'],
  ['arm', 'v7'],
]);
/** Variants that run on a later one too, the oldest first. */
const LADDERS = new Map([
  ['amd64', ['v1', 'v2', 'v3', 'v4']],
  ['arm', ['v5', 'v6', 'v7', 'v8']],
  ['arm64', ['v8', 'v9']],
]);
/** Of those that have two byte orders, the one that Linux runs on. */
const LITTLE_ENDIAN = new Map([['ppc64', 'ppc64le']]);

const PART = /^[a-z0-9_.-]{1,32}$/;

/** `os/arch[/variant]`, in any of the usual spellings. @throws ERR_CONFIG_INVALID */
export function parsePlatform(text: string): Platform {
  const [os = '', architecture = '', variant, ...more] = text.trim().toLowerCase().split('/');
  const parts = [os, architecture, ...(variant === undefined ? [] : [variant])];
  if (more.length > 0 || !parts.every((part) => PART.test(part))) {
    throw new ShoalError(
      'ERR_CONFIG_INVALID',
      `not a platform: ${JSON.stringify(text.slice(0, 100))}; write it as linux/amd64 or linux/arm/v7`,
    );
  }
  return normalPlatform({ os, architecture, variant });
}

/** The platform in one spelling, without a variant that is the plainest. */
export function normalPlatform({ os, architecture, variant }: Platform): Platform {
  const lower = architecture.toLowerCase();
  const [name, implied] = ARCHITECTURES.get(lower) ?? [lower];
  const said = (variant ?? '').toLowerCase().replace(/^(\d)/, 'v$1') || implied;
  return {
    os: os.toLowerCase() === 'macos' ? 'darwin' : os.toLowerCase(),
    architecture: name,
    ...(said !== undefined && said !== PLAINEST.get(name) && { variant: said }),
  };
}

/** `linux/arm/v6`; the plainest variant is left out. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = normalPlatform(platform);
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/** The platform of the images that a machine runs, from the words of Node: `process.platform`, `process.arch`. */
export function machinePlatform(nodePlatform: string, nodeArch: string): Platform {
  // Containers on a Mac run in a Linux of their own.
  const os = nodePlatform === 'win32' ? 'windows' : 'linux';
  return normalPlatform({ os, architecture: LITTLE_ENDIAN.get(nodeArch) ?? nodeArch });
}

/**
 * The one that fits best: the same variant, else the latest older one that runs there too, else the first that names
 * no platform. Undefined where none fits.
 * @see github.com/containerd/platforms, Only
 */
export function choosePlatform<T extends { readonly platform?: Platform | undefined }>(
  offers: readonly T[],
  wanted: Platform,
): T | undefined {
  let best: T | undefined;
  let bestRank = Number.POSITIVE_INFINITY;
  for (const offer of offers) {
    const rank = offer.platform === undefined ? LAST : rankOf(offer.platform, wanted);
    if (rank >= bestRank) continue;
    best = offer;
    bestRank = rank;
  }
  return best;
}

const LAST = 1000;

/** 0 for the same, more for an older variant, infinity where it does not run there. */
function rankOf(offered: Platform, wanted: Platform): number {
  const [have, want] = [normalPlatform(offered), normalPlatform(wanted)];
  if (have.os !== want.os || have.architecture !== want.architecture) return Number.POSITIVE_INFINITY;
  if (have.variant === want.variant) return 0;
  const ladder = LADDERS.get(want.architecture) ?? [];
  const step = ({ variant }: Platform) => ladder.indexOf(variant ?? PLAINEST.get(want.architecture) ?? '');
  const down = step(want) - step(have);
  return step(have) < 0 || step(want) < 0 || down < 0 ? Number.POSITIVE_INFINITY : down;
}

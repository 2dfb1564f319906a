import { ShoalError } from '../../core/errors.ts';
import type { JobRequestInput, JobTargets } from '../../core/jobs.ts';
import { isRepository } from '../../core/oci-reference.ts';
import type { HarborRequest } from './contract.ts';

const MANIFEST = /^\/v2\/(.+)\/manifests\/([^/]+)$/;
const HUB_NAMES: ReadonlySet<string> = new Set(['index.docker.io', 'registry-1.docker.io']);

/** The job that Harbor asks for. @throws ERR_API_REQUEST */
export function jobRequestOf({ args }: HarborRequest): JobRequestInput {
  const { type, url, scope, platform, concurrent_count: concurrency } = args;
  return {
    kind: 'preheat',
    what: [type === 'image' ? imageOf(url) : url],
    targets: targetsOf(scope ?? ''),
    ...(platform && type === 'image' ? { platform } : {}),
    ...(concurrency ? { concurrency } : {}),
  };
}

function targetsOf(scope: NonNullable<HarborRequest['args']['scope']>): JobTargets {
  if (scope === 'all_peers') return { role: 'any' };
  return scope === 'all_seed_peers' ? { role: 'seed' } : { role: 'seed', count: 1 };
}

/** The image whose manifest lies at a URL. */
function imageOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isHttp = url !== undefined && ['http:', 'https:'].includes(url.protocol);
  if (!isHttp || url.username !== '' || url.password !== '' || `${url.search}${url.hash}` !== '') {
    throw refused('not a plain http(s) URL');
  }
  const [, repository = '', version = ''] = MANIFEST.exec(url.pathname) ?? [];
  if (!isRepository(repository)) throw refused('not that of a manifest: …/v2/REPOSITORY/manifests/TAG');
  const registry = HUB_NAMES.has(url.host) ? 'docker.io' : url.host;
  const isDigest = /^sha(?:256|512):/.test(version);
  return `${registry}/${repository}${isDigest ? '@' : ':'}${version}`;
}

function refused(why: string): ShoalError {
  return new ShoalError('ERR_API_REQUEST', `body.args.url: ${why}`);
}

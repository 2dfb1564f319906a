import type { DaemonClient } from '../../admin/client.ts';
import type { HostStatus } from '../../admin/control.ts';
import { ShoalError, toShoalError } from '../../core/errors.ts';
import { parseImageReference } from '../../core/oci-reference.ts';
import { redactUrl } from '../../core/source.ts';
import { formatBytes, formatDuration } from '../../core/units.ts';
import { checkClient } from '../configure/check.ts';
import { type Finding, fault, ok, warning } from './finding.ts';

const FIRST_BYTE_MS = 15_000;

/** Registries that the daemon has met and that fail. */
export function checkTroubled({ troubles }: HostStatus): Finding[] {
  return Object.entries(troubles).flatMap(([name, words]) => {
    if (!name.startsWith('registry ')) return [];
    const [why = '', fix = ''] = words.split(': start the daemon');
    const mend = fix === '' ? 'see whether it is up, and reached from here' : `start the daemon${fix}`;
    return [warning(name, why, mend)];
  });
}

/** Asks the daemon for an image as a client does: its registry, then one small blob. */
export async function checkImage(image: string, dir: string, { proxy }: HostStatus): Promise<Finding[]> {
  const about = { client: 'containerd', dir, proxy: `http://${proxy}`, names: [], proxies: false } as const;
  const { registry } = parseImageReference(image);
  const checked = await checkClient({ ...about, names: [registry], testImage: image });
  const troubled = checked.registries.flatMap(({ name, url, trouble }) =>
    trouble === undefined ? [] : [fault('registry', `${name} at ${url}: ${trouble.why}`, trouble.fix)],
  );
  if (troubled.length > 0) return troubled;
  const { pull, unpulled } = checked;
  if (pull === undefined) {
    return [
      fault('image', unpulled ?? 'nothing came', 'check its name, and whether this machine may read it'),
    ];
  }
  const took = `${formatBytes(pull.bytes)} in ${formatDuration(pull.durationMs)}, from ${pull.from}`;
  return [ok('image', `${pull.image} is given: ${took}`)];
}

/** Asks the daemon for the first bytes of a URL. */
export async function checkUrl(url: string, daemon: DaemonClient): Promise<Finding> {
  const stop = new AbortController();
  const late = setTimeout(() => stop.abort(silence()), FIRST_BYTE_MS);
  const began = performance.now();
  const shown = redactUrl(url);
  const request = { resource: url, headers: {}, noOrigin: false, maxStaleMs: 0 };
  try {
    for await (const _ of daemon.stream(request, () => undefined, stop.signal)) break;
    return ok('url', `${shown} is given: first byte after ${formatDuration(performance.now() - began)}`);
  } catch (error) {
    const { message, fix } = toShoalError(error);
    return fault('url', `${shown}: ${message}`, fix);
  } finally {
    clearTimeout(late);
    stop.abort();
  }
}

function silence(): ShoalError {
  return new ShoalError('ERR_TIMEOUT', `no byte in ${FIRST_BYTE_MS / 1_000} s`);
}

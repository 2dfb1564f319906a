import type { Checked } from '../../app/configure/check.ts';
import type { RegistryCheck } from '../../core/registry-check.ts';
import { formatBytes, formatDuration } from '../../core/units.ts';
import { printable } from './tables.ts';
import { wrapText } from './wrap.ts';

/** What a daemon said of registries, and how the pull went, for a person. */
export function checkedText({ dir, registries, pull, unpulled }: Checked): string {
  const asked = registries.length === 0 ? '' : `asked the daemon of ${dir}:\n`;
  const test =
    pull === undefined
      ? `pull test: nothing pulled; ${unpulled ?? ''}`
      : `pull test: ${formatBytes(pull.bytes)} of ${pull.image} in ${formatDuration(pull.durationMs)}, from ${pull.from}`;
  return `${asked}${registries.map(registryText).join('')}${wrapText(printable(test), 2)}`;
}

/** `docker.io at https://…: reached, asks for credentials, the daemon has some`. */
export function registryText({ name, url, login, asks, trouble }: RegistryCheck): string {
  const own = login ? 'the daemon has some' : "the client's are passed on";
  const state =
    trouble === undefined
      ? `allowed, reached${asks ? `, asks for credentials, ${own}` : ', open to all'}`
      : `${trouble.fault}: ${trouble.why}`;
  const line = wrapText(printable(`  ${name} at ${url}: ${state}`), 6);
  return trouble === undefined ? line : `${line}${wrapText(printable(`      fix: ${trouble.fix}`), 8)}`;
}

import { readFileSync } from 'node:fs';

/** Version of Shoal, from its package.json. */
export const VERSION = readVersion();

function readVersion(): string {
  try {
    // One level up from the sources, and from the build.
    const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
    const { version } = JSON.parse(text) as { version?: unknown };
    if (typeof version === 'string') return version;
  } catch {
    // Not there.
  }
  return '0.0.0';
}

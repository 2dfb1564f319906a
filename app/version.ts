import { readFileSync } from 'node:fs';

/** Version of Shoal, from its package.json. */
export const VERSION = readVersion();

function readVersion(): string {
  // One level up from the sources, two from the build.
  for (const place of ['../package.json', '../../package.json']) {
    try {
      const text = readFileSync(new URL(place, import.meta.url), 'utf8');
      const { name, version } = JSON.parse(text) as { name?: unknown; version?: unknown };
      if (name === 'shoal' && typeof version === 'string') return version;
    } catch {
      // Not here.
    }
  }
  return '0.0.0';
}

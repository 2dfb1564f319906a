import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoFile } from './demo-file.ts';
import { demoImage } from './demo-image.ts';

/*
 * A swarm of separate processes on this machine distributes something real from an origin to several hosts at once:
 *   npm run demo              one file, by `shoal get`
 *   npm run demo -- image     a container image, by skopeo through the registry mirrors of the hosts
 */
const DEMOS: Readonly<Record<string, (dir: string, signal: AbortSignal) => Promise<string[]>>> = {
  file: demoFile,
  image: demoImage,
};

const [name = 'file', ...more] = process.argv.slice(2);
const demo = Object.hasOwn(DEMOS, name) && more.length === 0 ? DEMOS[name] : undefined;
if (demo === undefined) {
  console.error(`there is no demo ${[name, ...more].join(' ')}; one of ${Object.keys(DEMOS).join(', ')}`);
  process.exitCode = 2;
} else {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort(new Error('interrupted')));
  process.once('SIGTERM', () => stop.abort(new Error('stopped')));
  const dir = mkdtempSync(join(tmpdir(), 'shoal-demo-'));
  try {
    const wrong = await demo(dir, stop.signal);
    for (const line of wrong) console.error(line);
    process.exitCode = wrong.length > 0 ? 1 : 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = stop.signal.aborted ? 130 : 1;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

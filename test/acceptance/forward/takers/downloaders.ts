import { randomBytes } from 'node:crypto';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../support/child.ts';
import { MIB, runWith, type Taker } from '../taker.ts';

const BYTES = 24 * MIB;
const PARTS = 4;

/** A program that takes the URL into the file by the proxy. */
type Download = (proxy: string, url: string, file: string) => Promise<unknown>;

const curl = (proxy: string, ...args: string[]) => run(['curl', '-sS', '-f', '-x', proxy, ...args]);

/** Ranges at once, put together. */
const curlParallel: Download = async (proxy, url, file) => {
  const part = BYTES / PARTS;
  const parts = Array.from({ length: PARTS }, (_, index) => `${file}.${index}`);
  const ranges = parts.flatMap((name, index) => [
    ...(index > 0 ? ['--next', '-sS', '-f', '-x', proxy] : ['-sS', '-f', '-x', proxy]),
    ...['-r', `${index * part}-${(index + 1) * part - 1}`, '-o', name, url],
  ]);
  await run(['curl', '--parallel', ...ranges]);
  writeFileSync(file, Buffer.concat(parts.map((name) => readFileSync(name))));
};

/** The first part by a range, the rest as what was broken off. */
const curlContinue: Download = async (proxy, url, file) => {
  await curl(proxy, '-r', `0-${10 * MIB - 1}`, '-o', file, url);
  truncateSync(file, 9 * MIB);
  await curl(proxy, '-C', '-', '-o', file, url);
};

const aria2: Download = (proxy, url, file) => {
  const at = file.lastIndexOf('/');
  const flags = ['-x8', '-s8', '-k1M', '--quiet', '--allow-overwrite', '--no-conf', `--all-proxy=${proxy}`];
  return run(['aria2c', ...flags, '-d', file.slice(0, at), '-o', file.slice(at + 1), url]);
};

const PROGRAMS: Readonly<Record<string, Download>> = {
  curl: (proxy, url, file) => curl(proxy, '-o', file, url),
  'curl, ranges in parallel': curlParallel,
  'curl, continued': curlContinue,
  wget: (proxy, url, file) => runWith({ http_proxy: proxy }, 'wget', '-q', '-O', file, url),
  'aria2 -x8': aria2,
};

/** Programs that take one file. */
export const downloaders: readonly Taker[] = Object.entries(PROGRAMS).map(([name, download]) => ({
  name,
  async prepare({ web }) {
    const content = randomBytes(BYTES);
    const path = `/files/${name.replaceAll(/\W/g, '')}.iso`;
    web.put(path, content);
    return {
      content,
      sent: () => web.sent(path),
      async take(proxy, dir) {
        const file = join(dir, 'out');
        await download(proxy, web.url(path), file);
        return readFileSync(file);
      },
    };
  },
}));

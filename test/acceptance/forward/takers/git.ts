import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { makeCa } from '../../../../proxy/forward/make-ca.ts';
import { issue } from '../../../support/certificates.ts';
import { run } from '../../../support/child.ts';
import { folder, hashOf, someContent, type Taker } from '../taker.ts';

const NOBODY = ['-c', 'user.name=a', '-c', 'user.email=a@example.org'];

/** Runs git with nothing of this machine's settings; a CA of its environment would take the place of the setting. */
function git(home: string, ...args: string[]): Promise<string> {
  const set = ['GIT_CONFIG_GLOBAL=/dev/null', 'GIT_LFS_SKIP_SMUDGE=1', `HOME=${home}`];
  return run(['env', '--unset=GIT_SSL_CAINFO', ...set, 'git', ...NOBODY, ...args], 60_000);
}

/** git, from a repository as files below HTTPS. */
export const gitOverHttps: Taker = {
  name: 'git over https, a tunnel',
  async prepare({ dir, tlsPort }) {
    const work = folder(dir, 'repository');
    const content = someContent();
    await git(dir, '-C', work, 'init', '-q');
    writeFileSync(join(work, 'big.bin'), content);
    for (const step of ['add .', 'commit -qm one', 'gc -q', 'update-server-info']) {
      await git(dir, '-C', work, ...step.split(' '));
    }
    const ca = await makeCa(join(dir, 'ca'), { name: 'a CA', days: 2 });
    let sent = 0;
    const server = createServer(await issue(dir, ca, hostname()), (request, response) => {
      try {
        const body = readFileSync(join(work, '.git', new URL(request.url ?? '', 'https://x').pathname));
        sent += body.length;
        response.end(body);
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(tlsPort, '0.0.0.0', resolve));
    const url = `https://${hostname()}:${tlsPort}/`;
    return {
      content,
      isTunnel: true,
      sent: () => sent,
      async take(proxy, out) {
        const settings = [`http.proxy=${proxy}`, `http.sslCAInfo=${ca.certFile}`];
        const clone = join(out, 'clone');
        await git(out, ...settings.flatMap((setting) => ['-c', setting]), 'clone', '-q', url, clone);
        return readFileSync(join(clone, 'big.bin'));
      },
      async [Symbol.asyncDispose]() {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  },
};

/** Git LFS, from a store that a batch tells of. */
export const gitLfs: Taker = {
  name: 'git-lfs',
  async prepare({ web, dir }) {
    const work = folder(dir, 'work');
    const content = someContent();
    const oid = hashOf(content);
    await git(dir, '-C', work, 'init', '-q');
    await git(dir, '-C', work, 'lfs', 'install', '--local');
    await git(dir, '-C', work, 'lfs', 'track', '*.bin');
    writeFileSync(join(work, 'big.bin'), content);
    await git(dir, '-C', work, 'add', '.');
    await git(dir, '-C', work, 'commit', '-qm', 'one');
    const path = `/store/objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`;
    web.put(path, content);
    const batch = '/repo/info/lfs/objects/batch';
    web.answer(batch, (request, response) => {
      request.resume().on('end', () => {
        const actions = { download: { href: web.url(path) } };
        const object = { oid, size: content.length, authenticated: true, actions };
        response.writeHead(200, { 'content-type': 'application/vnd.git-lfs+json' });
        response.end(JSON.stringify({ transfer: 'basic', objects: [object] }));
      });
    });
    return {
      content,
      index: batch,
      sent: () => web.sent(path),
      async take(proxy, out) {
        mkdirSync(out, { recursive: true });
        const clone = join(out, 'clone');
        await git(out, 'clone', '-q', work, clone);
        await git(out, '-C', clone, 'lfs', 'install', '--local');
        const settings = [
          `lfs.url=${web.url('/repo/info/lfs')}`,
          `http.proxy=${proxy}`,
          'lfs.locksverify=false',
        ];
        await git(out, '-C', clone, ...settings.flatMap((setting) => ['-c', setting]), 'lfs', 'pull');
        return readFileSync(join(clone, 'big.bin'));
      },
    };
  },
};

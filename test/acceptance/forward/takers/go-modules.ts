import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { goProgram, sayMissing } from '../../../support/go.ts';
import { runWith, someContent, type Taker } from '../taker.ts';
import { zip } from '../zip.ts';

const MODULE = 'shoal.test/demo';
const VERSION = 'v1.0.0';

/** The go command, from a proxy of modules. */
export const goModules: Taker = {
  name: 'Go modules',
  async prepare({ web, dir }) {
    const go = goProgram();
    if (go === undefined) {
      sayMissing('Go modules');
      return undefined;
    }
    const content = someContent();
    const goMod = `module ${MODULE}\n`;
    const top = `${MODULE}@${VERSION}`;
    await zip(join(dir, 'module.zip'), { [`${top}/go.mod`]: goMod, [`${top}/data`]: content });
    const at = `/modules/${MODULE}/@v`;
    web.put(`${at}/list`, `${VERSION}\n`, 'text/plain');
    web.put(`${at}/${VERSION}.info`, JSON.stringify({ Version: VERSION, Time: '2026-07-01T00:00:00Z' }));
    web.put(`${at}/${VERSION}.mod`, goMod, 'text/plain');
    web.put(`${at}/${VERSION}.zip`, readFileSync(join(dir, 'module.zip')), 'application/zip');
    return {
      content,
      index: `${at}/${VERSION}.info`,
      sent: () => web.sent(`${at}/${VERSION}.zip`),
      async take(proxy, out) {
        const env = {
          GOPROXY: web.url('/modules'),
          GONOSUMDB: '*',
          GOFLAGS: '-modcacherw',
          GOTOOLCHAIN: 'local',
          GOENV: 'off',
          GOPATH: out,
          GOMODCACHE: join(out, 'modules'),
          GOCACHE: join(out, 'cache'),
          HOME: out,
          HTTP_PROXY: proxy,
        };
        await runWith(env, go, 'mod', 'download', top);
        return readFileSync(join(out, 'modules', top, 'data'));
      },
    };
  },
};

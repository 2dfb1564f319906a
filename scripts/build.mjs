import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/*
 * Builds dist/: the web app in console/, the command line in one file, and what V8 made of it, which spares every start
 * the compiling. zod and
 * commander are taken in, since finding and reading their hundred files took longer than running them.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
const TAKEN_IN = ['zod', 'commander'];
const LICENSES = 'THIRD-PARTY-LICENSES';
const BUILT = ['shoal.cjs', '.built', LICENSES, 'sbom.cdx.json'];

const { dependencies } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));
const external = Object.keys(dependencies).filter((name) => !TAKEN_IN.includes(name));

/** zod's messages in forty languages, which nobody is shown. */
const noLocales = {
  name: 'no-locales',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\/locales\/index\.js$/ }, ({ path }) => ({ path, namespace: 'empty' }));
    onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: 'export {};' }));
  },
};

const dist = `${root}/dist`;
// First, caches above all: V8 tells a cache of another script by the script's length alone.
for (const name of existsSync(dist) ? readdirSync(dist) : []) {
  if (!BUILT.includes(name)) rmSync(`${dist}/${name}`, { recursive: true });
}

const { metafile } = await build({
  metafile: true,
  absWorkingDir: root,
  entryPoints: ['bin/shoal.ts'],
  outfile: 'dist/shoal.cjs',
  bundle: true,
  // A script, since V8 keeps what it compiled of those only. `bin/shoal` calls it with what a CommonJS module gets.
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  external,
  plugins: [noLocales],
  // Packages are required: a script of V8's has no way to import.
  supported: { 'dynamic-import': false },
  define: { 'import.meta.url': 'importMetaUrl' },
  banner: {
    js: "(function (require, module, exports, __filename) { const importMetaUrl = require('node:url').pathToFileURL(__filename).href;",
  },
  footer: { js: '})' },
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'warning',
});

const web = await build({
  absWorkingDir: root,
  metafile: true,
  entryPoints: ['web/main.tsx', 'web/index.html'],
  outdir: 'dist/console',
  entryNames: '[name]',
  bundle: true,
  format: 'esm',
  target: ['es2022'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  loader: { '.html': 'copy' },
  tsconfigRaw: {},
  minify: true,
  legalComments: 'eof',
  logLevel: 'warning',
});
/** The licences of the packages whose code lies within dist/; all others come with their own. */
function licenses() {
  const inside = [metafile, web.metafile]
    .flatMap(({ inputs }) => Object.keys(inputs))
    .flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
  const texts = [...new Set(inside)].sort().map((name) => {
    const dir = `${root}/node_modules/${name}`;
    const { version, license } = JSON.parse(readFileSync(`${dir}/package.json`, 'utf8'));
    const files = readdirSync(dir).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
    if (files.length === 0) throw new Error(`${name} comes without the text of its licence`);
    const parts = files.sort().map((file) => readFileSync(`${dir}/${file}`, 'utf8').trim());
    return `${name} ${version} (${license})\n\n${parts.join('\n\n')}\n`;
  });
  return `dist/shoal.cjs and dist/console hold code of these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}
writeFileSync(`${dist}/${LICENSES}`, licenses());

// Runs a command that fails early, so that what every command needs is compiled.
const warm = ['status', '--dir', `${dist}/nowhere`];
spawnSync(process.execPath, [`${root}/bin/shoal`, ...warm], {
  env: { ...process.env, SHOAL_WRITE_CACHE: '1' },
});

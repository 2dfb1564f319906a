import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/*
 * Builds dist/: the command line in one file, and what only daemons need in others. zod and commander are taken in,
 * since finding and reading their hundred files was half of the start of every command.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
const TAKEN_IN = ['zod', 'commander'];

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

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['bin/shoal.ts'],
  outbase: '.',
  outdir: 'dist',
  bundle: true,
  splitting: true,
  chunkNames: '[name]-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external,
  plugins: [noLocales],
  // Packages in CommonJS ask for Node's own modules by require.
  banner: {
    js: "import { createRequire as shoalRequire } from 'node:module'; const require = shoalRequire(import.meta.url);",
  },
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
});

// Commands that run may still want files of the build before.
const KEPT_MS = 3_600_000;
for (const name of readdirSync(`${root}/dist`, { recursive: true })) {
  const path = `${root}/dist/${name}`;
  const stat = statSync(path);
  if (stat.isFile() && !(`dist/${name}` in metafile.outputs) && Date.now() - stat.mtimeMs > KEPT_MS)
    rmSync(path);
}

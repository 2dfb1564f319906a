import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findCommand } from './ensure-system.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CHART = 'deploy/helm/shoal';
const VALUES = 'test/kubernetes/values';
const GOLDEN = 'test/kubernetes/golden';
const PLAIN = 'deploy/kustomize/shoal.yaml';
/** Helm's own default differs by how it was built. */
const KUBE_VERSION = '1.35.0';

/** A rendering that is kept: with which values, and where. */
export interface Rendering {
  readonly values: string;
  readonly kept: string;
}

/** Each set of values of the matrix, and the manifests for those without Helm. */
export function renderings(): Rendering[] {
  const names = readdirSync(join(ROOT, VALUES)).sort();
  return [
    ...names.map((name) => ({ values: `${VALUES}/${name}`, kept: `${GOLDEN}/${name}` })),
    { values: 'deploy/kustomize/values.yaml', kept: PLAIN },
  ];
}

/** Where helm is; undefined where it is not. */
export function findHelm(): string | undefined {
  return findCommand('helm', [join(homedir(), 'go/bin')]);
}

/** The chart rendered with these values, with a line that says of which files. @throws what helm says */
export function render(helm: string, { values, kept }: Rendering): string {
  const hooks = kept === PLAIN ? ['--skip-tests'] : [];
  const args = ['template', 'shoal', CHART, '--namespace', 'shoal', '--kube-version', KUBE_VERSION];
  const run = spawnSync(helm, [...args, '-f', values, ...hooks], { cwd: ROOT, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`helm template -f ${values}: ${run.stderr || run.error?.message}`);
  return `${firstLine(values)}\n${run.stdout.replace(/[ \t]+$/gm, '')}`;
}

/** The first line of a rendering: it changes with every file that the rendering is made of. */
export function firstLine(values: string): string {
  const hash = createHash('sha256');
  const files = readdirSync(join(ROOT, CHART), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length));
  for (const path of [...files.sort(), values]) {
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(ROOT, path)))
      .update('\0');
  }
  return `# Rendered by \`npx tsx scripts/chart.ts --write\` from ${CHART} and ${values}: ${hash.digest('hex').slice(0, 32)}`;
}

/** `--write` renders them all; `--check` fails where one is not what the chart says. */
function main(mode: string | undefined): void {
  const helm = findHelm();
  if (helm === undefined) {
    console.error('helm is not here: go install helm.sh/helm/v3/cmd/helm@latest');
    process.exitCode = 1;
    return;
  }
  mkdirSync(join(ROOT, GOLDEN), { recursive: true });
  for (const rendering of renderings()) {
    const text = render(helm, rendering);
    if (mode === '--write') writeFileSync(join(ROOT, rendering.kept), text);
    else if (readFileSync(join(ROOT, rendering.kept), 'utf8') !== text) {
      console.error(`${rendering.kept} is out of step: npx tsx scripts/chart.ts --write`);
      process.exitCode = 1;
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main(process.argv[2]);

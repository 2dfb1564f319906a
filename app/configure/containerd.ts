import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type PlannedChange, planPut, planTake } from './change.ts';
import type { ClientPlan, ConfigureOptions } from './clients.ts';
import { type ContainerdConfig, configPathEdit, readContainerdConfig } from './containerd-config.ts';
import { hostsEdit } from './containerd-hosts.ts';
import { conflict } from './edit.ts';
import { findFile, readText } from './files.ts';
import { parseRegistry, type RegistryChoice } from './names.ts';
import { parseToml } from './toml-block.ts';

const CONFIG = '/etc/containerd/config.toml';
const HOSTS_DIR = '/etc/containerd/certs.d';
const ALL = '_default';
const HOSTS = 'hosts.toml';

/** Works out containerd's configuration: a `hosts.toml` for each registry, and `config_path` so that CRI reads them. */
export async function planContainerd(options: ConfigureOptions): Promise<ClientPlan> {
  const { undo, proxy } = options;
  const notes: string[] = [];
  // With a directory of one's own and no file, only the directory is meant.
  const withConfig = options.file !== undefined || options.configDir === undefined;
  const config = options.file ?? CONFIG;
  const found = withConfig ? await readConfig(config) : undefined;
  const hostsDir = resolve(options.configDir ?? found?.hostsDir ?? HOSTS_DIR);
  const dirs = await registryDirs(hostsDir);
  const wanted = undo
    ? new Map<string, RegistryChoice | undefined>()
    : await wantedDirs(options, hostsDir, dirs, notes);
  const changes: PlannedChange[] = [];
  for (const [dir, registry] of wanted) {
    changes.push(await planPut(hostsEdit(join(hostsDir, dir, HOSTS), registry, proxy)));
  }
  for (const dir of dirs.keys()) {
    if (wanted.has(dir)) continue;
    changes.push(await planTake(hostsEdit(join(hostsDir, dir, HOSTS), undefined, proxy)));
  }
  const configEdit = configPathEdit(config, hostsDir);
  if (withConfig && undo) changes.push(await planTake(configEdit));
  else if (withConfig && found !== undefined)
    changes.push(...(await planConfig(config, found, hostsDir, notes)));
  if (!undo) {
    if (!withConfig) {
      notes.push(
        `containerd reads ${hostsDir} where its config_path names it; ctr with --hosts-dir ${hostsDir}`,
      );
    } else
      notes.push(`ctr reads these files with --hosts-dir ${hostsDir} only; Kubernetes and nerdctl without`);
    notes.push('pushes go to the registry itself; so does a pull whenever Shoal does not answer');
  }
  const written = (await findFile(config)).path;
  return {
    changes,
    activation: (changed) =>
      changed.some(({ path }) => path === written)
        ? { kind: 'restart', command: 'systemctl restart containerd' }
        : { kind: 'none' },
    notes,
  };
}

async function planConfig(
  config: string,
  found: ContainerdConfig,
  hostsDir: string,
  notes: string[],
): Promise<PlannedChange[]> {
  if (found.hostsDir !== undefined && found.hostsDir !== hostsDir) {
    notes.push(`config_path in ${config} is ${found.hostsDir}, so that CRI does not read ${hostsDir}`);
  }
  if (found.criOff) {
    notes.push(`CRI is off in ${config}, which is left as it is: nobody reads a config_path there`);
    return [];
  }
  if (found.oldForm) {
    const why =
      'registry mirrors or TLS settings in the old form, which containerd refuses beside config_path';
    throw conflict(config, `${why}: move them to hosts.toml files below ${hostsDir} first`);
  }
  const edit = configPathEdit(config, hostsDir);
  // Others have set it, here or in a file that is imported.
  return [await (found.hostsDir === undefined ? planPut(edit) : planTake(edit))];
}

/** Which directories get our host, by name; `undefined` stands for the one of all other registries. */
async function wantedDirs(
  { registries }: ConfigureOptions,
  hostsDir: string,
  dirs: ReadonlyMap<string, DirKind>,
  notes: string[],
): Promise<Map<string, RegistryChoice | undefined>> {
  const wanted = new Map<string, RegistryChoice | undefined>();
  for (const registry of registries) {
    const escaped = registry.name.replace(/:(\d+)$/, '_$1_');
    const dir = dirs.has(escaped) ? escaped : registry.name;
    if (dirs.get(dir) === 'certificates') {
      const why = 'holds certificates that containerd reads only without a hosts.toml';
      throw conflict(join(hostsDir, dir), `${why}: name them in a hosts.toml there first`);
    }
    wanted.set(dir, registry);
  }
  if (registries.length > 0) return wanted;
  wanted.set(ALL, undefined);
  for (const [dir, kind] of dirs) {
    const registry = registryOfDir(dir);
    if (dir === ALL || registry === undefined) continue;
    if (kind === 'certificates') {
      notes.push(
        `${join(hostsDir, dir)} holds certificates and no hosts.toml: left as it is, not through Shoal`,
      );
    } else wanted.set(dir, registry);
  }
  return wanted;
}

type DirKind = 'hosts' | 'certificates' | 'empty';

/** What containerd prefers to the directory of all others. */
async function registryDirs(hostsDir: string): Promise<ReadonlyMap<string, DirKind>> {
  const dirs = new Map<string, DirKind>();
  for (const name of await namesIn(hostsDir)) {
    const files = await readdir(join(hostsDir, name)).catch(() => undefined);
    if (files === undefined) continue;
    const certificates = files.some((file) => /\.(?:crt|cert|key)$/.test(file));
    dirs.set(name, files.includes(HOSTS) ? 'hosts' : certificates ? 'certificates' : 'empty');
  }
  return dirs;
}

function registryOfDir(dir: string): RegistryChoice | undefined {
  try {
    return { name: parseRegistry(dir.replace(/_(\d+)_$/, ':$1')).name };
  } catch {
    return undefined;
  }
}

/** The file and what it imports, as others wrote them. */
async function readConfig(path: string): Promise<ContainerdConfig> {
  const { path: real, text, memory, untouched } = await findFile(path);
  const bare = configPathEdit(real, HOSTS_DIR);
  const own = text === undefined ? '' : untouched ? (memory?.original ?? '') : bare.take(text, memory);
  const files = [{ path, text: own }];
  const { imports } = parseToml(path, own);
  for (const pattern of Array.isArray(imports) ? imports : []) {
    for (const file of await matching(dirname(path), String(pattern))) {
      files.push({ path: file, text: (await readText(file)) ?? '' });
    }
  }
  return readContainerdConfig(files);
}

/** Files of a pattern whose last segment may hold asterisks, as `imports` is used. */
async function matching(base: string, pattern: string): Promise<string[]> {
  const whole = pattern.startsWith('/') ? pattern : join(base, pattern);
  const last = whole.slice(whole.lastIndexOf('/') + 1);
  if (!last.includes('*')) return [whole];
  const parts = last.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const names = (await namesIn(dirname(whole))).filter((name) =>
    new RegExp(`^${parts.join('.*')}$`).test(name),
  );
  return names.map((name) => join(dirname(whole), name));
}

async function namesIn(dir: string): Promise<string[]> {
  return (await readdir(dir).catch(() => [])).sort();
}

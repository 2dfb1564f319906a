import { conflict, type FileEdit } from './edit.ts';
import {
  block,
  insertAt,
  isTable,
  lineEndOf,
  linesOf,
  means,
  parseToml,
  sameMeaning,
  type TomlTable,
  tablesOf,
  tomlAt,
  withoutBlocks,
  withValue,
} from './toml-block.ts';

/** What a containerd `config.toml` says of registries. */
export interface ContainerdConfig {
  /** The first directory of `config_path`. */
  readonly hostsDir: string | undefined;
  /** Mirrors or TLS of registries in the old form, which containerd refuses beside `config_path`. */
  readonly oldForm: boolean;
  /** CRI is off: then nobody reads `config_path`, and clients such as ctr and nerdctl are told the directory. */
  readonly criOff: boolean;
}

/** Reads what matters here; files that it imports come later and win. @throws ERR_CONFIG_CONFLICT */
export function readContainerdConfig(files: readonly { path: string; text: string }[]): ContainerdConfig {
  let found: ContainerdConfig = { hostsDir: undefined, oldForm: false, criOff: false };
  for (const { path, text } of files) {
    const doc = parseToml(path, text);
    const registry = registryOf(doc);
    const configPath = tomlAt(doc, [...registry, 'config_path']);
    const off = doc['disabled_plugins'];
    found = {
      hostsDir: (typeof configPath === 'string' && configPath.split(':')[0]) || found.hostsDir,
      oldForm: found.oldForm || hasEntries(tomlAt(doc, [...registry, 'mirrors'])) || hasTls(doc, registry),
      criOff: found.criOff || (Array.isArray(off) && off.some((name) => CRI.includes(String(name)))),
    };
  }
  return found;
}

const CRI = ['cri', 'io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.images'];

/** Adds `config_path` to containerd's `config.toml`. */
export function configPathEdit(path: string, hostsDir: string): FileEdit {
  return {
    path,
    ours: {},
    put: (base) => {
      if (base === undefined)
        return `version = 2\n\n${block(table(['plugins', 'io.containerd.grpc.v1.cri', 'registry'], hostsDir), '\n')}`;
      const { hostsDir: there, oldForm } = readContainerdConfig([{ path, text: base }]);
      if (there !== undefined) return base;
      if (oldForm) {
        throw conflict(
          path,
          'it has registry mirrors in the old form, which containerd refuses beside config_path: move them to hosts.toml files first',
        );
      }
      const next = placed(base, parseToml(path, base), hostsDir);
      if (next !== undefined) return next;
      throw conflict(
        path,
        `no safe place for config_path = "${hostsDir}" was found: set it in the registry table of the CRI plugin`,
      );
    },
    take: (current) => {
      const { rest } = withoutBlocks(current);
      if (rest === current) return current;
      const doc = parseToml(path, current);
      const bare = withValue(doc, [...registryOf(doc), 'config_path'], undefined);
      const after = parseToml(path, rest);
      const others = withValue(after, [...registryOf(after), 'config_path'], undefined);
      if (sameMeaning(bare, others)) return rest;
      throw conflict(
        path,
        'it was edited around what Shoal wrote, so that taking it out would change the rest',
      );
    },
  };
}

function placed(text: string, doc: TomlTable, hostsDir: string): string | undefined {
  const keys = registryOf(doc);
  const expected = withValue(doc, [...keys, 'config_path'], hostsDir);
  const lines = linesOf(text);
  const lineEnd = lineEndOf(text);
  const line = `config_path = ${JSON.stringify(hostsDir)}`;
  for (const [at, former] of lines.entries()) {
    if (!/^[ \t]*config_path[ \t]*=/.test(former)) continue;
    const ours = block([indentOf(former) + line], lineEnd, [former.replace(/\r?\n$/, '')]);
    const next = insertAt([...lines.slice(0, at), ...lines.slice(at + 1)], at, ours);
    if (means(next, expected)) return next;
  }
  if (isTable(tomlAt(doc, keys))) {
    for (const { header } of tablesOf(lines)) {
      const ours = block([`${indentOf(lines[header] ?? '')}  ${line}`], lineEnd);
      const next = insertAt(lines, header + 1, ours);
      if (means(next, expected)) return next;
    }
  }
  const next = insertAt(lines, lines.length, block(table(keys, hostsDir), lineEnd));
  return means(next, expected) ? next : undefined;
}

function table([first = '', plugin = '', last = '']: readonly string[], hostsDir: string): string[] {
  return [`[${first}.${JSON.stringify(plugin)}.${last}]`, `  config_path = ${JSON.stringify(hostsDir)}`];
}

/** Where registries are configured, by the version of the file. @see containerd docs/hosts.md */
function registryOf(doc: TomlTable): readonly string[] {
  const version = Number(doc['version'] ?? 1);
  const plugin = ['cri', 'io.containerd.grpc.v1.cri'][version - 1] ?? 'io.containerd.cri.v1.images';
  return ['plugins', plugin, 'registry'];
}

function hasTls(doc: TomlTable, registry: readonly string[]): boolean {
  const configs = tomlAt(doc, [...registry, 'configs']);
  return isTable(configs) && Object.values(configs).some((config) => isTable(config) && 'tls' in config);
}

function hasEntries(value: unknown): boolean {
  return isTable(value) && Object.keys(value).length > 0;
}

function indentOf(line: string): string {
  return /^[ \t]*/.exec(line)?.[0] ?? '';
}

import { stringify } from 'smol-toml';
import { segmentOfRegistry } from '../../core/registry-names.ts';
import { conflict, type FileEdit } from './edit.ts';
import type { ProxyAddress, RegistryChoice } from './names.ts';
import {
  block,
  insertAt,
  isTable,
  lineEndOf,
  linesOf,
  parseToml,
  sameMeaning,
  sameTables,
  type TomlTable,
  tomlAt,
  withoutBlocks,
} from './toml-block.ts';

/** What other files say of a registry, by its prefix: a later file replaces what an earlier one said. */
export type KnownRegistries = ReadonlyMap<string, TomlTable>;

/** The `[[registry]]` tables of a text, by prefix. @throws ERR_CONFIG_CONFLICT */
export function registriesOf(path: string, text: string): KnownRegistries {
  const { registry } = parseToml(path, text);
  const tables = Array.isArray(registry) ? registry.filter(isTable) : [];
  return new Map(tables.map((table) => [String(table['prefix'] ?? table['location'] ?? ''), table]));
}

/**
 * The drop-in of podman, skopeo, buildah and CRI-O that puts Shoal before each of these registries.
 * A file here replaces what earlier files say of a prefix, so theirs is repeated.
 * @see containers-registries.conf(5), containers-registries.conf.d(5)
 */
export function registriesEdit(
  path: string,
  registries: readonly RegistryChoice[],
  proxy: ProxyAddress,
  known: KnownRegistries,
): FileEdit {
  const tables = registries.map((choice) => tableOf(choice, proxy, known.get(choice.name)));
  return {
    path,
    ours: {},
    put: (base) => {
      const doc = parseToml(path, base ?? '');
      const lines = linesOf(base ?? '');
      const lineEnd = lineEndOf(base ?? '');
      const text = stringify({ registry: tables }).trimEnd().split('\n');
      const next = insertAt(lines, lines.length, block(text, lineEnd));
      const former = doc['registry'] ?? [];
      const expected = { ...doc, registry: [...(Array.isArray(former) ? former : [former]), ...tables] };
      if (sameTables(readOrNot(next), expected)) return next;
      throw conflict(path, 'no [[registry]] tables can be added at its end');
    },
    take: (current) => takeRegistries(path, current),
  };
}

/** Whether `/v2/` of a registry lies below a path. */
export function isBelowPath(url: string): boolean {
  return new URL(url).pathname !== '/';
}

function tableOf({ name, url }: RegistryChoice, proxy: ProxyAddress, known: TomlTable = {}): TomlTable {
  const { prefix: _prefix, location: there, mirror, ...settings } = known;
  // Below a path of its host no client of this file finds a registry: its name is all that there is to say.
  const given = url === undefined || isBelowPath(url) ? undefined : new URL(url);
  const location = given?.host ?? (typeof there === 'string' ? there : name);
  // The daemon knows a registry by its name; where its URL is given, that is what `NAME=URL` tells the daemon too.
  const [host = '', ...path] = (url === undefined ? location : name).split('/');
  const ours = {
    location: [proxy.host, segmentOfRegistry(host), ...path].join('/'),
    ...(proxy.plain && { insecure: true }),
  };
  const theirs = Array.isArray(mirror) ? mirror : [];
  return {
    prefix: name,
    location,
    ...settings,
    ...(given?.protocol === 'http:' && { insecure: true }),
    mirror: [ours, ...theirs],
  };
}

function takeRegistries(path: string, current: string): string {
  const { rest, inner } = withoutBlocks(current);
  if (rest === current) return current;
  const all = tomlAt(parseToml(path, current), ['registry']);
  const ours = tomlAt(parseToml(path, inner), ['registry']);
  const { registry: _all, ...others } = parseToml(path, current);
  const left = (Array.isArray(all) ? all : []).filter(
    (table) => !(Array.isArray(ours) && ours.some((own) => sameTables(own, table))),
  );
  const expected = left.length === 0 ? others : { ...others, registry: left };
  if (sameMeaning(parseToml(path, rest), expected)) return rest;
  throw conflict(path, 'it was edited around what Shoal wrote, so that taking it out would change the rest');
}

function readOrNot(text: string): TomlTable | undefined {
  try {
    return parseToml('', text);
  } catch {
    return undefined;
  }
}

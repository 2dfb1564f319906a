import { registryBase } from '../../core/registry-names.ts';
import { conflict, type FileEdit } from './edit.ts';
import { isOnThisMachine, type ProxyAddress, type RegistryChoice } from './names.ts';
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
  tablesOf,
  tomlAt,
  withoutBlocks,
  withValue,
} from './toml-block.ts';

/**
 * The `hosts.toml` of one registry, or of all others where `registry` is undefined: Shoal is asked first, then those who were there, then the registry.
 * @see containerd docs/hosts.md
 */
export function hostsEdit(path: string, registry: RegistryChoice | undefined, proxy: ProxyAddress): FileEdit {
  return {
    path,
    ours: {},
    put: (base) => {
      const doc = parseToml(path, base ?? '');
      if (
        isTable(doc['host']) &&
        Object.keys(doc['host']).some((url) => url.replace(/\/+$/, '') === proxy.url)
      ) {
        return base;
      }
      const lineEnd = lineEndOf(base ?? '');
      const table = [
        `[host.${JSON.stringify(proxy.url)}]`,
        '  capabilities = ["pull", "resolve"]',
        '  dial_timeout = "1s"',
      ];
      if (base === undefined || Object.keys(doc).length === 0) {
        const server = fallbackOf(registry);
        const root = server === undefined ? [] : [`server = ${JSON.stringify(server)}`, ''];
        return insertAt(linesOf(base ?? ''), linesOf(base ?? '').length, block([...root, ...table], lineEnd));
      }
      const next = placed(base, block(table, lineEnd), doc, proxy.url);
      if (next !== undefined) return next;
      throw conflict(path, `no safe place for [host."${proxy.url}"] before the other hosts was found`);
    },
    take: (current) => takeHosts(path, current),
  };
}

/** Where containerd goes after Shoal; left to containerd where it knows best. */
function fallbackOf(registry: RegistryChoice | undefined): string | undefined {
  if (registry?.url !== undefined) return registry.url;
  if (registry === undefined || isOnThisMachine(registry.name)) return undefined;
  return registryBase(registry.name);
}

/** The text with the block before the first table, so that containerd, which goes by lines, meets ours first. */
function placed(text: string, ours: string, doc: TomlTable, url: string): string | undefined {
  const lines = linesOf(text);
  const places = [...tablesOf(lines).map(({ first }) => first), lines.length];
  for (const place of places) {
    const next = insertAt(lines, place, ours);
    if (fits(next, doc, url)) return next;
  }
  return undefined;
}

function fits(next: string, doc: TomlTable, url: string): boolean {
  try {
    const { host, ...others } = parseToml('', next);
    const { host: former = {}, ...before } = doc;
    if (!isTable(host) || !isTable(former)) return false;
    const { [url]: ours, ...theirs } = host;
    return (
      Object.keys(host)[0] === url &&
      isTable(ours) &&
      Object.keys(ours).length === 2 &&
      sameTables(theirs, former) &&
      sameTables(others, before)
    );
  } catch {
    return false;
  }
}

function takeHosts(path: string, current: string): string {
  const { rest, inner } = withoutBlocks(current);
  if (rest === current) return current;
  const ours = parseToml(path, inner);
  let expected = parseToml(path, current);
  for (const url of Object.keys(tomlAt(ours, ['host']) ?? {}))
    expected = withValue(expected, ['host', url], undefined);
  if (ours['server'] !== undefined) expected = withValue(expected, ['server'], undefined);
  if (sameMeaning(parseToml(path, rest), expected)) return rest;
  throw conflict(path, 'it was edited around what Shoal wrote, so that taking it out would change the rest');
}

import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { conflict, type FileEdit } from './edit.ts';
import { addItem, removeItem } from './json-edit.ts';
import type { ProxyAddress } from './names.ts';
import { block, withoutBlocks } from './toml-block.ts';

type JsonObject = Readonly<Record<string, unknown>>;

const oursSchema = z.object({ mirror: z.string(), proxies: z.boolean() });
const PROXY_KEYS = ['http-proxy', 'https-proxy'] as const;
const BOM = '\uFEFF';

/** Docker's `daemon.json`: the mirror of Docker Hub and, with `proxies`, the proxy of all that it fetches. */
export function daemonEdit(path: string, proxy: ProxyAddress, proxies: boolean): FileEdit {
  return {
    path,
    ours: { mirror: proxy.url, proxies },
    put: (base) => {
      if (base === undefined || base.trim() === '') return fresh(proxy.url, proxies);
      const mark = base.startsWith(BOM) ? BOM : '';
      const text = base.slice(mark.length);
      const before = readObject(path, text);
      let next = putMirror(path, text, before, proxy.url);
      if (proxies) next = putProxies(path, next, before, proxy.url);
      return mark + checked(path, next, expectedAfter(before, proxy.url, proxies));
    },
    take: (current, memory) => {
      const { data } = oursSchema.safeParse(memory?.ours);
      if (memory === undefined || data === undefined || current.trim() === '') return current;
      const mark = current.startsWith(BOM) ? BOM : '';
      const text = current.slice(mark.length);
      const blank = memory.original === null || memory.original.trim() === '';
      const before = blank ? {} : readObject(path, (memory.original ?? '').replace(BOM, ''));
      const next = takeAll(path, text, before, data);
      return blank && Object.keys(readObject(path, next)).length === 0
        ? (memory.original ?? '')
        : mark + next;
    },
  };
}

/** The systemd drop-in that gives dockerd its proxy by environment, for versions without `proxies` in daemon.json. */
export function dropInEdit(path: string, proxy: ProxyAddress): FileEdit {
  const lines = [
    '[Service]',
    `Environment="HTTP_PROXY=${proxy.url}"`,
    `Environment="HTTPS_PROXY=${proxy.url}"`,
  ];
  return {
    path,
    ours: {},
    put: (base = '') => {
      const gap = base === '' || base.endsWith('\n') ? '' : '\n';
      return base + gap + block(lines, '\n');
    },
    take: (current) => withoutBlocks(current).rest,
  };
}

function fresh(url: string, proxies: boolean): string {
  return `${JSON.stringify(expectedAfter({}, url, proxies), null, 2)}\n`;
}

function expectedAfter(before: JsonObject, url: string, proxies: boolean): JsonObject {
  const mirrors = stringsOf(before['registry-mirrors']);
  const there = mirrors.some((mirror) => sameUrl(mirror, url));
  return {
    ...before,
    'registry-mirrors': there ? mirrors : [url, ...mirrors],
    ...(proxies && {
      proxies: { ...objectOf(before['proxies']), ...Object.fromEntries(PROXY_KEYS.map((key) => [key, url])) },
    }),
  };
}

function putMirror(path: string, text: string, before: JsonObject, url: string): string {
  const { 'registry-mirrors': mirrors = [] } = before;
  if (!Array.isArray(mirrors)) throw conflict(path, '"registry-mirrors" is not a list');
  if (stringsOf(mirrors).some((mirror) => sameUrl(mirror, url))) return text;
  const value = JSON.stringify(url);
  if (!('registry-mirrors' in before)) return addItem(text, [], `"registry-mirrors": [${value}]`, 'last');
  return addItem(text, ['registry-mirrors'], value, 'first');
}

function putProxies(path: string, text: string, before: JsonObject, url: string): string {
  let next = text;
  const there = before['proxies'];
  if (there === undefined) {
    const value = PROXY_KEYS.map((key) => `"${key}": ${JSON.stringify(url)}`).join(', ');
    return addItem(next, [], `"proxies": { ${value} }`, 'last');
  }
  const proxies = objectOf(there);
  for (const key of PROXY_KEYS) {
    if (proxies[key] === url) continue;
    if (proxies[key] !== undefined && proxies[key] !== '') {
      throw conflict(path, `"proxies" names another proxy already: ${key}`);
    }
    next = removeItem(next, ['proxies', key]);
    next = addItem(next, ['proxies'], `"${key}": ${JSON.stringify(url)}`, 'last');
  }
  return next;
}

function takeAll(path: string, text: string, before: JsonObject, ours: z.infer<typeof oursSchema>): string {
  let next = text;
  const wasMirror = stringsOf(before['registry-mirrors']).some((mirror) => sameUrl(mirror, ours.mirror));
  const now = readObject(path, text);
  if (!wasMirror && Array.isArray(now['registry-mirrors'])) {
    const index = now['registry-mirrors'].indexOf(ours.mirror);
    const last = now['registry-mirrors'].length === 1 && before['registry-mirrors'] === undefined;
    if (index >= 0)
      next = last ? removeItem(next, ['registry-mirrors']) : removeItem(next, ['registry-mirrors', index]);
  }
  if (!ours.proxies) return next;
  for (const key of PROXY_KEYS) {
    const had = objectOf(before['proxies'])[key];
    if (had === ours.mirror || objectOf(now['proxies'])[key] !== ours.mirror) continue;
    next = removeItem(next, ['proxies', key]);
  }
  const left = readObject(path, next)['proxies'];
  const empty = left !== undefined && Object.keys(objectOf(left)).length === 0;
  return empty && before['proxies'] === undefined ? removeItem(next, ['proxies']) : next;
}

function checked(path: string, text: string, expected: JsonObject): string {
  if (isDeepStrictEqual(readObject(path, text), expected)) return text;
  throw conflict(path, 'a key stands twice in it, or where none is expected');
}

/** @throws ERR_CONFIG_CONFLICT */
function readObject(path: string, text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw conflict(path, 'it is not valid JSON', cause);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw conflict(path, 'it is not a JSON object');
}

function objectOf(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function stringsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function sameUrl(mirror: unknown, url: string): boolean {
  return typeof mirror === 'string' && mirror.replace(/\/+$/, '') === url;
}

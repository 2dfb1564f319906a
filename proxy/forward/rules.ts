import { ShoalError } from '../../core/errors.ts';
import { portOf } from '../../core/source.ts';
import { DEFAULT_RULES } from './default-rules.ts';
import { compileGlob, compilePattern, type Pattern } from './pattern.ts';
import type { ForwardRule } from './rule.ts';

/** How a request is answered. */
export type RuleChoice =
  | { readonly use: 'direct' }
  | { readonly use: 'swarm'; readonly filteredQuery: readonly string[] };

/** The rules of one host, the default ones behind its own. */
export interface Rules {
  choose(method: string, url: URL): RuleChoice;
  /** Whether any request to a host could go through the swarm, so that it is worth looking into. */
  mayUseSwarm(host: string, port: number): boolean;
}

const KEYS = ['host', 'path', 'methods', 'use', 'filteredQuery'];
const METHOD = /^[A-Z]{1,20}$/;
const MAX_RULES = 256;
/** Longer paths than any registry, mirror or package index has go direct. */
const MAX_PATH = 2048;

/**
 * Rules as they stand in the configuration file.
 * @throws ERR_CONFIG_INVALID naming the rule and what is wrong with it
 */
export function parseRules(value: unknown): readonly ForwardRule[] {
  if (!Array.isArray(value)) throw invalid('not a list of rules');
  if (value.length > MAX_RULES) throw invalid(`more than ${MAX_RULES} rules`);
  const rules = value.map((entry, index) => parseRule(entry, `rule ${index + 1}`));
  return rules;
}

function invalid(what: string): ShoalError {
  return new ShoalError('ERR_CONFIG_INVALID', what);
}

function parseRule(entry: unknown, name: string): ForwardRule {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    throw invalid(`${name}: not a rule; write it as {path: "…", use: swarm}`);
  }
  const stranger = Object.keys(entry).find((key) => !KEYS.includes(key));
  if (stranger !== undefined)
    throw invalid(`${name}: there is no ${stranger}; a rule has ${KEYS.join(', ')}`);
  const { host, path, methods, use, filteredQuery } = entry as Record<string, unknown>;
  if (use !== 'swarm' && use !== 'direct') throw invalid(`${name}: use is neither swarm nor direct`);
  const rule: ForwardRule = {
    use,
    ...(host !== undefined && { host: text(host, `${name}: host`) }),
    ...(path !== undefined && { path: text(path, `${name}: path`) }),
    ...(methods !== undefined && { methods: texts(methods, `${name}: methods`) }),
    ...(filteredQuery !== undefined && { filteredQuery: texts(filteredQuery, `${name}: filteredQuery`) }),
  };
  const odd = rule.methods?.find((method) => !METHOD.test(method));
  if (odd !== undefined) throw invalid(`${name}: ${JSON.stringify(odd)} is no method; they are in capitals`);
  if (use === 'swarm' && rule.methods?.some((method) => method !== 'GET')) {
    throw invalid(`${name}: the swarm answers GET alone`);
  }
  if (use === 'direct' && rule.filteredQuery !== undefined) {
    throw invalid(`${name}: filteredQuery says nothing where use is direct`);
  }
  try {
    compileRule(rule);
  } catch (cause) {
    throw new ShoalError('ERR_CONFIG_INVALID', `${name}: ${(cause as Error).message}`, { cause });
  }
  return rule;
}

function text(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(`${name} is not a text`);
}

function texts(value: unknown, name: string): string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > 64) {
    throw invalid(`${name} is not a list of 1 to 64 texts`);
  }
  return value.map((entry) => text(entry, name));
}

interface Compiled {
  readonly rule: ForwardRule;
  readonly host: Pattern | undefined;
  readonly withPort: boolean;
  readonly path: Pattern | undefined;
}

function compileRule(rule: ForwardRule): Compiled {
  const { host, path } = rule;
  const regex = host === undefined ? null : /^\/(.*)\/$/.exec(host);
  if (host !== undefined && regex === null && !/^[A-Za-z0-9*._:[\]-]{1,260}$/.test(host)) {
    throw invalid(`host ${JSON.stringify(host)} is neither HOST[:PORT] nor /regular expression/`);
  }
  return {
    rule,
    host:
      regex?.[1] !== undefined
        ? compilePattern(regex[1])
        : (host && compileGlob(host.toLowerCase())) || undefined,
    withPort: regex !== null || /:(\d+|\*)$/.test(host ?? ''),
    path: path === undefined ? undefined : compilePattern(path),
  };
}

/** The rules of a host: its own, then the default ones; what none of them names goes direct. @throws ERR_CONFIG_INVALID */
export function createRules(own: readonly ForwardRule[]): Rules {
  const compiled = [...own, ...DEFAULT_RULES].map(compileRule);

  return {
    choose(method, url) {
      const port = portOf(url);
      const found = compiled.find(
        (entry) =>
          methodMatches(entry.rule, method) &&
          hostMatches(entry, url.hostname, port) &&
          pathMatches(entry, url.pathname),
      );
      if (found?.rule.use !== 'swarm') return { use: 'direct' };
      return { use: 'swarm', filteredQuery: found.rule.filteredQuery ?? [] };
    },
    mayUseSwarm(host, port) {
      for (const entry of compiled) {
        if (!hostMatches(entry, host, port)) continue;
        if (entry.rule.use === 'swarm') return true;
        if (entry.path === undefined && entry.rule.methods === undefined) return false;
      }
      return false;
    },
  };
}

function methodMatches({ use, methods }: ForwardRule, method: string): boolean {
  if (use === 'swarm') return method === 'GET';
  return methods?.includes(method) ?? true;
}

function hostMatches({ host, withPort }: Compiled, name: string, port: number): boolean {
  if (host === undefined) return true;
  const plain = name.toLowerCase();
  return host.test(withPort ? `${plain}:${port}` : plain);
}

function pathMatches({ path }: Compiled, text: string): boolean {
  if (path === undefined) return true;
  return text.length <= MAX_PATH && path.test(text);
}

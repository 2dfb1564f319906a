import { z } from 'zod';
import { ShoalError } from '../core/errors.ts';
import { MOST_LABELS, parseLabel } from '../core/labels.ts';
import type { ForwardRule } from '../proxy/forward/rule.ts';
import { parseRules } from '../proxy/forward/rules.ts';
import { checkServerUrl } from '../transport/nats-url.ts';

/** A parser that throws ShoalErrors, as a zod transform that adds issues. */
export function asIssue<I, O>(parse: (value: I) => O): (value: I, context: z.core.$RefinementCtx<I>) => O {
  return (value, context) => {
    try {
      return parse(value);
    } catch (error) {
      if (!(error instanceof ShoalError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  };
}

const split = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

const ORIGIN_NAME = /^(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.*_-]{1,253}|[0-9A-Fa-f:]{2,45})(?::\d{1,5})?$/;

/** Origins as `HOST[:PORT]`: a list, or a comma list. */
export const names = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (typeof value === 'string' ? split(value) : value.flatMap(split)))
  .pipe(
    z
      .array(
        z
          .string()
          .regex(ORIGIN_NAME, 'not HOST[:PORT]')
          .transform((text) => text.toLowerCase()),
      )
      .max(256),
  );

/** NATS servers: URLs with the schemes nats, tls, ws or wss, a list or a comma list; `host:port` is a nats URL. */
export const natsUrls = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (typeof value === 'string' ? split(value) : value.flatMap(split)))
  .pipe(z.array(z.string().transform(asIssue(natsUrl))).min(1, 'no NATS URL'));

function natsUrl(text: string): string {
  checkServerUrl(text);
  return text.includes('://') ? text : `nats://${text}`;
}

const REGISTRY_NAME = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/;

/** Name of a registry as clients write it: HOST[:PORT]. */
export const registryName = z
  .string()
  .transform((text) => text.trim().toLowerCase())
  .pipe(z.string().regex(REGISTRY_NAME, 'not HOST[:PORT]'));

/** Registries as `NAME=URL`: a list, a comma list, or a map of the file. Gives base URLs by name, with the path that a registry lies below. */
export const registries = z
  .union([z.string(), z.array(z.string()), z.record(z.string(), z.string())])
  .transform((value) => {
    if (typeof value === 'string') return split(value);
    return Array.isArray(value) ? value.flatMap(split) : Object.entries(value).map((pair) => pair.join('='));
  })
  .pipe(z.array(z.string().transform(asIssue(registryBase))).max(256))
  .transform((pairs): Readonly<Record<string, string>> => Object.fromEntries(pairs));

function registryBase(text: string): readonly [string, string] {
  const [, name = '', url = ''] = /^([^=]*)=(.*)$/.exec(text) ?? [];
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const plain =
    parsed !== undefined && ['http:', 'https:'].includes(parsed.protocol) && parsed.username === '';
  const named = registryName.safeParse(name);
  if (named.success && plain && `${parsed.search}${parsed.hash}` === '' && parsed.password === '') {
    return [named.data, `${parsed.origin}${parsed.pathname.replace(/\/(?:v2\/?)?$/, '')}`];
  }
  // The text may hold a password.
  throw new ShoalError(
    'ERR_CONFIG_INVALID',
    'not NAME=URL; write it as registry.local:5000=http://10.0.0.5:5000',
  );
}

/** Labels as `K=V`: a list, a comma list, or a map of the file. Gives values by key. */
export const labels = z
  .union([z.string(), z.array(z.string()), z.record(z.string(), z.string())])
  .transform((value) => {
    if (typeof value === 'string') return split(value);
    return Array.isArray(value) ? value.flatMap(split) : Object.entries(value).map((pair) => pair.join('='));
  })
  .pipe(z.array(z.string().transform(asIssue(parseLabel))).max(MOST_LABELS))
  .transform((pairs): Readonly<Record<string, string>> => Object.fromEntries(pairs));

/** TCP ports: a list, or a comma list. */
export const ports = z
  .union([z.string(), z.number(), z.array(z.union([z.string(), z.number()]))])
  .transform((value) => (Array.isArray(value) ? value : [value]).flatMap((part) => split(String(part))))
  .pipe(
    z
      .array(
        z
          .string()
          .regex(/^\d{1,5}$/, 'not a port')
          .transform(Number)
          .pipe(z.number().min(1, 'not a port').max(65535, 'not a port')),
      )
      .max(256),
  );

/** Rules of the forward proxy: a list in the file, JSON of it elsewhere. */
export const proxyRules = z.unknown().transform(asIssue(readRules));

function readRules(value: unknown): readonly ForwardRule[] {
  if (typeof value !== 'string') return parseRules(value);
  try {
    return parseRules(JSON.parse(value));
  } catch (cause) {
    if (cause instanceof ShoalError) throw cause;
    throw new ShoalError('ERR_CONFIG_INVALID', 'not JSON; write the rules as a list in the file', { cause });
  }
}

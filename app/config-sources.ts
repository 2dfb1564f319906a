import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { z } from 'zod';
import { ShoalError } from '../core/errors.ts';
import { nearest } from './nearest.ts';
import { SETTINGS, type SettingName, type Settings, settingsSchema, settingVariable } from './settings.ts';

/** Where settings come from; later wins: file, environment, flags. */
export interface ConfigInput {
  /** Values of flags that were given, by setting name. */
  readonly flags: Readonly<Partial<Record<SettingName, unknown>>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `--config`; else SHOAL_CONFIG. */
  readonly configFile?: string | undefined;
  /** What a command takes where no source says otherwise. */
  readonly defaults?: Readonly<Partial<Record<SettingName, unknown>>> | undefined;
}

interface Layer {
  readonly where: (name: string) => string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Reads, merges and checks all sources. @throws ERR_CONFIG_INVALID naming each wrong setting and where it was set */
export function readSettings(input: ConfigInput): Settings {
  const layers = [flagLayer(input.flags), environmentLayer(input.env), fileLayer(input)];
  const merged: Record<string, unknown> = { ...input.defaults };
  for (const layer of layers.toReversed()) Object.assign(merged, layer.values);
  // Checked once in a process: not worth compiling a check for.
  const parsed = settingsSchema.safeParse(merged, { jitless: true });
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.flatMap((issue) => describe(issue, layers));
  throw new ShoalError('ERR_CONFIG_INVALID', lines.join('\n'), { details: { problems: lines } });
}

function flagLayer(flags: ConfigInput['flags']): Layer {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  return { where: (name) => `--${name}`, values: Object.fromEntries(given) };
}

/** Only the variables of settings are read: a cluster may set others that begin with SHOAL_, for a service of that name. */
function environmentLayer(env: ConfigInput['env']): Layer {
  const values: Record<string, string> = {};
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const value = env[settingVariable(name)];
    if (value !== undefined && value !== '') values[name] = value;
  }
  return { where: (name) => settingVariable(name as SettingName), values };
}

function fileLayer(input: ConfigInput): Layer {
  const { SHOAL_CONFIG } = input.env;
  const file = input.configFile ?? (SHOAL_CONFIG || undefined);
  if (file === undefined) return { where: (name) => name, values: {} };
  return { where: (name) => `${file}: ${name}`, values: readConfigFile(file) };
}

// Loaded where there is a file to read: most commands have none, and start sooner without it.
const requireHere = createRequire(import.meta.url);

function readConfigFile(file: string): Record<string, unknown> {
  const { parse, YAMLParseError } = requireHere('yaml') as typeof import('yaml');
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8'), { maxAliasCount: 0, schema: 'core' }) ?? {};
  } catch (cause) {
    const what = cause instanceof YAMLParseError ? 'is not valid YAML' : 'cannot be read';
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ShoalError('ERR_CONFIG_INVALID', `${file} ${what}: ${why}`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new ShoalError('ERR_CONFIG_INVALID', `${file} is not a list of settings, one "name: value" a line`);
}

function describe(issue: z.core.$ZodIssue, layers: readonly Layer[]): string[] {
  const where = (name: string): string =>
    layers.find((layer) => Object.hasOwn(layer.values, name))?.where(name) ?? name;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => {
      const meant = nearest(name, Object.keys(SETTINGS));
      return `${where(name)}: there is no such setting${meant === undefined ? '' : `; is it ${meant}?`}`;
    });
  }
  return [`${where(String(issue.path[0] ?? ''))}: ${issue.message}`];
}

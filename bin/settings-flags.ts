import { type Command, Option } from 'commander';
import type { ConfigInput } from '../app/config-sources.ts';
import { SETTINGS, type SettingName, settingMeta, settingVariable } from '../app/settings.ts';
import { unknownVariables } from '../app/unknown-variables.ts';

/** Gives a command the flags of settings, and --config. */
export function addSettings(command: Command, names: readonly SettingName[]): Command {
  for (const name of names) command.addOption(settingOption(name));
  return command.addOption(
    new Option('--config <FILE>', 'YAML file with settings, by the names of the flags (env: SHOAL_CONFIG)'),
  );
}

function settingOption(name: SettingName): Option {
  const { value, list, about, defaultText } = settingMeta(name);
  const fallback = defaultText ?? shownDefault(name);
  const notes = [fallback && `default: ${fallback}`, `env: ${settingVariable(name)}`].filter(Boolean);
  const flags = value === undefined ? `--${name}` : `--${name} <${value}>`;
  const option = new Option(flags, `${about.replace(/\.$/, '')} (${notes.join('; ')})`);
  if (list) option.argParser((text: string, former: string[] | undefined) => [...(former ?? []), text]);
  return option;
}

function shownDefault(name: SettingName): string | undefined {
  const { data } = SETTINGS[name].safeParse(undefined);
  return data === undefined || data === false || Array.isArray(data) ? undefined : String(data);
}

/** Where a command's settings come from: its flags, the environment, the file. */
export function configInput(options: Readonly<Record<string, unknown>>): ConfigInput {
  const names = Object.keys(SETTINGS) as SettingName[];
  const { config } = options;
  warnOfVariables();
  return {
    flags: Object.fromEntries(names.map((name) => [name, options[camelCase(name)]])),
    env: process.env,
    ...(typeof config === 'string' && { configFile: config }),
  };
}

let warned = false;

/** Once in a process. */
function warnOfVariables(): void {
  if (warned) return;
  warned = true;
  for (const text of unknownVariables(process.env)) process.stderr.write(`warning: ${text}\n`);
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_dash, letter: string) => letter.toUpperCase());
}

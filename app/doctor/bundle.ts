import { rm, writeFile } from 'node:fs/promises';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { ShoalError } from '../../core/errors.ts';
import { redacted } from '../redact.ts';
import { SETTINGS, type SettingName, settingVariable } from '../settings.ts';
import { VERSION } from '../version.ts';
import type { Examined } from './doctor.ts';

/** Settings whose value is a secret, or may hold one. */
const SECRET_SETTINGS: ReadonlySet<SettingName> = new Set([
  'nats',
  'nats-password',
  'nats-token',
  'origin-proxy',
  'proxy-rules',
]);

/**
 * Writes what a bug report needs into one file of JSON that its owner alone can read: what was found, what daemon and swarm
 * say of themselves, and this machine. Logins, headers and what stands before the @ of a URL are left out.
 * @throws ERR_OUTPUT
 */
export async function writeBundle(
  file: string,
  { findings, status, told }: Examined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const about = {
    shoal: VERSION,
    node: process.version,
    machine: {
      platform: platform(),
      release: release(),
      arch: arch(),
      cpus: cpus().length,
      bytes: totalmem(),
    },
    settings: settingsOf(env),
  };
  const bundle = redacted({ ...about, findings, status, ...told });
  try {
    await rm(file, { force: true });
    await writeFile(file, `${JSON.stringify(bundle, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ShoalError('ERR_OUTPUT', `cannot write ${file}: ${why}`, { cause });
  }
}

/** Settings of the environment, those that are secret as `set` alone. */
function settingsOf(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const value = env[settingVariable(name)];
    if (value !== undefined) found[settingVariable(name)] = SECRET_SETTINGS.has(name) ? 'set' : value;
  }
  return found;
}

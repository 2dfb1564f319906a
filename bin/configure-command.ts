import { z } from 'zod';
import { loadSchedulerConfig } from '../app/config.ts';
import { checkClient, refuseFaults } from '../app/configure/check.ts';
import type { Client, ConfigureOptions } from '../app/configure/clients.ts';
import { configureClient } from '../app/configure/configure.ts';
import { parseProxy, parseRegistry } from '../app/configure/names.ts';
import { ShoalError } from '../core/errors.ts';
import { print } from './print.ts';
import { configInput } from './settings-flags.ts';
import { configuredText } from './views/configured.ts';

const flagsSchema = z.object({
  registry: z.array(z.string()).default([]),
  proxy: z.string(),
  configDir: z.string().min(1).optional(),
  file: z.string().min(1).optional(),
  proxies: z.enum(['auto', 'daemon', 'systemd']).optional(),
  check: z.boolean().default(true),
  testImage: z.string().min(1).optional(),
  undo: z.boolean().default(false),
  dryRun: z.boolean().default(false),
  json: z.boolean().default(false),
});

/** Runs `configure`. */
export async function runConfigure(
  client: Client,
  options: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { data: flags, error } = flagsSchema.safeParse(options);
  if (flags === undefined) throw new ShoalError('ERR_CONFIG_INVALID', z.prettifyError(error));
  if (flags.undo && (flags.registry.length > 0 || flags.proxies !== undefined)) {
    throw new ShoalError('ERR_CONFIG_INVALID', '--undo takes back all that was written: give it alone');
  }
  const asked: ConfigureOptions = {
    registries: flags.registry.map(parseRegistry),
    proxy: parseProxy(flags.proxy),
    configDir: flags.configDir,
    file: flags.file,
    proxies: flags.proxies,
    undo: flags.undo,
  };
  const { dir } = loadSchedulerConfig(configInput({ dir: options['dir'], config: options['config'] }));
  const configured = await configureClient(client, asked, flags.dryRun);
  const isChecked = flags.check && !flags.undo && !flags.dryRun;
  const names = asked.registries.map(({ name }) => name);
  const { testImage } = flags;
  const about = {
    client,
    dir,
    proxy: asked.proxy.url,
    names,
    testImage,
    proxies: flags.proxies !== undefined,
  };
  const checked = isChecked ? await checkClient(about) : undefined;
  const shown = { ...configured, ...(checked === undefined ? {} : { checked }) };
  await print(flags.json ? `${JSON.stringify(shown, null, 2)}\n` : configuredText(configured, checked));
  if (checked !== undefined) refuseFaults(checked);
}

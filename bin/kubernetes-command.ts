import { spawn } from 'node:child_process';
import { z } from 'zod';
import { loadSchedulerConfig } from '../app/config.ts';
import type { Configured } from '../app/configure/configure.ts';
import { parseProxy, parseRegistry } from '../app/configure/names.ts';
import { makeClusterAccounts, removeClusterAccounts } from '../app/kubernetes/accounts.ts';
import { clusterAccess, clusterApi } from '../app/kubernetes/api.ts';
import { configureNode, type NodeOptions, restoreNode } from '../app/kubernetes/node.ts';
import { ShoalError } from '../core/errors.ts';
import { print } from './print.ts';
import { configInput } from './settings-flags.ts';
import { configuredText } from './views/configured.ts';

type Options = Readonly<Record<string, unknown>>;

const nodeSchema = z.object({
  runtime: z.enum(['containerd', 'crio']),
  file: z.string().min(1).optional(),
  configDir: z.string().min(1).optional(),
  configPath: z.enum(['require', 'write', 'assume']),
  registry: z.array(z.string()).default([]),
  proxy: z.string(),
  activate: z.union([z.string(), z.boolean()]).default(false),
  json: z.boolean().default(false),
});
type NodeFlags = z.infer<typeof nodeSchema>;

/** Runs `kubernetes accounts`. */
export async function runAccounts(options: Options): Promise<void> {
  const { swarm } = loadSchedulerConfig(configInput(options));
  const name = String(options['name']);
  const asked = {
    swarm,
    name,
    namespace: String(options['namespace']),
    service: String(options['service'] ?? `${name}-nats`),
  };
  const api = clusterApi(clusterAccess(process.env));
  const done =
    options['remove'] === true
      ? await removeClusterAccounts(api, asked)
      : await makeClusterAccounts(api, asked, Date.now());
  const text = done.map(({ secret, done: what }) => `${what.padEnd(7)}  Secret ${secret}\n`).join('');
  await print(options['json'] === true ? `${JSON.stringify(done, null, 2)}\n` : text);
}

/** Runs `kubernetes configure-node`. */
export async function runConfigureNode(options: Options): Promise<void> {
  const flags = flagsOf(options);
  const configured = await configureNode(nodeOptions(flags));
  await show(flags, configured);
  const { kind, command } = configured.activation;
  if (flags.activate === false || kind === 'none' || command === undefined) return;
  const before = typeof flags.activate === 'string' ? flags.activate : '';
  try {
    await runCommand(`${before} ${command}`.trim().split(/\s+/));
  } catch (error) {
    // A next run finds nothing to change, and would take it for active.
    await restoreNode(nodeOptions(flags));
    throw error;
  }
}

/** Runs `kubernetes restore-node`. */
export async function runRestoreNode(options: Options): Promise<void> {
  const flags = flagsOf(options);
  await show(flags, await restoreNode(nodeOptions(flags)));
}

function flagsOf(options: Options): NodeFlags {
  const { data, error } = nodeSchema.safeParse(options);
  if (data === undefined) throw new ShoalError('ERR_CONFIG_INVALID', z.prettifyError(error));
  return data;
}

function nodeOptions({ registry, proxy, runtime, file, configDir, configPath }: NodeFlags): NodeOptions {
  const registries = registry.map(parseRegistry);
  return { runtime, file, configDir, configPath, registries, proxy: parseProxy(proxy) };
}

function show({ json }: NodeFlags, configured: Configured): Promise<void> {
  return print(json ? `${JSON.stringify(configured, null, 2)}\n` : configuredText(configured));
}

function runCommand([program = '', ...args]: readonly string[]): Promise<void> {
  const shown = [program, ...args].join(' ');
  return new Promise((resolve, reject) => {
    const failed = (why: string, cause?: unknown) =>
      reject(new ShoalError('ERR_OUTPUT', `${shown}: ${why}`, { cause }));
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', (cause) => failed(cause.message, cause));
    child.once('exit', (code, signal) => (code === 0 ? resolve() : failed(`ended with ${code ?? signal}`)));
  });
}

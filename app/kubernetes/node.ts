import { basename } from 'node:path';
import { type Configured, configureClient } from '../configure/configure.ts';
import { conflict } from '../configure/edit.ts';
import type { ProxyAddress, RegistryChoice } from '../configure/names.ts';

/** How the runtime of a node is made to pull through the daemon of that node. */
export interface NodeOptions {
  readonly runtime: 'containerd' | 'crio';
  /** containerd's config.toml, or CRI-O's drop-in. */
  readonly file?: string | undefined;
  /** Where containerd's hosts.toml files lie, or CRI-O's drop-ins. */
  readonly configDir?: string | undefined;
  /**
   * What is done about containerd's `config_path`: `require` refuses a node where it names no folder, `write` adds it,
   * which takes a restart, `assume` does not look: it names `configDir`.
   */
  readonly configPath: 'require' | 'write' | 'assume';
  readonly registries: readonly RegistryChoice[];
  readonly proxy: ProxyAddress;
}

/** Writes the configuration of a node's runtime. @throws ERR_CONFIG_CONFLICT, ERR_CONFIG_INVALID, ERR_CONFIG_DENIED */
export async function configureNode(options: NodeOptions): Promise<Configured> {
  if (options.runtime === 'containerd' && options.configPath === 'require') await requireConfigPath(options);
  return configure(options, false, false);
}

/** Takes all of it back, byte for byte. @throws ERR_CONFIG_CONFLICT, ERR_CONFIG_DENIED */
export function restoreNode(options: NodeOptions): Promise<Configured> {
  return configure(options, true, false);
}

function configure(options: NodeOptions, undo: boolean, dryRun: boolean): Promise<Configured> {
  const { runtime, file, configDir, configPath, registries, proxy } = options;
  const asked = {
    registries: undo ? [] : registries,
    proxy,
    configDir,
    file: runtime === 'containerd' && configPath === 'assume' ? undefined : file,
    undo,
  };
  return configureClient(runtime, asked, dryRun);
}

/** A `config_path` that is written counts after a restart alone: without one, nothing is to look as if it did. */
async function requireConfigPath(options: NodeOptions): Promise<void> {
  const { files } = await configure(options, false, true);
  const config = files.find(({ path, change }) => basename(path) !== 'hosts.toml' && change !== 'unchanged');
  if (config === undefined) return;
  throw conflict(
    config.path,
    'no config_path is set, so that containerd reads no hosts.toml: set it in the image of the node, or have Shoal write it and restart containerd (node.containerd.configPath=write)',
  );
}

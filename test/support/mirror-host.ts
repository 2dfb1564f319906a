import { join } from 'node:path';
import { loadHostConfig } from '../../app/config.ts';
import { type OpenHost, openHost } from '../../app/host.ts';
import { openLog } from '../../app/logging.ts';
import type { SettingName } from '../../app/settings.ts';
import { type Answer, askPort } from '../proxy/mirror/scene.ts';
import type { Registry } from './registry.ts';
import { tempDir } from './temp-dir.ts';

/** A host without a swarm, in this process, with its mirror. */
export interface MirrorHost extends AsyncDisposable {
  readonly port: number;
  readonly host: OpenHost;
  ask(target: string, headers?: Record<string, string>, method?: string): Promise<Answer>;
}

/** Starts one with these settings. */
export async function startMirror(flags: Partial<Record<SettingName, unknown>>): Promise<MirrorHost> {
  const dir = await tempDir();
  const all = { dir: dir.path, 'data-port': 0, 'proxy-port': 0, 'cache-size': '1GiB', ...flags };
  const config = loadHostConfig({ flags: all, env: { DOCKER_CONFIG: join(dir.path, 'none') } });
  const host = await openHost(config, openLog({ level: 'silent', format: 'json' }));
  const { address } = await host.openProxy();
  const port = Number(address.split(':').at(-1));
  return {
    port,
    host,
    ask: (target, headers, method) => askPort(port, target, headers, method),
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** The settings of a mirror that may read a registry of this machine, and its token server. */
export function flagsFor(registry: Registry, more: Partial<Record<SettingName, unknown>> = {}) {
  const origins = [registry.name, ...(registry.tokens ? [new URL(registry.tokens.realm).host] : [])];
  return { 'allow-origin': origins, registry: [`${registry.name}=${registry.url}`], ...more };
}

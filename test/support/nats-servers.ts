import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { natsServerPath } from './nats-server.ts';

/** One server of NATS: how it is started, and where it listens. */
export interface NatsServerCommand {
  readonly url: string;
  readonly command: readonly string[];
}

interface NatsServersOptions {
  /** Where each keeps what it keeps, in a folder of its name. */
  readonly dir: string;
  /** One unless given; more are a cluster. */
  readonly count?: number | undefined;
  /** Address that they listen on. */
  readonly address?: string | undefined;
  /** Text of a configuration file beside the flags; it may say how JetStream is, which else is simply on. */
  readonly config?: string | undefined;
}

/** `name`, `name2`, `name3`, … */
export function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => (index === 0 ? name : `${name}${index + 1}`));
}

/** The servers `nats`, `nats2`, …, on free ports; none is started yet. */
export async function natsServers(options: NatsServersOptions): Promise<Map<string, NatsServerCommand>> {
  const { dir, count = 1, address = '127.0.0.1', config } = options;
  const names = numbered('nats', count);
  const routes: string[] = [];
  for (const _ of names) routes.push(`nats://${address}:${await freePort(address)}`);
  const file = join(dir, 'nats.conf');
  mkdirSync(dir, { recursive: true });
  writeFileSync(file, config ?? '');
  const servers = new Map<string, NatsServerCommand>();
  for (const [index, name] of names.entries()) {
    const port = await freePort(address);
    const command = [natsServerPath(), '-c', file, '-a', address, '-p', String(port), '-sd', join(dir, name)];
    if (config?.includes('jetstream') !== true) command.push('-js');
    const route = routes[index] ?? '';
    if (count > 1) command.push('-n', name, '--cluster_name', 'shoal', '--cluster', route);
    if (count > 1) command.push('--routes', routes.join(','));
    servers.set(name, { url: `nats://${address}:${port}`, command });
  }
  return servers;
}

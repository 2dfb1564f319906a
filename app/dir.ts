import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where a daemon keeps its things where nothing is said: /var/lib/shoal for root, else under the home directory. */
export function defaultDir(): string {
  return process.getuid?.() === 0 ? '/var/lib/shoal' : join(homedir(), '.local', 'share', 'shoal');
}

/** Where Docker's client keeps its configuration, credentials of registries included. */
export function defaultDockerConfig(env: Readonly<Record<string, string | undefined>>): string {
  return join(env['DOCKER_CONFIG'] || join(homedir(), '.docker'), 'config.json');
}

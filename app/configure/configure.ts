import { applyAll, type FileChange } from './change.ts';
import type { Activation, Client, ClientPlan, ConfigureOptions } from './clients.ts';
import { planContainerd } from './containerd.ts';
import { planContainers } from './containers.ts';
import { planDocker } from './docker-plan.ts';

/** What configuring a client did, or would do. */
export interface Configured {
  readonly client: Client;
  readonly action: 'configure' | 'undo';
  readonly dryRun: boolean;
  readonly changed: boolean;
  readonly files: readonly FileChange[];
  readonly activation: Activation;
  readonly notes: readonly string[];
}

/**
 * Writes a container client's own configuration so that it pulls through Shoal, or takes that back; with `dryRun` nothing is written.
 * @throws ERR_CONFIG_INVALID, ERR_CONFIG_CONFLICT, ERR_CONFIG_DENIED, ERR_STORE_FULL, ERR_OUTPUT
 */
export async function configureClient(
  client: Client,
  options: ConfigureOptions,
  dryRun: boolean,
): Promise<Configured> {
  const plan = await planFor(client, options);
  const changed = plan.changes.filter(({ change }) => change !== 'unchanged');
  if (!dryRun) await applyAll(plan.changes);
  return {
    client,
    action: options.undo ? 'undo' : 'configure',
    dryRun,
    changed: changed.length > 0,
    files: plan.changes
      .filter(({ way, change }) => way === 'put' || change !== 'unchanged')
      .map(({ path, change, diff }) => ({ path, change, diff })),
    activation: changed.length > 0 ? plan.activation(changed) : { kind: 'none' },
    notes: plan.notes,
  };
}

function planFor(client: Client, options: ConfigureOptions): Promise<ClientPlan> {
  if (client === 'containerd') return planContainerd(options);
  if (client === 'docker') return planDocker(options);
  return planContainers(client, options);
}

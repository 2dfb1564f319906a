import type { FileChange, PlannedChange } from './change.ts';
import type { ProxyAddress, RegistryChoice } from './names.ts';

/** The container clients that can be configured. */
export const CLIENTS = ['containerd', 'docker', 'podman', 'crio'] as const;
export type Client = (typeof CLIENTS)[number];

/** What a configuration is asked to be. */
export interface ConfigureOptions {
  /** Empty: all where the client can, else those most used. */
  readonly registries: readonly RegistryChoice[];
  readonly proxy: ProxyAddress;
  readonly configDir?: string | undefined;
  readonly file?: string | undefined;
  /** Docker alone: whether all that it fetches goes through the proxy, and how it is told. */
  readonly proxies?: 'auto' | 'daemon' | 'systemd' | undefined;
  readonly undo: boolean;
}

/** What a client must do before a change counts. */
export interface Activation {
  readonly kind: 'none' | 'reload' | 'restart';
  readonly command?: string | undefined;
}

/** A client's configuration worked out. */
export interface ClientPlan {
  readonly changes: readonly PlannedChange[];
  /** What it takes for those files that really change. */
  activation(changed: readonly FileChange[]): Activation;
  readonly notes: readonly string[];
}

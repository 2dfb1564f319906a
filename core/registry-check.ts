import { z } from 'zod';

/** Why nothing comes from a registry: its address is refused, it speaks HTTP where TLS was tried, its certificate is not trusted, it gives no answer, or none of a registry. */
export const REGISTRY_FAULTS = ['refused', 'plain-http', 'untrusted', 'unreachable', 'no-registry'] as const;
export type RegistryFault = (typeof REGISTRY_FAULTS)[number];

/** What keeps a daemon from a registry, in words. */
export const registryTroubleSchema = z.object({
  fault: z.enum(REGISTRY_FAULTS),
  why: z.string(),
  /** What mends it. */
  fix: z.string(),
});
export type RegistryTrouble = z.infer<typeof registryTroubleSchema>;

/** What a daemon would do with a registry. */
export const registryCheckSchema = z.object({
  /** As images name it. */
  name: z.string(),
  /** Where the daemon would ask. */
  url: z.string(),
  /** Whether the daemon has credentials of its own for it. */
  login: z.boolean(),
  /** Whether it asks for credentials at its door. */
  asks: z.boolean(),
  trouble: registryTroubleSchema.optional(),
  /** `REPOSITORY:TAG` of something that is there, where that could be found out. */
  image: z.string().optional(),
});
export type RegistryCheck = z.infer<typeof registryCheckSchema>;

/** Registries checked at once at most. */
const MOST_CHECKED = 64;

export const registryNamesSchema = z.object({
  /** As images name them; empty: those that the daemon was told of, and the common ones. */
  names: z.array(z.string().max(300)).max(MOST_CHECKED),
});

import { z } from 'zod';
import { labelsSchema } from './labels.ts';
import type { HostRow } from './swarm-rows.ts';

/** Which tasks of a list: all that is said must fit. */
export const taskFilterSchema = z.object({
  /** Stands somewhere in one of its sources. */
  url: z.string().max(2048).optional(),
  /** One of its sources begins with it. */
  place: z.string().max(2048).optional(),
  state: z.string().max(32).optional(),
});
export type TaskFilter = z.infer<typeof taskFilterSchema>;

/** Which hosts of a list: all that is said must fit. */
export const hostFilterSchema = z.object({
  role: z.enum(['normal', 'seed']).optional(),
  zone: z.string().max(128).optional(),
  ip: z.string().max(64).optional(),
  labels: labelsSchema.optional(),
});
export type HostFilter = z.infer<typeof hostFilterSchema>;

/** Whether a row of the list of tasks is meant. */
export function fitsTask(
  { sources, state }: { readonly sources: readonly string[]; readonly state: string },
  filter: TaskFilter,
): boolean {
  const { url, place } = filter;
  if (filter.state !== undefined && state !== filter.state) return false;
  if (url !== undefined && !sources.some((source) => source.includes(url))) return false;
  return place === undefined || sources.some((source) => source.startsWith(place));
}

/** Whether a row of the list of hosts is meant. */
export function fitsHost(
  host: Pick<HostRow, 'role' | 'zone' | 'ip' | 'labels'>,
  filter: HostFilter,
): boolean {
  const { labels = {} } = host;
  if (filter.role !== undefined && host.role !== filter.role) return false;
  if (filter.zone !== undefined && host.zone !== filter.zone) return false;
  if (filter.ip !== undefined && host.ip !== filter.ip) return false;
  return Object.entries(filter.labels ?? {}).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
}

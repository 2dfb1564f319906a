import { z } from 'zod';

/*
 * What Harbor's built-in provider `dragonfly` sends and reads: names and types are Harbor's. Of the rest that Dragonfly
 * knows, what has no meaning here is taken and left aside.
 * @see goharbor/harbor src/pkg/p2p/preheat/provider/dragonfly.go
 */

/** Which hosts are meant, as Harbor's policies say it; `single_peer` is what older ones call `single_seed_peer`. */
const SCOPES = ['single_seed_peer', 'all_seed_peers', 'all_peers', 'single_peer', ''] as const;

const argsSchema = z.object({
  type: z.enum(['image', 'file']).describe('`image`: url is that of a manifest'),
  url: z.string().min(1).max(4096),
  tag: z.string().max(1024).nullish(),
  filtered_query_params: z.string().max(4096).nullish(),
  headers: z
    .record(z.string().max(100), z.string().max(16_384))
    .nullish()
    .describe('sent to the registry; kept in memory alone'),
  scope: z.enum(SCOPES).nullish(),
  platform: z
    .string()
    .max(100)
    .nullish()
    .describe('linux/amd64; absent: that of the host which looks the image up'),
  concurrent_count: z.int().min(0).max(10_000).nullish(),
  timeout: z.number().nullish(),
});

/** POST /oapi/v1/jobs. */
export const harborRequestSchema = z
  .object({
    type: z.literal('preheat'),
    args: argsSchema,
    scheduler_cluster_ids: z.array(z.int().min(0)).max(256).nullish(),
  })
  .meta({ id: 'HarborRequest' });
export type HarborRequest = z.infer<typeof harborRequestSchema>;

const time = z.string().describe('RFC 3339');
const successSchema = z.object({ url: z.string(), hostname: z.string(), ip: z.string() });
const failureSchema = successSchema.extend({ description: z.string() });

/** A job as Harbor reads it. */
export const harborJobSchema = z
  .object({
    id: z.int().min(1),
    type: z.literal('preheat'),
    created_at: time,
    updated_at: time,
    state: z.enum(['PENDING', 'SUCCESS', 'FAILURE']),
    result: z.object({
      job_states: z.array(
        z.object({
          error: z.string(),
          results: z.array(
            z.object({
              success_tasks: z.array(successSchema),
              failure_tasks: z.array(failureSchema),
              scheduler_cluster_id: z.int().min(0),
            }),
          ),
        }),
      ),
    }),
  })
  .meta({ id: 'HarborJob' });
export type HarborJob = z.infer<typeof harborJobSchema>;
export type HarborFailure = z.infer<typeof failureSchema>;
export type HarborSuccess = z.infer<typeof successSchema>;

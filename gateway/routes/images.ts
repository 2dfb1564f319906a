import { z } from 'zod';
import { toShoalError } from '../../core/errors.ts';
import { taskIdOfDigest } from '../../core/ids.ts';
import type { RowPage } from '../../core/list-page.ts';
import { type Platform, parsePlatform } from '../../core/oci-platform.ts';
import { formatImageReference, parseImageReference } from '../../core/oci-reference.ts';
import { nextField, nextOf, pageParameters } from '../page-query.ts';
import { type ApiRoute, answer } from '../route.ts';
import type { GatewayWorld, PartOfImage, Swarm } from '../world.ts';

const rowSchema = z
  .object({
    hostId: z.string(),
    parts: z.int().describe('how many of its parts are there whole'),
    bytes: z.int().describe('bytes of these'),
    complete: z.boolean().describe('all of it is there'),
  })
  .meta({ id: 'ImageHost' });
type ImageHost = z.infer<typeof rowSchema>;

/** Images: which hosts hold one. */
export function imageRoutes(world: GatewayWorld): ApiRoute[] {
  return [
    answer({
      method: 'GET',
      path: '/api/v1/images/hosts',
      tag: 'images',
      scopes: ['read'],
      about:
        'List the hosts that hold an image or parts of it, by id; what it is made of its registry tells.',
      query: z.strictObject({
        ...pageParameters(),
        image: z.string().min(1).max(4096).describe('[REGISTRY/]REPOSITORY[:TAG][@DIGEST]'),
        platform: z.string().min(1).max(100).default('all').describe('linux/arm64, or all'),
      }),
      reply: z
        .object({
          image: z.string(),
          parts: z.int().describe('manifests, configurations and layers'),
          bytes: z.int(),
          hosts: z.array(rowSchema),
          ...nextField,
        })
        .meta({ id: 'ImageHosts' }),
      async handle({ query: { image, platform, cursor: after, limit } }) {
        const reference = parseImageReference(image.trim());
        const wanted: Platform | 'all' = platform === 'all' ? 'all' : parsePlatform(platform);
        const parts = await world.imageParts(reference, wanted);
        const { rows, next } = await holdersOf(world.swarm, parts, { after, limit });
        return {
          image: formatImageReference(reference),
          parts: parts.length,
          bytes: parts.reduce((sum, { size }) => sum + size, 0),
          hosts: [...rows],
          ...nextOf(next),
        };
      },
    }),
  ];
}

/** Hosts that hold one of the parts at least, by id: a page of each part's, as far as all of these reach. */
async function holdersOf(
  swarm: Swarm,
  parts: readonly PartOfImage[],
  { after, limit }: { readonly after: string | undefined; readonly limit: number },
): Promise<RowPage<ImageHost>> {
  const pages = await Promise.all(
    parts.map(async ({ digest, size }) => {
      const { task, next } = await swarm.taskWith(taskIdOfDigest(digest), { after, limit }).catch(unknown);
      return { hosts: task.peers, next, size };
    }),
  );
  const end = pages.flatMap(({ next }) => next ?? []).sort()[0];
  const found = new Map<string, ImageHost>();
  for (const { hosts, size } of pages) {
    for (const { hostId, state } of hosts) {
      if (state !== 'complete' || (end !== undefined && hostId > end)) continue;
      const row = found.get(hostId) ?? { hostId, parts: 0, bytes: 0, complete: false };
      const held = row.parts + 1;
      found.set(hostId, { hostId, parts: held, bytes: row.bytes + size, complete: held === parts.length });
    }
  }
  const rows = [...found.values()].sort((a, b) => (a.hostId < b.hostId ? -1 : 1));
  const taken = rows.slice(0, limit);
  return { rows: taken, next: rows.length > limit ? taken[taken.length - 1]?.hostId : end };
}

/** A part that nobody of the swarm has. */
function unknown(error: unknown): { task: { peers: [] }; next: undefined } {
  if (toShoalError(error).code === 'ERR_TASK_NOT_FOUND') return { task: { peers: [] }, next: undefined };
  throw error;
}

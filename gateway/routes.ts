import { harborRoutes } from './harbor/routes.ts';
import type { ApiRoute } from './route.ts';
import { eventRoutes } from './routes/events.ts';
import { hostRoutes } from './routes/hosts.ts';
import { imageRoutes } from './routes/images.ts';
import { jobRoutes } from './routes/jobs.ts';
import { schedulerRoutes } from './routes/schedulers.ts';
import { statusRoutes } from './routes/status.ts';
import { taskRoutes } from './routes/tasks.ts';
import type { GatewayWorld } from './world.ts';

/** Every route of the gateway but the OpenAPI document and the page. */
export function gatewayRoutes(world: GatewayWorld): ApiRoute[] {
  return [
    ...statusRoutes(world),
    ...taskRoutes(world),
    ...imageRoutes(world),
    ...hostRoutes(world),
    ...schedulerRoutes(world),
    ...jobRoutes(world),
    ...eventRoutes(world),
    ...harborRoutes(world),
  ];
}

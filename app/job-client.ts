import { type Jobs, jobsClient } from '../actors/jobs/client.ts';
import { connectDaemon } from '../admin/client.ts';
import { DEFAULT_NATS, loadSchedulerConfig, type NatsConfig, type SchedulerConfig } from './config.ts';
import type { ConfigInput } from './config-sources.ts';
import { openLog } from './logging.ts';
import { isPrivateLink } from './private-link.ts';
import { realClock, realRandom } from './real-world.ts';
import { connectSwarm } from './swarm-client.ts';

/** The jobs of a swarm for a command: where NATS is says a flag, the environment, the file, else the daemon beside. */
export async function withJobs<R>(
  input: ConfigInput,
  use: (jobs: Jobs) => Promise<R>,
  signal?: AbortSignal,
): Promise<R> {
  const config = loadSchedulerConfig({ ...input, defaults: { 'log-level': 'error', 'log-format': 'plain' } });
  const nats = config.nats ?? (await natsOfDaemon(config));
  const client = await connectSwarm(config.swarm, nats, openLog(config.log), signal);
  try {
    return await use(
      jobsClient({ bus: client.bus, clock: realClock, random: realRandom, isPrivate: isPrivateLink(nats) }),
    );
  } finally {
    await client[Symbol.asyncDispose]();
  }
}

async function natsOfDaemon({ dir, natsLogin }: SchedulerConfig): Promise<NatsConfig> {
  const status = await connectDaemon(dir)
    .then((daemon) => daemon.status())
    .catch(() => undefined);
  return { servers: status?.nats.url?.split(',') ?? [DEFAULT_NATS], login: natsLogin };
}

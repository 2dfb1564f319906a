import type { Logger } from '../core/logger.ts';
import type { Bus } from '../transport/bus.ts';
import type { Sender } from '../transport/inbox.ts';
import { connectNatsBus } from '../transport/nats-bus.ts';
import type { NatsConfig } from './config.ts';

interface Joining {
  readonly swarm: string;
  readonly logger: Logger;
  readonly onRefused?: (error: Error) => void;
}

/** `shoal up` has two buses, and says it once. */
let warned = false;

/** The bus of a swarm over NATS, joined as somebody. @throws ERR_CONFIG_INVALID (a URL, a name, a login whose file is not right) */
export function openNatsBus({ servers, login, replicas }: NatsConfig, who: Sender, joining: Joining): Bus {
  const { logger } = joining;
  const onOpen = () => {
    if (warned || who.kind === 'client') return;
    warned = true;
    logger.warn(
      {},
      'this nats asks nobody for a login: whoever reaches it can read, change and remove everything of the swarm;' +
        ' close it with `shoal auth init` (docs/SECURITY.md)',
    );
  };
  return connectNatsBus({ servers, replicas, ...login, ...who, ...joining, onOpen });
}

import { DEFAULT_NATS, loadSchedulerConfig } from '../app/config.ts';
import { openLog } from '../app/logging.ts';
import { connectSwarm } from '../app/swarm-client.ts';
import { ShoalError } from '../core/errors.ts';
import { EVENTS } from '../core/events.ts';
import { print } from './print.ts';
import { configInput } from './settings-flags.ts';
import { stopAsked } from './stop.ts';
import { eventLine, eventTypeOf } from './views/event-line.ts';

type Options = Readonly<Record<string, unknown>>;

/** Runs `events`: follows those whose type begins with `prefix`. */
export async function runEvents(prefix: string, options: Options): Promise<void> {
  if (!Object.keys(EVENTS).some((type) => type.startsWith(prefix))) {
    throw new ShoalError(
      'ERR_CONFIG_INVALID',
      `there is no event ${JSON.stringify(prefix)}; docs/EVENTS.md lists them`,
    );
  }
  const defaults = { nats: DEFAULT_NATS, 'log-level': 'warn' };
  const { swarm, nats, log } = loadSchedulerConfig({ ...configInput(options), defaults });
  if (nats === undefined) return;
  const stopping = new AbortController();
  const stopped = stopAsked().then(() => stopping.abort());
  const client = await connectSwarm(swarm, nats, openLog(log), stopping.signal);
  const { json } = options;
  try {
    await new Promise<void>((resolve, reject) => {
      void stopped.then(resolve);
      client.bus.subscribeEvents((_subject, event) => {
        if (!eventTypeOf(event).startsWith(prefix)) return;
        print(json ? `${JSON.stringify(event)}\n` : `${eventLine(event)}\n`).catch(reject);
      });
      process.stderr.write(
        `following ${prefix === '' ? 'all events' : `events ${prefix}…`} of the swarm ${swarm}; Ctrl-C ends it\n`,
      );
    });
  } finally {
    await client[Symbol.asyncDispose]();
  }
}

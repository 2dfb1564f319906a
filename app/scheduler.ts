import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { composeScheduler } from '../actors/scheduler/compose-scheduler.ts';
import type { SchedulerActor } from '../actors/scheduler/scheduler.ts';
import type { Health } from '../admin/health.ts';
import { ShoalError, toShoalError } from '../core/errors.ts';
import { schedulerIdFrom } from '../core/ids.ts';
import { onAbort } from '../core/on-abort.ts';
import { sparingLogger } from '../core/sparing-logger.ts';
import { mintToken } from '../dataplane/membership-token.ts';
import { importSigningKey, newSigningKey, type SigningKey } from '../dataplane/signing-key.ts';
import { makeDir, replaceFile } from '../storage/private-files.ts';
import type { Bus, Subscription } from '../transport/bus.ts';
import { type Closing, opening } from './closing.ts';
import type { SchedulerConfig } from './config.ts';
import { createEmit } from './events.ts';
import type { RootLogger } from './logging.ts';
import { openSchedulerMetrics } from './metrics.ts';
import { openNatsBus } from './nats-bus.ts';
import { ownUse } from './own-use.ts';
import { addProcessMetrics } from './process-metrics.ts';
import { realClock, realRandom } from './real-world.ts';
import { followSchedulerKeys, publishSchedulerKey, readSchedulerKeys } from './scheduler-keys.ts';
import { VERSION } from './version.ts';

/** A running scheduler. */
export interface OpenScheduler extends AsyncDisposable {
  metricsText(): Promise<string>;
  health(): Health;
}

const SETTLE_MS = 2_000;

/** Brings up a scheduler, which serves as soon as NATS is there. @throws ERR_STORE_IO, ERR_CONFIG_INVALID */
export function openScheduler(config: SchedulerConfig, logger: RootLogger): Promise<OpenScheduler> {
  return opening((closing) => compose(config, logger, closing));
}

async function compose(
  config: SchedulerConfig,
  logger: RootLogger,
  closing: Closing,
): Promise<OpenScheduler> {
  if (config.nats === undefined) throw new ShoalError('ERR_CONFIG_INVALID', 'a scheduler needs a --nats URL');
  const { swarm, nats } = config;
  const schedulerId = schedulerIdFrom(realRandom.bytes(8));
  const key = openKey(config.dir);
  const { metrics, registry: numbers, text } = openSchedulerMetrics();
  addProcessMetrics(numbers);
  const who = { kind: 'scheduler', name: schedulerId } as const;
  const joining = { swarm, logger: logger.child({ sub: 'transport' }) };
  const bus = openNatsBus(nats, who, joining);
  closing.use({ [Symbol.asyncDispose]: () => bus.close() });
  // What hosts say fills the other one, and a heartbeat behind that would come too late.
  const store = openNatsBus(nats, who, joining);
  closing.use({ [Symbol.asyncDispose]: () => store.close() });
  const keys = new SchedulerKeys(bus, key, logger);
  const stopped = new AbortController();
  let actor: SchedulerActor | undefined;

  const begin = async () => {
    await Promise.all([bus, store].map((each) => connected(each, stopped.signal)));
    // Beside the claims: the own key is known, and those of others hosts keep.
    void keys.share();
    const following = keys.follow();
    stopped.signal.addEventListener('abort', () => following.close(), { once: true });
    actor = composeScheduler({
      clock: realClock,
      random: realRandom,
      bus,
      store,
      emit: createEmit({ bus, swarm, speaker: schedulerId, pieceEvents: config.pieceEvents }),
      log: sparingLogger(logger.child({ sub: 'scheduler' }), realClock),
      schedulerId,
      keyId: key.keyId,
      name: hostname(),
      version: VERSION,
      originReaders: config.originReaders,
      metrics,
      ownUse,
      mintToken: (hostId, publicKey, expMs) => mintToken(key, { hostId, publicKey, swarm, expMs }),
      schedulerKeys: () => keys.all(),
    });
    actor.start();
  };
  begin().catch((error: unknown) => {
    if (!stopped.signal.aborted) logger.error({ err: toShoalError(error) }, 'the scheduler cannot begin');
  });
  closing.use({
    async [Symbol.asyncDispose]() {
      stopped.abort();
      // Others take over before it is gone, where NATS is there to tell them.
      if (bus.state === 'connected') await actor?.leave();
      actor?.stop();
    },
  });
  return {
    metricsText: text,
    health: () => ({
      live: true,
      ready: actor?.isReady === true && bus.state === 'connected',
      checks: { nats: bus.state, ...(actor?.size ?? {}) },
    }),
    [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose](),
  };
}

/** Resolves once NATS is there. */
function connected(bus: Bus, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const listening = bus.onState((state) => {
      if (state === 'connected') done();
    });
    const unlisten = onAbort(signal, () => {
      listening.close();
      reject(signal.reason as Error);
    });
    const done = () => {
      listening.close();
      unlisten();
      resolve();
    };
    if (bus.state === 'connected') done();
  });
}

/** Scheduler keys that this scheduler tells hosts: its own, and those of the others. */
class SchedulerKeys {
  readonly #bus: Bus;
  readonly #own: { readonly id: string; readonly publicKey: Uint8Array };
  readonly #logger: RootLogger;
  readonly #known = new Map<string, Uint8Array>();

  constructor(bus: Bus, key: SigningKey, logger: RootLogger) {
    this.#bus = bus;
    this.#logger = logger;
    this.#own = { id: key.keyId, publicKey: key.publicKey };
    this.#known.set(key.keyId, key.publicKey);
  }

  /** Hears of the keys of schedulers that start later: hosts on a closed NATS read no directory themselves. */
  follow(): Subscription {
    return followSchedulerKeys(this.#bus, ({ id, publicKey }) => this.#known.set(id, publicKey));
  }

  all(): { id: string; publicKey: Uint8Array }[] {
    return [...this.#known].map(([id, publicKey]) => ({ id, publicKey })).slice(-256);
  }

  /** Publishes the own key and reads the others; without JetStream hosts learn the own one by announce and census. */
  async share(): Promise<void> {
    const late = new Promise<void>((resolve) => void realClock.after(SETTLE_MS, resolve));
    const shared = this.#share().catch((error: unknown) => {
      this.#logger.warn(
        { code: toShoalError(error).code },
        'the key directory is out of reach; going on without',
      );
    });
    await Promise.race([shared, late]);
  }

  async #share(): Promise<void> {
    await publishSchedulerKey(this.#bus, this.#own);
    for (const { id, publicKey } of await readSchedulerKeys(this.#bus)) this.#known.set(id, publicKey);
  }
}

/** The scheduler's key, kept in its directory so that a restart honours the tokens it gave. */
function openKey(dir: string): SigningKey {
  const path = join(dir, 'scheduler.key');
  try {
    makeDir(dir, 0o750);
  } catch (cause) {
    throw new ShoalError('ERR_STORE_IO', `cannot make the directory ${dir}`, { cause });
  }
  try {
    return importSigningKey(readFileSync(path));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw cause instanceof ShoalError
        ? cause
        : new ShoalError('ERR_STORE_IO', `cannot read ${path}`, { cause });
    }
  }
  const key = newSigningKey();
  try {
    replaceFile(path, key.toPkcs8(), 0o600);
  } catch (cause) {
    throw new ShoalError('ERR_STORE_IO', `cannot write ${path}`, { cause });
  }
  return key;
}

import type { Clock } from '../../core/clock.ts';
import { ShoalError } from '../../core/errors.ts';
import type { RegistryTrouble } from '../../core/registry-check.ts';
import type { RegistryClient } from './registry.ts';
import { registryTroubleOf } from './registry-trouble.ts';

/** A registry from which nothing comes. */
export interface TroubledRegistry extends RegistryTrouble {
  /** As clients name it. */
  readonly registry: string;
  /** Its base URL. */
  readonly url: string;
  /** Questions that failed since it last answered. */
  readonly times: number;
}

interface WatchOptions {
  readonly clock: Clock;
  /** What the base URL of a registry is called by clients. */
  readonly nameOf: (base: string) => string;
  /** At the first failure, when it is another than before, and again each hour that it goes on. */
  readonly onFailed: (troubled: TroubledRegistry) => void;
  /** It answers again. */
  readonly onRecovered: (troubled: TroubledRegistry) => void;
}

interface Kept {
  troubled: TroubledRegistry;
  toldMs: number;
  lastMs: number;
}

const HOUR_MS = 3_600_000;
/** Names are a client's to choose: beyond these none is told of. */
const MOST_KEPT = 256;

/** Knows which registries are refused here or cannot be reached, from what is asked of them. */
export class RegistryWatch {
  readonly #options: WatchOptions;
  readonly #kept = new Map<string, Kept>();

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** A client of registries that is watched. */
  watched(client: RegistryClient): RegistryClient {
    return {
      ask: async (request, signal) => {
        try {
          const answer = await client.ask(request, signal);
          this.#answered(request.base);
          return answer;
        } catch (error) {
          if (!signal.aborted) this.#failed(request.base, error);
          else if (isSilence(signal)) this.#failed(request.base, silent());
          throw error;
        }
      },
    };
  }

  /** Those that have not answered since they failed, in the last hour. */
  get troubled(): readonly TroubledRegistry[] {
    this.#forget();
    return [...this.#kept.values()].map(({ troubled }) => troubled);
  }

  #failed(base: string, error: unknown): void {
    const { clock, nameOf, onFailed } = this.#options;
    if (!URL.canParse(base)) return;
    const registry = nameOf(base);
    const trouble = registryTroubleOf(error, registry, base);
    if (trouble === undefined) return;
    this.#forget();
    const known = this.#kept.get(base);
    if (known === undefined && this.#kept.size >= MOST_KEPT) return;
    const nowMs = clock.now();
    const isNews = known?.troubled.fault !== trouble.fault || nowMs - known.toldMs >= HOUR_MS;
    const troubled = { ...trouble, registry, url: base, times: (known?.troubled.times ?? 0) + 1 };
    this.#kept.set(base, { troubled, toldMs: isNews ? nowMs : (known?.toldMs ?? nowMs), lastMs: nowMs });
    if (isNews) onFailed(troubled);
  }

  #answered(base: string): void {
    const known = this.#kept.get(base);
    if (known === undefined) return;
    this.#kept.delete(base);
    this.#options.onRecovered(known.troubled);
  }

  #forget(): void {
    const nowMs = this.#options.clock.now();
    for (const [base, { lastMs }] of this.#kept) if (nowMs - lastMs >= HOUR_MS) this.#kept.delete(base);
  }
}

function isSilence({ reason }: AbortSignal): boolean {
  return reason instanceof Error && reason.name === 'TimeoutError';
}

function silent(): ShoalError {
  return new ShoalError('ERR_SOURCE_UNAVAILABLE', 'it gave no answer in time');
}

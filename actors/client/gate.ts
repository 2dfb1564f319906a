import { sleep } from '../../core/clock.ts';
import type { AdmitFacts, DownloadRequest } from '../../core/download.ts';
import { ShoalError, toShoalError } from '../../core/errors.ts';
import type { TaskId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import { parseSourceUrl } from '../../core/source.ts';
import type { StoredTask } from '../../storage/store.ts';
import type { HostWorld } from '../host/world.ts';
import { askAhead, type Proofs, proveAudience } from './audience.ts';
import { headersOf } from './target.ts';

interface GateOptions {
  readonly world: HostWorld;
  readonly proofs: Proofs;
  readonly request: DownloadRequest;
  readonly taskId: TaskId;
  readonly signal: AbortSignal;
}

/** Where the bytes of a download came from so far, as far as that is one place. */
type OnlySource = () => string | undefined;

/**
 * Whether one client may have the content it asked for. The request's own check begins with the gate, beside the
 * download; the content's audience is asked for once something is here that could be given away.
 */
export class Gate {
  /** Aborts with the client's, and with what refused the client. */
  readonly signal: AbortSignal;
  readonly #options: GateOptions;
  readonly #refused = new AbortController();
  readonly #admission: Promise<void> | undefined;
  #stored: StoredTask | undefined;
  #proof: Promise<void> | undefined;
  #isOpen = false;
  #known: (stored: StoredTask) => void = () => {};

  constructor(options: GateOptions) {
    const { request, signal } = options;
    this.#options = options;
    this.signal = AbortSignal.any([signal, this.#refused.signal]);
    if (request.admit) this.#admission = this.#watched(this.#admit(request.admit));
    else void this.#askAhead();
  }

  /** Whether the client may have what is here now. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Resolves where the client may have content of which some is here; content that took its place is another.
   * @throws the refusal
   */
  pass(stored: StoredTask, onlySource: OnlySource = () => undefined): Promise<void> {
    if (this.#proof !== undefined && this.#stored === stored) return this.#proof;
    this.#stored = stored;
    this.#isOpen = false;
    this.#known(stored);
    const proof = this.#prove(stored, onlySource).then(() => {
      if (this.#stored === stored) this.#isOpen = true;
    });
    this.#proof = this.#watched(proof);
    return this.#proof;
  }

  async #prove(stored: StoredTask, onlySource: OnlySource): Promise<void> {
    const { world, proofs, request } = this.#options;
    const { signal } = this;
    if (this.#admission === undefined) return proveAudience(world, proofs, stored, request, signal);
    await this.#admission;
    if (stored.record.audience === 'public') return;
    const { url } = parseSourceUrl(request.resource);
    if (world.alone && onlySource() === url) return;
    await proofs.possession.prove(world, stored, { url, headers: headersOf(request) }, signal);
  }

  async #askAhead(): Promise<void> {
    const { world, proofs, request } = this.#options;
    await askAhead(world, proofs.access, request, this.#wasPublic, this.signal).catch(() => undefined);
  }

  get #wasPublic(): boolean {
    const { world, taskId } = this.#options;
    return world.store.row(taskId)?.audience === 'public';
  }

  /** A source out of reach does not end it before it is known whether the content was public. */
  async #admit(admit: (facts: AdmitFacts) => Promise<void>): Promise<void> {
    const { world } = this.#options;
    const known = new Promise<StoredTask>((resolve) => {
      this.#known = resolve;
    });
    const wasPublic = this.#wasPublic;
    try {
      await admit({ wasPublic });
    } catch (error) {
      if (wasPublic || !toShoalError(error).retryable) throw error;
      const late = sleep(world.clock, LIMITS.firstByteMs, this.signal).then(() => undefined);
      const stored = await Promise.race([known, late]);
      if (stored?.record.audience !== 'public') throw error;
      await admit({ wasPublic: true });
    }
  }

  #watched(proof: Promise<void>): Promise<void> {
    proof.catch((error: unknown) => this.#refused.abort(toShoalError(error)));
    return proof;
  }
}

/** For a client whose request names no source of its own. @throws ERR_CONFIG_INVALID */
export function refuseBareAdmission({ admit, resource }: DownloadRequest): void {
  if (admit === undefined || /^https?:/i.test(resource)) return;
  throw new ShoalError('ERR_CONFIG_INVALID', 'a check of its own needs a URL to check');
}

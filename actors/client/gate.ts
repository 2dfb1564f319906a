import type { DownloadRequest } from '../../core/download.ts';
import { toShoalError } from '../../core/errors.ts';
import type { TaskId } from '../../core/ids.ts';
import { isReadAt } from '../../origins/place.ts';
import type { Store, StoredTask } from '../../storage/store.ts';
import type { PeerContent } from '../host/peer/content.ts';
import type { ClientAdmission } from './admission.ts';
import { ReadElsewhere } from './read-elsewhere.ts';
import { ownSource } from './source-claims.ts';

interface GateOptions {
  readonly admission: ClientAdmission;
  readonly store: Store;
  readonly request: DownloadRequest;
  readonly taskId: TaskId;
  readonly signal: AbortSignal;
}

/**
 * One client before the content it asked for: asks `ClientAdmission` as early as there is something to ask, once for each
 * content, and ends this client's download alone where it is refused.
 */
export class Gate {
  /** Aborts with the client's, and with what refused the client. */
  readonly signal: AbortSignal;
  readonly #options: GateOptions;
  readonly #refused = new AbortController();
  readonly #begun: ReturnType<ClientAdmission['begin']>;
  #stored: StoredTask | undefined;
  #proof: Promise<void> | undefined;
  #isOpen = false;
  #arrived: (stored: StoredTask) => void = () => {};

  constructor(options: GateOptions) {
    const { admission, store, request, taskId, signal } = options;
    this.#options = options;
    this.signal = AbortSignal.any([signal, this.#refused.signal]);
    const wasOpen = store.row(taskId)?.audience === 'public';
    const arrived = new Promise<StoredTask>((resolve) => {
      this.#arrived = resolve;
    });
    this.#begun = this.#watched(admission.begin(request, wasOpen, arrived, this.signal));
  }

  /** Whether the client may have what is here now. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Resolves where the client may have content of which some is here; content that took its place is another.
   * @throws the refusal
   */
  pass(stored: StoredTask): Promise<void> {
    if (this.#proof !== undefined && this.#stored === stored) return this.#proof;
    this.#stored = stored;
    this.#isOpen = false;
    this.#arrived(stored);
    const { admission, request } = this.#options;
    const entrant = { request, begun: this.#begun };
    const proof = admission.letIn(entrant, stored, this.signal).then(() => {
      if (this.#stored === stored) this.#isOpen = true;
    });
    this.#proof = this.#watched(proof);
    return this.#proof;
  }

  /**
   * Ends the download as soon as it shows that the content is read elsewhere than the client names: it would wait for
   * what it cannot be given, or cannot read on. Returns how to end that.
   */
  follow(content: PeerContent): () => void {
    const { request } = this.#options;
    const own = request.noOrigin ? undefined : ownSource(request);
    const look = () => {
      const { taskId, home } = content;
      if (own === undefined || home === undefined || isReadAt({ taskId, home }, own)) return;
      this.#refused.abort(new ReadElsewhere());
    };
    look();
    return content.onHome(look);
  }

  #watched<T>(proof: Promise<T>): Promise<T> {
    proof.catch((error: unknown) => this.#refused.abort(toShoalError(error)));
    return proof;
  }
}

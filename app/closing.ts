/** Things to close, closed in the reverse order of their opening; the first error is thrown after all were tried. */
export class Closing implements AsyncDisposable {
  readonly #closers: (() => PromiseLike<void>)[] = [];

  /** Takes something that closes; gives it back. */
  use<T extends AsyncDisposable>(resource: T): T {
    this.#closers.push(() => resource[Symbol.asyncDispose]());
    return resource;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const errors: unknown[] = [];
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}

/** Runs `open`; where it throws, what it opened so far is closed again. */
export async function opening<T>(open: (closing: Closing) => Promise<T>): Promise<T> {
  const closing = new Closing();
  try {
    return await open(closing);
  } catch (error) {
    await closing[Symbol.asyncDispose]().catch(() => undefined);
    throw error;
  }
}

import type { Door } from './door.ts';
import type { GetJob } from './getter.ts';

/** One way to content for many gets: it is opened once, and another time where the daemon behind it is gone. */
export class SharedDoor implements AsyncDisposable {
  readonly #ways: Pick<GetJob, 'open' | 'reopen'>;
  #door: Promise<Door> | undefined;
  readonly #opened: Promise<Door>[] = [];

  constructor(ways: Pick<GetJob, 'open' | 'reopen'>) {
    this.#ways = ways;
  }

  /** The ways of one get. */
  ways(): Pick<GetJob, 'open' | 'reopen'> {
    let mine: Promise<Door> | undefined;
    const use = async (): Promise<Door> => {
      mine = this.#door;
      const door = await mine;
      if (door === undefined) throw new Error('a shared door that was not opened');
      // Two lines may mean the same content: it is copied out of the cache, never moved. The last one closes the door.
      return { ...door, cacheIsOurs: false, [Symbol.asyncDispose]: () => Promise.resolve() };
    };
    return {
      open: () => {
        this.#door ??= this.#keep(this.#ways.open());
        return use();
      },
      reopen: (natsUrl) => {
        if (this.#door === mine) this.#door = this.#keep(this.#ways.reopen(natsUrl));
        return use();
      },
    };
  }

  #keep(door: Promise<Door>): Promise<Door> {
    this.#opened.push(door);
    return door;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opened of this.#opened) {
      const door = await opened.catch(() => undefined);
      await door?.[Symbol.asyncDispose]();
    }
  }
}

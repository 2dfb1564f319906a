import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Trust } from '../actors/host/trust.ts';
import type { Random } from '../core/clock.ts';
import { ShoalError } from '../core/errors.ts';
import { type HostId, hostIdFrom, isHostId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { importSigningKey, newSigningKey, type SigningKey } from '../dataplane/signing-key.ts';
import { makeDir, replaceFile } from '../storage/private-files.ts';

const FILE = 'host.json';

const storedSchema = z.object({
  hostId: z.custom<HostId>((value) => typeof value === 'string' && isHostId(value)),
  key: z.base64(),
  token: z.string().optional(),
  schedulerKeys: z
    .array(z.object({ id: z.string(), publicKey: z.base64(), untilMs: z.number() }))
    .default([]),
});

/** A host's papers, kept in its directory: id, key, membership token, the scheduler keys it knows. */
export class Identity implements Trust {
  readonly hostId: HostId;
  readonly key: SigningKey;
  readonly #path: string;
  readonly #keys = new Map<string, { publicKey: Uint8Array; untilMs: number }>();
  #token: string | undefined;

  private constructor(path: string, stored: z.infer<typeof storedSchema>) {
    this.#path = path;
    this.hostId = stored.hostId;
    this.key = importSigningKey(Buffer.from(stored.key, 'base64'));
    this.#token = stored.token;
    for (const { id, publicKey, untilMs } of stored.schedulerKeys) {
      if (untilMs > Date.now()) this.#keys.set(id, { publicKey: Buffer.from(publicKey, 'base64'), untilMs });
    }
  }

  /** Reads the papers in a directory, or makes them, for the host of a login where that is of one host alone. @throws ERR_STORE_IO, ERR_CONFIG_INVALID */
  static open(dir: string, random: Random, wanted?: HostId): Identity {
    const path = join(dir, FILE);
    let text: string | undefined;
    try {
      makeDir(dir, 0o750);
    } catch (cause) {
      throw new ShoalError('ERR_STORE_IO', `cannot make the directory ${dir}`, { cause });
    }
    try {
      text = readFileSync(path, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') {
        throw new ShoalError('ERR_STORE_IO', `cannot read ${path}`, { cause });
      }
    }
    if (text === undefined) return Identity.#make(path, wanted ?? hostIdFrom(random.bytes(16)));
    let identity: Identity;
    try {
      identity = new Identity(path, storedSchema.parse(JSON.parse(text)));
    } catch (cause) {
      throw new ShoalError(
        'ERR_CONFIG_INVALID',
        `${path} does not hold a host's papers; remove it to join anew`,
        {
          cause,
        },
      );
    }
    if (wanted === undefined || wanted === identity.hostId) return identity;
    throw new ShoalError(
      'ERR_CONFIG_INVALID',
      `the NATS login is that of the host ${wanted}, but ${path} holds the papers of ${identity.hostId}`,
    );
  }

  static #make(path: string, hostId: HostId): Identity {
    const key = Buffer.from(newSigningKey().toPkcs8()).toString('base64');
    const identity = new Identity(path, { hostId, key, schedulerKeys: [] });
    identity.#save();
    return identity;
  }

  get publicKey(): Uint8Array {
    return this.key.publicKey;
  }

  /** The token and the key that proves it is this host's; undefined until a scheduler has answered once. */
  credentials(): { token: string; identity: SigningKey } | undefined {
    return this.#token === undefined ? undefined : { token: this.#token, identity: this.key };
  }

  /** Scheduler keys that tokens may be signed with, by key id. */
  keys(): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.#keys].map(([id, { publicKey }]) => [id, publicKey]));
  }

  accept(reply: { token: string; schedulerKeys: { id: string; publicKey: Uint8Array }[] }): void {
    this.#token = reply.token;
    this.#learn(reply.schedulerKeys);
    this.#save();
  }

  learnKeys(keys: readonly { id: string; publicKey: Uint8Array }[]): void {
    if (this.#learn(keys)) this.#save();
  }

  /** A key is kept for two token lifetimes after it was last heard of. */
  #learn(keys: readonly { id: string; publicKey: Uint8Array }[]): boolean {
    const untilMs = Date.now() + 2 * LIMITS.tokenMs;
    let fresh = false;
    for (const { id, publicKey } of keys) {
      fresh ||= !this.#keys.has(id);
      this.#keys.set(id, { publicKey, untilMs });
    }
    return fresh;
  }

  #save(): void {
    const schedulerKeys = [...this.#keys].map(([id, { publicKey, untilMs }]) => ({
      id,
      publicKey: Buffer.from(publicKey).toString('base64'),
      untilMs,
    }));
    const key = Buffer.from(this.key.toPkcs8()).toString('base64');
    const text = `${JSON.stringify({ hostId: this.hostId, key, token: this.#token, schedulerKeys })}\n`;
    try {
      replaceFile(this.#path, text, 0o600);
    } catch (cause) {
      throw new ShoalError('ERR_STORE_IO', `cannot write ${this.#path}`, { cause });
    }
  }
}

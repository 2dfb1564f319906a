import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { Clock } from '../../core/clock.ts';
import { toShoalError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { askHelper, type RunHelper } from './credential-helper.ts';
import {
  type Credential,
  type DockerConfig,
  findCredentials,
  NO_CONFIG,
  normalHost,
  parseDockerConfig,
} from './docker-config.ts';
import { isPrivateWay, type RegistryTarget } from './target.ts';

/** A credential, and a hash that stands for it. */
export interface ConfiguredCredential {
  readonly credential: Credential;
  readonly hash: string;
}

interface CredentialsOptions {
  /** Docker's config.json; need not exist. */
  readonly file: string;
  /** Base URLs of registries by the names that credentials are kept under. */
  readonly registries: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly runHelper?: RunHelper;
}

const HELPER_MS = 10_000;
/** How long the answer of a helper holds, ms; a failure holds less. */
const HELPER_KEPT_MS = 60_000;
const FAILURE_KEPT_MS = 5_000;
const LONGEST_FILE = 1024 * 1024;

/** The credentials that this host is configured with, from Docker's config.json; read again when it changes. */
export class RegistryCredentials {
  readonly #options: CredentialsOptions;
  readonly #runHelper: RunHelper;
  readonly #asked = new Map<string, { untilMs: number; answer: Promise<Credential | undefined> }>();
  #mark = '';
  #config: DockerConfig = NO_CONFIG;
  #reloading: Promise<void> | undefined;

  constructor(options: CredentialsOptions) {
    this.#options = options;
    this.#runHelper = options.runHelper ?? ((helper, serverUrl) => askHelper(helper, serverUrl, HELPER_MS));
  }

  /** The credential for a registry. What is wrong with the file or a helper is logged, and nobody is who we are. */
  async find(target: RegistryTarget): Promise<ConfiguredCredential | undefined> {
    this.#reloading ??= this.#reload().finally(() => {
      this.#reloading = undefined;
    });
    await this.#reloading;
    const { origin } = target;
    const mapped = Object.entries(this.#options.registries).filter(([, base]) => base === target.base);
    const names = [origin.host, ...mapped.map(([name]) => name)];
    const hosts = names.map((name) => normalHost(name, origin.protocol === 'http:' ? 80 : 443));
    // Who named a registry's URL has said that its credentials may go there.
    const trusted = mapped.length > 0 || isPrivateWay(origin);
    for (const found of findCredentials(this.#config, [...new Set(hosts)], target, trusted)) {
      const credential = found.kind === 'here' ? found.credential : await this.#ask(found);
      if (credential === undefined) continue;
      const hash = createHash('sha256').update(JSON.stringify(credential)).digest('base64url');
      return { credential, hash };
    }
    return undefined;
  }

  async #reload(): Promise<void> {
    const { file, logger } = this.#options;
    const facts = await stat(file).catch(() => undefined);
    const mark = facts === undefined ? '' : `${facts.mtimeMs} ${facts.size} ${facts.ino}`;
    if (mark === this.#mark) return;
    let config = NO_CONFIG;
    if (facts !== undefined) {
      try {
        if (facts.size > LONGEST_FILE) throw new Error('the file is too long');
        config = parseDockerConfig(await readFile(file, 'utf8'));
      } catch (error) {
        logger.warn({ file, error: toShoalError(error).message }, 'credentials of registries cannot be read');
      }
    }
    this.#mark = mark;
    this.#config = config;
    this.#asked.clear();
  }

  async #ask({ helper, serverUrl }: { helper: string; serverUrl: string }): Promise<Credential | undefined> {
    const { clock, logger } = this.#options;
    const key = `${helper}\n${serverUrl}`;
    const known = this.#asked.get(key);
    if (known !== undefined && known.untilMs > clock.now()) return known.answer;
    const asked = {
      untilMs: clock.now() + HELPER_MS + HELPER_KEPT_MS,
      answer: Promise.resolve<Credential | undefined>(undefined),
    };
    asked.answer = this.#runHelper(helper, serverUrl).then(
      (credential) => {
        asked.untilMs = clock.now() + HELPER_KEPT_MS;
        return credential;
      },
      (error: unknown) => {
        asked.untilMs = clock.now() + FAILURE_KEPT_MS;
        logger.warn({ helper, error: toShoalError(error).message }, 'a credential helper failed');
        return undefined;
      },
    );
    this.#asked.set(key, asked);
    return asked.answer;
  }
}

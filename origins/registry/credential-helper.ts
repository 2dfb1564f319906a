import { execFile } from 'node:child_process';
import { z } from 'zod';
import { ShoalError } from '../../core/errors.ts';
import type { Credential } from './docker-config.ts';

const answerSchema = z.object({ Username: z.string(), Secret: z.string() });
/** Says that the secret is an identity token. */
const TOKEN_USER = '<token>';
const NOT_FOUND = /credentials not found/i;
const LONGEST_ANSWER = 256 * 1024;

/** Runs a credential helper of Docker's. */
export type RunHelper = (helper: string, serverUrl: string) => Promise<Credential | undefined>;

/**
 * Asks `docker-credential-<helper> get`; undefined where it has nothing for the server.
 * @throws ERR_CONFIG_INVALID where it is missing, fails, is slower than `timeoutMs` or says what is not understood
 */
export function askHelper(
  helper: string,
  serverUrl: string,
  timeoutMs: number,
): Promise<Credential | undefined> {
  const program = `docker-credential-${helper}`;
  const failed = (why: string, cause?: unknown) =>
    new ShoalError('ERR_CONFIG_INVALID', `${program} gave no credentials: ${why}`, { cause });
  return new Promise((resolve, reject) => {
    const options = { timeout: timeoutMs, killSignal: 'SIGKILL' as const, maxBuffer: LONGEST_ANSWER };
    const child = execFile(program, ['get'], { ...options, encoding: 'utf8' }, (error, stdout) => {
      if (error === null) {
        const credential = readAnswer(stdout);
        if (credential === undefined) reject(failed('its answer is not understood'));
        else resolve(credential);
      } else if (NOT_FOUND.test(stdout)) resolve(undefined);
      else if (error.killed) reject(failed(`no answer within ${timeoutMs} ms`));
      // Its output may hold secrets.
      else reject(failed(`it ended with ${String(error.code)}`));
    });
    // One that ends before it has read is judged by its answer.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(serverUrl);
  });
}

function readAnswer(stdout: string): Credential | undefined {
  try {
    const { Username: user, Secret: secret } = answerSchema.parse(JSON.parse(stdout));
    if (user === TOKEN_USER) return { kind: 'identity', user, token: secret };
    return { kind: 'login', user, password: secret };
  } catch {
    return undefined;
  }
}

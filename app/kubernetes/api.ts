import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { ShoalError } from '../../core/errors.ts';

/** What a pod asks of the API server of its cluster. */
export interface ClusterApi {
  /** The object at a path; undefined where there is none. @throws ERR_OUTPUT */
  read(path: string): Promise<unknown>;
  /** Makes an object in a collection; what is there already stays. @throws ERR_OUTPUT */
  create(path: string, object: unknown): Promise<'made' | 'kept'>;
  /** Removes an object, if it is there. @throws ERR_OUTPUT */
  remove(path: string): Promise<'removed' | 'absent'>;
}

/** Where a pod reaches the API server, and as whom. */
export interface ClusterAccess {
  readonly host: string;
  readonly port: number;
  readonly ca: string;
  readonly token: string;
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
const TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** What the kubelet gives every pod that has a service account. @throws ERR_CONFIG_INVALID outside of a pod */
export function clusterAccess(
  env: Readonly<Record<string, string | undefined>>,
  folder = SERVICE_ACCOUNT,
): ClusterAccess {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  try {
    if (!host || !port) throw new Error('KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set');
    const read = (name: string) => readFileSync(join(folder, name), 'utf8');
    return { host, port: Number(port), ca: read('ca.crt'), token: read('token').trim() };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ShoalError('ERR_CONFIG_INVALID', `this runs in a pod with a service account alone: ${why}`, {
      cause,
    });
  }
}

/** The API server, asked with a pod's own service account. */
export function clusterApi(access: ClusterAccess): ClusterApi {
  const ask = async (method: string, path: string, fine: readonly number[], body?: unknown) => {
    const { status, text } = await send(access, method, path, body).catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ShoalError('ERR_OUTPUT', `the API server of the cluster: ${why}`, { cause });
    });
    if ((status >= 200 && status < 300) || fine.includes(status)) return { status, text };
    throw new ShoalError('ERR_OUTPUT', `the API server: ${method} ${path}: ${status} ${messageOf(text)}`);
  };
  return {
    async read(path) {
      const { status, text } = await ask('GET', path, [404]);
      return status === 404 ? undefined : JSON.parse(text);
    },
    async create(path, object) {
      return (await ask('POST', path, [409], object)).status === 409 ? 'kept' : 'made';
    },
    async remove(path) {
      return (await ask('DELETE', path, [404])).status === 404 ? 'absent' : 'removed';
    },
  };
}

function send(
  { host, port, ca, token }: ClusterAccess,
  method: string,
  path: string,
  body: unknown,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers = {
      accept: 'application/json',
      authorization: `Bearer ${token}`,
      ...(payload && { 'content-type': 'application/json', 'content-length': payload.length }),
    };
    const sent = request({ host, port, ca, method, path, headers, timeout: TIMEOUT_MS }, (answer) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      answer.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes > MAX_ANSWER_BYTES) answer.destroy(new Error('the answer is too large'));
        else parts.push(part);
      });
      answer.once('error', reject);
      answer.once('end', () =>
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
      );
    });
    sent.once('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.once('error', reject);
    sent.end(payload);
  });
}

function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return String(message ?? '').slice(0, 300);
  } catch {
    return '';
  }
}

import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import {
  type DownloadProgress,
  type DownloadResult,
  downloadProgressSchema,
  downloadResultSchema,
  type GetRequest,
} from '../core/download.ts';
import { errorFromWire, ShoalError } from '../core/errors.ts';
import { type RegistryCheck, registryCheckSchema } from '../core/registry-check.ts';
import {
  type Explanation,
  explanationSchema,
  type HostRow,
  hostRowSchema,
  type SchedulerRow,
  schedulerRowSchema,
  type TaskDetail,
  type TaskRow,
  taskDetailSchema,
  taskRowSchema,
} from '../core/swarm-rows.ts';
import { type AskDaemon, cacheClient } from './cache-client.ts';
import type { CacheControl } from './cache-control.ts';
import {
  type HostStatus,
  hostStatusSchema,
  type ImageRow,
  imageRowSchema,
  type TaskHistory,
  taskHistorySchema,
} from './control.ts';
import { readFrames } from './frames.ts';
import { readLines } from './lines.ts';
import { socketPathOf } from './socket.ts';

const ANSWER_MS = 15_000;
const BODY_BYTES = 64 * 1024 * 1024;

const wireErrorSchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), details: z.unknown().optional() }),
});
const lineSchema = z.union([
  z.object({ progress: downloadProgressSchema }),
  z.object({ result: downloadResultSchema }),
  wireErrorSchema,
]);
const removedSchema = z.object({ hosts: z.number() });

/** A daemon, asked over its socket; otherwise as HostControl. Every call @throws ERR_DAEMON_UNAVAILABLE where it is gone */
export interface DaemonClient extends CacheControl {
  get(
    request: GetRequest,
    onProgress: (progress: DownloadProgress) => void,
    signal: AbortSignal,
  ): Promise<DownloadResult>;
  stream(
    request: GetRequest,
    onResult: (result: DownloadResult) => void,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  status(): Promise<HostStatus>;
  images(): Promise<ImageRow[]>;
  checkRegistries(names: readonly string[]): Promise<RegistryCheck[]>;
  tasks(limit?: number): Promise<TaskRow[]>;
  task(taskId: string): Promise<TaskDetail>;
  history(taskId: string): Promise<TaskHistory>;
  explain(taskId: string, hostId?: string): Promise<Explanation>;
  removeTask(taskId: string): Promise<{ hosts: number }>;
  hosts(limit?: number): Promise<HostRow[]>;
  schedulers(): Promise<SchedulerRow[]>;
}

/** The daemon of a directory, after it answered. @throws ERR_DAEMON_UNAVAILABLE, ERR_CONFIG_INVALID */
export async function connectDaemon(dir: string): Promise<DaemonClient> {
  const client = daemonClient(socketPathOf(dir));
  await client.status();
  return client;
}

/** The daemon behind a socket. */
function daemonClient(socketPath: string): DaemonClient {
  const ask: AskDaemon = async (method, path, schema, body) => {
    // How long bytes take to go out says nothing of the daemon.
    const signal = isStream(body) ? new AbortController().signal : AbortSignal.timeout(ANSWER_MS);
    return checked(schema, await readJson(await open(socketPath, method, path, body, signal)));
  };
  return {
    ...cacheClient(ask, (path, body, schema, signal) => runLines(socketPath, path, body, schema, signal)),
    get: (body, onProgress, signal) => runGet(socketPath, body, onProgress, signal),
    stream: (body, onResult, signal) => runStream(socketPath, body, onResult, signal),
    status: () => ask('GET', '/v1/status', hostStatusSchema),
    images: () => ask('GET', '/v1/images', z.array(imageRowSchema)),
    checkRegistries: (names) => ask('POST', '/v1/registries/check', z.array(registryCheckSchema), { names }),
    tasks: (limit) => ask('GET', `/v1/tasks${upTo(limit)}`, z.array(taskRowSchema)),
    task: (id) => ask('GET', `/v1/tasks/${encodeURIComponent(id)}`, taskDetailSchema),
    history: (id) => ask('GET', `/v1/tasks/${encodeURIComponent(id)}/history`, taskHistorySchema),
    explain: (id, host) =>
      ask('GET', `/v1/tasks/${encodeURIComponent(id)}/explain${ofHost(host)}`, explanationSchema),
    removeTask: (id) => ask('DELETE', `/v1/tasks/${encodeURIComponent(id)}`, removedSchema),
    hosts: (limit) => ask('GET', `/v1/hosts${upTo(limit)}`, z.array(hostRowSchema)),
    schedulers: () => ask('GET', '/v1/schedulers', z.array(schedulerRowSchema)),
  };
}

function ofHost(hostId: string | undefined): string {
  return hostId === undefined ? '' : `?host=${encodeURIComponent(hostId)}`;
}

function upTo(limit: number | undefined): string {
  return limit === undefined ? '' : `?limit=${limit}`;
}

async function runGet(
  socketPath: string,
  body: GetRequest,
  onProgress: (progress: DownloadProgress) => void,
  signal: AbortSignal,
): Promise<DownloadResult> {
  const answer = await open(socketPath, 'POST', '/v1/get', body, signal);
  try {
    for await (const line of readLines(translated(answer, signal))) {
      const message = checked(lineSchema, parseJson(line));
      if ('progress' in message) onProgress(message.progress);
      else if ('result' in message) return message.result;
      else throw errorFromWire(message.error);
    }
    throw lost();
  } finally {
    answer.destroy();
  }
}

async function* runLines<T>(
  socketPath: string,
  path: string,
  body: object,
  schema: z.ZodType<T>,
  signal: AbortSignal,
): AsyncIterable<T> {
  const answer = await open(socketPath, 'POST', path, body, signal);
  try {
    for await (const line of readLines(translated(answer, signal))) {
      const value = parseJson(line);
      const failed = wireErrorSchema.safeParse(value);
      if (failed.success) throw errorFromWire(failed.data.error);
      if (line === '{}') return;
      yield checked(schema, value);
    }
    throw lost();
  } finally {
    answer.destroy();
  }
}

async function* runStream(
  socketPath: string,
  body: GetRequest,
  onResult: (result: DownloadResult) => void,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const answer = await open(socketPath, 'POST', '/v1/stream', body, signal);
  let bytes = 0;
  try {
    for await (const { kind, payload } of readFrames(translated(answer, signal))) {
      if (kind === 'D') {
        bytes += payload.length;
        yield payload;
        continue;
      }
      const value = parseJson(Buffer.from(payload).toString());
      if (kind === 'R') onResult(checked(downloadResultSchema, value));
      else if (kind === 'E') throw errorFromWire(checked(wireErrorSchema, { error: value }).error);
      else if (value === bytes) return;
      else break;
    }
    throw lost();
  } finally {
    answer.destroy();
  }
}

function open(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const payload = body === undefined || isStream(body) ? undefined : Buffer.from(JSON.stringify(body));
    const headers = isStream(body)
      ? { 'content-type': 'application/octet-stream' }
      : payload && { 'content-type': 'application/json', 'content-length': payload.length };
    // No TLS name: else Node finds out whether it is an IP address, and compiles the expressions for that, 4 ms.
    const options = { socketPath, method, path, agent: false, signal, servername: '' };
    const asking: ClientRequest = request(headers ? { ...options, headers } : options);
    asking.on('error', (error) => reject(translate(error, signal, socketPath)));
    asking.on('response', resolve);
    if (!isStream(body)) return void asking.end(payload);
    // What the file could not be read for is the reason; an answer may come before all was sent.
    pipeline(Readable.from(body), asking).catch((error) => reject(translate(error, signal)));
  }).then(async (answer) => {
    if (answer.statusCode === 200) return answer;
    throw errorFromWire(checked(wireErrorSchema, await readJson(answer)).error);
  });
}

function isStream(body: unknown): body is AsyncIterable<Uint8Array> {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
}

async function* translated(answer: IncomingMessage, signal: AbortSignal): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of answer) yield chunk as Uint8Array;
  } catch (error) {
    throw translate(error, signal);
  }
}

async function readJson(answer: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of translated(answer, new AbortController().signal)) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES) throw invalid();
    chunks.push(chunk);
  }
  return parseJson(Buffer.concat(chunks).toString());
}

function translate(error: unknown, signal: AbortSignal, socketPath = ''): ShoalError {
  if (error instanceof ShoalError) return error;
  if (signal.aborted) {
    if (signal.reason instanceof ShoalError) return signal.reason;
    const late = signal.reason instanceof Error && signal.reason.name === 'TimeoutError';
    if (!late) return new ShoalError('ERR_CANCELLED', 'interrupted', { cause: error });
    return new ShoalError('ERR_DAEMON_UNAVAILABLE', `the daemon gave no answer in ${ANSWER_MS / 1000} s`);
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EACCES' || code === 'EPERM') {
    const message = "this user may not use the daemon's socket";
    return new ShoalError('ERR_DAEMON_UNAVAILABLE', message, { cause: error, details: { why: 'denied' } });
  }
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    const details = { why: 'absent' };
    const message = `no daemon listens at ${socketPath}`;
    return new ShoalError('ERR_DAEMON_UNAVAILABLE', message, { cause: error, details });
  }
  return lost(error);
}

function lost(cause?: unknown): ShoalError {
  return new ShoalError('ERR_DAEMON_UNAVAILABLE', 'the daemon went away in the middle', {
    cause,
    details: { why: 'lost' },
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid(cause);
  }
}

function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  // What is checked a few times is not worth compiling a check for.
  const parsed = schema.safeParse(value, { jitless: true });
  if (parsed.success) return parsed.data;
  throw invalid(parsed.error);
}

function invalid(cause?: unknown): ShoalError {
  const message = 'the daemon answered something unexpected; does it run another version?';
  return new ShoalError('ERR_BUS_MESSAGE_INVALID', message, { cause });
}

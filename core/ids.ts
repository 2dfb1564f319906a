import { createHash } from 'node:crypto';
import { ShoalError } from './errors.ts';
import { RecentMap } from './recent-map.ts';

/**
 * Names immutable bytes and their distribution: `sha256-<hex>`, `sha512-<hex>` or `url-<hex>`. Where the bytes of a digest are
 * read at one place alone, `-at-<hex>` follows.
 */
export type TaskId = string & { readonly __brand: 'TaskId' };
/** Names a machine that runs the daemon: 32 hex digits, random, kept in its `--dir`. */
export type HostId = string & { readonly __brand: 'HostId' };
/** Names what a URL points to at any time: the SHA-256 of the canonical URL, 64 hex digits. */
export type ResourceId = string & { readonly __brand: 'ResourceId' };
/** Names one scheduler process: 16 hex digits, random at each start. */
export type SchedulerId = string & { readonly __brand: 'SchedulerId' };
/** A content digest as users write it: `sha256:<hex>` or `sha512:<hex>`. */
export type Digest = string & { readonly __brand: 'Digest' };
/** A slice of the task ids, 0 to PARTITIONS - 1. */
export type Partition = number & { readonly __brand: 'Partition' };

/** How many partitions a swarm has; fixed at its birth. */
export const PARTITIONS = 64;

const TASK_ID = /^(?:(?:sha256-[0-9a-f]{64}|sha512-[0-9a-f]{128})(?:-at-[0-9a-f]{32})?|url-[0-9a-f]{64})$/;
const HOST_ID = /^[0-9a-f]{32}$/;
const SCHEDULER_ID = /^[0-9a-f]{16}$/;
const RESOURCE_ID = /^[0-9a-f]{64}$/;
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export function isTaskId(text: string): text is TaskId {
  return TASK_ID.test(text);
}

export function isHostId(text: string): text is HostId {
  return HOST_ID.test(text);
}

export function isSchedulerId(text: string): text is SchedulerId {
  return SCHEDULER_ID.test(text);
}

export function isResourceId(text: string): text is ResourceId {
  return RESOURCE_ID.test(text);
}

/** Whether the text is a digest as it is written in full, in lower case. */
export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/** @throws ERR_TASK_ID_INVALID */
export function parseTaskId(text: string): TaskId {
  if (isTaskId(text)) return text;
  throw new ShoalError('ERR_TASK_ID_INVALID', `not a task id: ${JSON.stringify(text.slice(0, 200))}`);
}

/** Upper-case hex digits are accepted and lowered. @throws ERR_DIGEST_INVALID */
export function parseDigest(text: string): Digest {
  const lower = text.trim().toLowerCase();
  if (DIGEST.test(lower)) return lower as Digest;
  throw new ShoalError('ERR_DIGEST_INVALID', `not a digest: ${JSON.stringify(text.slice(0, 200))}`);
}

/** Whether the text is meant as a digest rather than a URL. */
export function looksLikeDigest(text: string): boolean {
  return /^sha(256|512)[:-]/i.test(text.trim());
}

export function taskIdOfDigest(digest: Digest): TaskId {
  return digest.replace(':', '-') as TaskId;
}

/** The task of content that is read at one place alone, whatever else the swarm has of that digest. */
export function taskIdAt(digest: Digest, place: string): TaskId {
  const name = createHash('sha256').update(place).digest('hex').slice(0, 32);
  return `${taskIdOfDigest(digest)}-at-${name}` as TaskId;
}

/** The digest that the whole content of a task must have, where its id is one. */
export function digestOfTask(taskId: TaskId): Digest | undefined {
  if (taskId.startsWith('url-')) return undefined;
  const [algorithm, hex] = taskId.split('-');
  return `${algorithm}:${hex}` as Digest;
}

/** Name of the digest's algorithm as node:crypto spells it. */
export function digestAlgorithm(digest: Digest): 'sha256' | 'sha512' {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256';
}

/** Every sync asks for its task's again. */
const PARTITIONS_KNOWN = new RecentMap<TaskId | ResourceId, Partition>(4096);

/** Which partition owns an id: the first 32 bits of its SHA-256, modulo the number of partitions. */
export function partitionOf(id: TaskId | ResourceId): Partition {
  let partition = PARTITIONS_KNOWN.get(id);
  if (partition === undefined) {
    partition = (createHash('sha256').update(id).digest().readUInt32BE(0) % PARTITIONS) as Partition;
    PARTITIONS_KNOWN.set(id, partition);
  }
  return partition;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** @param random 16 random bytes. */
export function hostIdFrom(random: Uint8Array): HostId {
  return hex(random.subarray(0, 16)) as HostId;
}

/** @param random 8 random bytes. */
export function schedulerIdFrom(random: Uint8Array): SchedulerId {
  return hex(random.subarray(0, 8)) as SchedulerId;
}

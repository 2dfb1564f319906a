import { createHash, randomBytes } from 'node:crypto';
import { Bitfield } from '../../core/bitfield.ts';
import type { HostAddress } from '../../core/host.ts';
import { type HostId, hostIdFrom, type TaskId } from '../../core/ids.ts';
import { silentLogger } from '../../core/logger.ts';
import type { ByteRange } from '../../core/ranges.ts';
import { type Admit, createAdmission, type MemberRules } from '../../dataplane/admission.ts';
import type { ByteSink, DataPlane, RangeServer, ServedTask } from '../../dataplane/data-plane.ts';
import { type Credentials, createDataPlane, type DataPlaneOptions } from '../../dataplane/http-data-plane.ts';
import { mintToken } from '../../dataplane/membership-token.ts';
import { type RangeServerOptions, startRangeServer } from '../../dataplane/range-server.ts';
import { newSigningKey } from '../../dataplane/signing-key.ts';

export const KIB = 1024;
export const SWARM = 'shoal-test';
export const realWall = { wall: () => Date.now() };

/** One scheduler's key, that all tests of a file share. */
export const scheduler = newSigningKey();

export function randomHostId(): HostId {
  return hostIdFrom(randomBytes(16));
}

/** A member's credentials, good for an hour from now unless changed. */
export function newMember(change: { swarm?: string; expMs?: number; hostId?: HostId } = {}): Credentials & {
  readonly hostId: HostId;
} {
  const identity = newSigningKey();
  const hostId = change.hostId ?? randomHostId();
  const expMs = change.expMs ?? Date.now() + 3_600_000;
  const token = mintToken(scheduler, {
    hostId,
    publicKey: identity.publicKey,
    swarm: change.swarm ?? SWARM,
    expMs,
  });
  return { hostId, identity, token };
}

/** What members of the tests' swarm are judged by. */
export function membersOf(unknown: string[] = []): MemberRules {
  return {
    swarm: SWARM,
    keys: () => new Map([[scheduler.keyId, scheduler.publicKey]]),
    clock: realWall,
    isolated: () => false,
    onUnknownKey: (keyId) => unknown.push(keyId),
  };
}

export function admissionOf(selfHostId: HostId, unknown: string[] = []): Admit {
  return createAdmission({ ...membersOf(unknown), selfHostId });
}

/** A task held in memory, whose reads can be held up or broken. */
export interface FakeTask extends ServedTask {
  readonly content: Buffer;
  readonly taskId: TaskId;
  have: Bitfield;
  length: number | undefined;
  pins: number;
  /** Runs before each read. */
  onRead: (position: number) => Promise<void> | void;
}

export function fakeTask(bytes: number, pieceLength = 64 * KIB): FakeTask {
  const content = randomBytes(bytes);
  const digest = createHash('sha256').update(content).digest('hex');
  const pieces = Math.ceil(bytes / pieceLength);
  const task: FakeTask = {
    content,
    taskId: `sha256-${digest}` as TaskId,
    length: bytes,
    pieceLength,
    have: Bitfield.full(pieces),
    audience: 'public',
    pins: 0,
    onRead: () => {},
    hash: (piece) =>
      createHash('sha256')
        .update(content.subarray(piece * pieceLength, (piece + 1) * pieceLength))
        .digest(),
    async read(buffer, position) {
      await task.onRead(position);
      return content.copy(buffer, 0, position, position + buffer.length);
    },
    pin() {
      task.pins += 1;
      return () => {
        task.pins -= 1;
      };
    },
  };
  return task;
}

/** A parent that serves some tasks. */
export interface Parent extends AsyncDisposable {
  readonly server: RangeServer;
  readonly address: HostAddress;
}

export async function startParent(
  tasks: readonly FakeTask[],
  change: Partial<RangeServerOptions> & { readonly hostId?: HostId } = {},
): Promise<Parent> {
  const { hostId = randomHostId(), ...options } = change;
  const member = newMember({ hostId });
  const server = await startRangeServer({
    host: '127.0.0.1',
    port: 0,
    shelf: async (taskId) => tasks.find((task) => task.taskId === taskId),
    admission: admissionOf(hostId),
    credentials: () => member,
    tls: 'private',
    logger: silentLogger,
    ...options,
  });
  return {
    server,
    address: { hostId, ip: '127.0.0.1', port: server.port },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** Times that end nothing within a test. */
export const PATIENT = { connectMs: 60_000, firstByteMs: 60_000, idleMs: 60_000 };

/** A child's data plane that closes itself. */
export function newChild(change: Partial<DataPlaneOptions> = {}): DataPlane & AsyncDisposable {
  const member = newMember();
  const plane = createDataPlane({
    credentials: () => member,
    members: membersOf(),
    tls: 'private',
    times: PATIENT,
    ...change,
  });
  return { ...plane, [Symbol.asyncDispose]: () => plane.close() };
}

/** Fetches a range into memory. */
export async function fetchBytes(
  child: DataPlane,
  parent: HostAddress,
  taskId: TaskId,
  range: ByteRange,
  signal: AbortSignal = new AbortController().signal,
  isPublic = true,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const sink: ByteSink = (chunk) => {
    chunks.push(Uint8Array.from(chunk));
  };
  await child.fetch({ parent, taskId, isPublic, range }, sink, signal);
  return Buffer.concat(chunks);
}

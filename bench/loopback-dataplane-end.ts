import { createHash, type Hash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { closeSync, ftruncateSync, openSync, read, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { Bitfield } from '../core/bitfield.ts';
import type { HostId, TaskId } from '../core/ids.ts';
import { silentLogger } from '../core/logger.ts';
import { createAdmission, type MemberRules } from '../dataplane/admission.ts';
import type { ServedTask } from '../dataplane/data-plane.ts';
import { createDataPlane } from '../dataplane/http-data-plane.ts';
import { mintToken } from '../dataplane/membership-token.ts';
import { startRangeServer } from '../dataplane/range-server.ts';
import { importSigningKey } from '../dataplane/signing-key.ts';

/*
 * One end of the data plane's bench, told by its parent process what to do: serve a file, or fetch it into a sparse
 * file in runs of two pieces, each piece hashed. Run by loopback-dataplane-run.ts alone.
 */
export type EndRequest =
  | { readonly kind: 'serve'; readonly path: string; readonly bytes: number }
  | { readonly kind: 'usage' }
  | {
      readonly kind: 'fetch';
      readonly port: number;
      readonly path: string;
      readonly bytes: number;
      readonly parallel: number;
      readonly encrypted: boolean;
    };

export type EndMessage =
  | { readonly kind: 'serving'; readonly port: number }
  | { readonly kind: 'usage'; readonly cpuSeconds: number }
  | {
      readonly kind: 'fetched';
      readonly seconds: number;
      readonly cpuSeconds: number;
      readonly peakBytes: number;
    };

const PIECE = 2 * 1024 * 1024;
const RUN = 2 * PIECE;
const SWARM = 'bench';
const parentId = '0'.repeat(32) as HostId;
const childId = '1'.repeat(32) as HostId;
/** Both ends need the same keys, and this file is no secret: an Ed25519 key of fixed bytes. */
const key = importSigningKey(
  Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 7)]),
);
const taskId = `url-${'0'.repeat(64)}` as TaskId;
const members: MemberRules = {
  swarm: SWARM,
  keys: () => new Map([[key.keyId, key.publicKey]]),
  clock: { wall: () => Date.now() },
  isolated: () => false,
  onUnknownKey: () => {},
};
const tokenOf = (hostId: HostId) =>
  mintToken(key, { hostId, publicKey: key.publicKey, swarm: SWARM, expMs: Date.now() + 60_000 });

async function serve(path: string, bytes: number): Promise<EndMessage> {
  const file = openSync(path, 'r');
  const readAt = promisify(read);
  const task: ServedTask = {
    length: bytes,
    pieceLength: PIECE,
    have: Bitfield.full(Math.ceil(bytes / PIECE)),
    audience: 'public',
    hash: () => undefined,
    pin: () => () => {},
    read: async (buffer, position) => (await readAt(file, buffer, 0, buffer.length, position)).bytesRead,
  };
  const server = await startRangeServer({
    host: '127.0.0.1',
    port: 0,
    shelf: async () => task,
    admission: createAdmission({ ...members, selfHostId: parentId }),
    credentials: () => ({ token: tokenOf(parentId), identity: key }),
    tls: 'private',
    logger: silentLogger,
  });
  return { kind: 'serving', port: server.port };
}

async function fetchAll(request: EndRequest & { kind: 'fetch' }): Promise<EndMessage> {
  const { bytes, port } = request;
  const started = performance.now();
  const cpuBefore = cpuSoFar();
  const token = tokenOf(childId);
  const plane = createDataPlane({ credentials: () => ({ token, identity: key }), members, tls: 'private' });
  const file = openSync(request.path, 'w+');
  ftruncateSync(file, bytes);
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  let next = 0;
  const worker = async () => {
    for (let start = next; start < bytes; start = next) {
      next += RUN;
      const range = { start, end: Math.min(bytes, start + RUN) };
      const parent = { hostId: parentId, ip: '127.0.0.1', port };
      await plane.fetch(
        { parent, taskId, isPublic: !request.encrypted, range },
        pieceSink(file, start),
        signal,
      );
    }
  };
  await Promise.all(Array.from({ length: request.parallel }, worker));
  const seconds = (performance.now() - started) / 1000;
  const cpuSeconds = cpuSoFar() - cpuBefore;
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  await plane.close();
  closeSync(file);
  return { kind: 'fetched', seconds, cpuSeconds, peakBytes };
}

/** Writes in place, and hashes each piece. */
function pieceSink(file: number, start: number): (chunk: Uint8Array) => void {
  let at = start;
  let hash: Hash = createHash('sha256');
  return (chunk) => {
    writeSync(file, chunk, 0, chunk.length, at);
    const left = PIECE - (at % PIECE);
    if (chunk.length < left) hash.update(chunk);
    else {
      hash.update(chunk.subarray(0, left)).digest();
      hash = createHash('sha256');
      if (chunk.length > left) hash.update(chunk.subarray(left));
    }
    at += chunk.length;
  };
}

function cpuSoFar(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function answer(request: EndRequest): Promise<EndMessage> {
  if (request.kind === 'serve') return await serve(request.path, request.bytes);
  if (request.kind === 'fetch') return await fetchAll(request);
  return { kind: 'usage', cpuSeconds: cpuSoFar() };
}

process.on('message', (request: EndRequest) => {
  answer(request).then(
    (message) => process.send?.(message),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});

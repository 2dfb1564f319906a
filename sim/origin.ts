import { type Clock, sleep } from '../core/clock.ts';
import { ShoalError } from '../core/errors.ts';
import type { Probed } from '../core/probed.ts';
import type { ByteRange } from '../core/ranges.ts';
import type { Validator } from '../core/source.ts';
import type { OpenBody, Origin, OriginRequest, OriginSink, ProbeAnswer } from '../origins/origin.ts';
import { cancelled, chunksOf, travel } from './exchange.ts';
import type { SimNetwork, SimNode } from './network.ts';
import type { SimRandom } from './random.ts';

/** What a simulated origin has at one URL. */
export interface SimContent {
  readonly bytes: Uint8Array;
  readonly etag?: string | undefined;
  readonly lastModified?: string;
  /** Gives ranges; true unless said. */
  readonly ranges?: boolean;
  /** Tells the length before the end; true unless said. */
  readonly sized?: boolean;
  /** The value of the Authorization header without which it is refused. */
  readonly authorization?: string;
  readonly mediaType?: string;
}

/** One request that came to the origin. */
export interface SimOriginRequest {
  readonly atMs: number;
  readonly host: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A server of content outside the swarm, with a link of its own. */
export class SimOriginServer {
  readonly node: SimNode;
  readonly contents = new Map<string, SimContent>();
  readonly requests: SimOriginRequest[] = [];
  /** Body bytes that were sent, of all contents. */
  bodyBytes = 0;
  /** Those of them that came with the answer to what there is at a URL. */
  probedBytes = 0;
  /** Share of the bodies that break off somewhere. */
  breakShare = 0;
  /** So many of the next bodies come with a wrong bit in their first chunk. */
  wrongBodies = 0;

  constructor(node: SimNode) {
    this.node = node;
  }
}

/** How often a read goes on after a break, and how long it waits before, ms. */
const RETRIES = 4;
const RETRY_MS = 200;
const IDLE_MS = 5_000;

interface Reader {
  readonly network: SimNetwork;
  readonly node: SimNode;
  /** Of the process that reads. */
  readonly clock: Clock;
  readonly random: SimRandom;
}

/** The way of one simulated host to the origin. */
export class SimOrigin implements Origin {
  readonly #server: SimOriginServer;
  readonly #reader: Reader;

  constructor(server: SimOriginServer, reader: Reader) {
    this.#server = server;
    this.#reader = reader;
  }

  allows(): boolean {
    return true;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async probe(
    request: OriginRequest & { readonly known?: Validator | undefined; readonly prefixBytes: number },
    signal: AbortSignal,
  ): Promise<ProbeAnswer> {
    const content = await this.#askOften(request, signal);
    const { bytes, etag, lastModified, ranges = true, sized = true, mediaType } = content;
    const [ours, theirs] = [etag ?? lastModified, request.known?.etag ?? request.known?.lastModified];
    if (ours !== undefined && ours === theirs) return { kind: 'unchanged' };
    const probed: Probed = {
      length: sized ? bytes.length : undefined,
      etag,
      lastModified,
      ranges: ranges && sized,
      audience: 'authorization' in request.headers ? 'source' : 'public',
      mediaType,
    };
    const end = ranges ? Math.min(bytes.length, request.prefixBytes) : bytes.length;
    return { kind: 'content', probed, body: this.#body(content, { start: 0, end }, sized) };
  }

  async read(
    request: OriginRequest & {
      readonly range: ByteRange;
      readonly expect: Validator & { readonly length: number | undefined };
    },
    sink: OriginSink,
    signal: AbortSignal,
  ): Promise<void> {
    const { range, expect } = request;
    let at = range.start;
    for (let left = RETRIES; at < range.end; left -= 1) {
      const content = await this.#askOften(request, signal);
      const other = expect.etag !== undefined && expect.etag !== content.etag;
      if (other || (expect.length ?? content.bytes.length) !== content.bytes.length) {
        throw new ShoalError('ERR_TASK_CHANGED', 'the origin has other content now');
      }
      if (at > 0 && content.ranges === false && expect.etag === undefined) {
        throw new ShoalError('ERR_SOURCE_PROTOCOL', 'the origin gives no ranges');
      }
      const counted: OriginSink = (chunk) => {
        at += chunk.length;
        return sink(chunk);
      };
      try {
        await this.#pump(content, { start: at, end: range.end }, counted, signal);
      } catch (error) {
        if (left === 0 || !(error instanceof ShoalError) || error.code !== 'ERR_SOURCE_UNAVAILABLE')
          throw error;
        await sleep(this.#reader.clock, RETRY_MS, signal);
      }
    }
  }

  async #askOften(request: OriginRequest, signal: AbortSignal): Promise<SimContent> {
    for (let left = RETRIES; ; left -= 1) {
      try {
        return await this.#ask(request, signal);
      } catch (error) {
        if (left === 0 || !(error instanceof ShoalError) || error.code !== 'ERR_SOURCE_UNAVAILABLE')
          throw error;
        await sleep(this.#reader.clock, RETRY_MS, signal);
      }
    }
  }

  async #ask(request: OriginRequest, signal: AbortSignal): Promise<SimContent> {
    const { network, node, clock } = this.#reader;
    const way = { from: node, to: this.#server.node, clock };
    await travel(network, way, 'ERR_SOURCE_UNAVAILABLE', signal);
    const { url, headers } = request;
    this.#server.requests.push({ atMs: network.clock.now(), host: node.name, url, headers });
    const content = this.#server.contents.get(url);
    if (content === undefined) throw new ShoalError('ERR_SOURCE_NOT_FOUND', `the origin has no ${url}`);
    if (content.authorization !== undefined && headers['authorization'] !== content.authorization) {
      throw new ShoalError('ERR_SOURCE_REFUSED', 'the origin answered 401', { details: { status: 401 } });
    }
    await sleep(clock, network.latencyMs, signal);
    return content;
  }

  #body(content: SimContent, range: ByteRange, sized: boolean): OpenBody {
    let used = false;
    return {
      start: range.start,
      end: sized ? range.end : undefined,
      pump: async (sink, signal) => {
        if (used) throw new ShoalError('ERR_INTERNAL', 'a body is read once');
        used = true;
        const counted: OriginSink = (chunk) => {
          this.#server.probedBytes += chunk.length;
          return sink(chunk);
        };
        await this.#pump(content, range, counted, signal);
        return range.end - range.start;
      },
      discard: () => {
        used = true;
      },
    };
  }

  async #pump(content: SimContent, range: ByteRange, sink: OriginSink, signal: AbortSignal): Promise<void> {
    const { network, node, random } = this.#reader;
    const server = this.#server;
    const length = range.end - range.start;
    const breaks = random.chance(server.breakShare);
    const end = breaks ? range.start + Math.floor(random.next() * length) : range.end;
    const isWrong = server.wrongBodies > 0;
    if (isWrong) server.wrongBodies -= 1;
    const fault = await network.stream({
      from: server.node,
      to: node,
      pull: chunksOf({ start: range.start, end }, async (from, to) => {
        server.bodyBytes += to - from;
        const chunk = content.bytes.slice(from, to);
        if (isWrong && from === range.start) chunk[0] = (chunk[0] ?? 0) ^ 1;
        return chunk;
      }),
      sink,
      signal,
      idleMs: IDLE_MS,
      onClose: () => {},
    });
    if (fault === 'aborted') throw cancelled(signal);
    if (fault !== undefined || end < range.end) {
      throw new ShoalError('ERR_SOURCE_UNAVAILABLE', 'the origin broke off');
    }
  }
}

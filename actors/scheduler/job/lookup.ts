import { ShoalError, toShoalError } from '../../../core/errors.ts';
import { type FetchItem, type LookUpReply, ORDER_ITEMS } from '../../../core/fetch-messages.ts';
import type { HostId } from '../../../core/ids.ts';
import { parseJobWord } from '../../../core/job-words.ts';
import { JOB_BOUNDS, type JobRequest } from '../../../core/jobs.ts';
import type { Bus } from '../../../transport/bus.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';

/** Who looks images up for a job, the best first. */
export interface LookUpWay {
  readonly bus: Bus;
  readonly jobId: string;
  readonly hosts: readonly HostId[];
}

const ASK_MS = 35_000;
/** Hosts that are asked one after the other, where one cannot. */
const HOSTS_ASKED = 3;
/** Answers in which a host says nothing more of an image. */
const PAGES = 1_000;

/** What the words of a request stand for: images by digest, all else as it is. @throws what the last host asked says */
export async function nameAll(
  way: LookUpWay,
  words: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const found = new Set<string>();
  for (const word of words) {
    const meant = parseJobWord(word);
    if (meant.kind === 'resource') found.add(meant.resource);
    else {
      const { images } = await ask(way, { op: 'names', image: word, from: 0 }, signal);
      for (const image of images) found.add(image);
    }
  }
  if (found.size <= JOB_BOUNDS.resolved) return [...found];
  throw new ShoalError(
    'ERR_CONFIG_INVALID',
    `${found.size} images and files; ${JOB_BOUNDS.resolved} can be in one job`,
  );
}

/** All that hosts are to have, each thing once. @throws what the last host asked says, ERR_CONFIG_INVALID (too many things) */
export async function itemsOf(
  way: LookUpWay,
  resolved: readonly string[],
  { platform }: JobRequest,
  signal: AbortSignal,
): Promise<FetchItem[]> {
  const found = new Map<string, FetchItem>();
  for (const one of resolved) {
    const meant = parseJobWord(one);
    const items =
      meant.kind === 'resource' ? [{ resource: meant.resource }] : await partsOf(way, one, platform, signal);
    for (const item of items) {
      const key = item.digest ?? item.resource;
      if (!found.has(key)) found.set(key, item);
    }
  }
  if (found.size <= ORDER_ITEMS) return [...found.values()];
  throw new ShoalError('ERR_CONFIG_INVALID', `${found.size} things; ${ORDER_ITEMS} can be in one job`);
}

async function partsOf(
  way: LookUpWay,
  image: string,
  platform: string | undefined,
  signal: AbortSignal,
): Promise<FetchItem[]> {
  const items: FetchItem[] = [];
  const asked = { op: 'parts' as const, image, ...(platform !== undefined && { platform }) };
  for (let pages = 0; pages < PAGES; pages += 1) {
    const page = await ask(way, { ...asked, from: items.length }, signal);
    items.push(...page.items);
    if (items.length >= page.total || page.items.length === 0) return items;
  }
  return items;
}

async function ask(
  { bus, jobId, hosts }: LookUpWay,
  asked: { op: 'names' | 'parts'; image: string; platform?: string; from: number },
  signal: AbortSignal,
): Promise<LookUpReply> {
  let last = new ShoalError('ERR_HOST_NOT_FOUND', 'no host is there to look the image up');
  for (const hostId of hosts.slice(0, HOSTS_ASKED)) {
    try {
      const within = { timeoutMs: ASK_MS, signal };
      return await bus.request(SUBJECTS.lookUp, { hostId, sender: bus.name }, { ...asked, jobId }, within);
    } catch (error) {
      signal.throwIfAborted();
      last = toShoalError(error);
    }
  }
  throw last;
}

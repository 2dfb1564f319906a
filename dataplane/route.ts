import { isTaskId, type TaskId } from '../core/ids.ts';
import { type ByteRange, parseRange } from '../core/ranges.ts';
import type { ServedTask } from './data-plane.ts';
import { holdsRange } from './send-body.ts';

/** What a path asks for. */
export interface Route {
  readonly kind: 'content' | 'have';
  readonly taskId: TaskId;
}

const PATH = /^\/v1\/task\/([a-z0-9-]{1,180})(\/have)?$/;

/** Undefined for every path that is not one of the data plane's. */
export function parseRoute(path: string | undefined): Route | undefined {
  const [, taskId = '', have] = PATH.exec(path ?? '') ?? [];
  return isTaskId(taskId) ? { kind: have === undefined ? 'content' : 'have', taskId } : undefined;
}

/** What a Range header gets of a task: bytes that are all verified, or a refusal. */
export type Grant =
  | { readonly status: 200 | 206; readonly range: ByteRange }
  | { readonly status: 404 | 416; readonly range?: undefined };

export function grantRange(task: ServedTask, header: string | undefined): Grant {
  const { length } = task;
  // Bytes of a stream whose end is not known yet: only what is asked for exactly can be judged.
  const asked = parseRange(header, length ?? Number.MAX_SAFE_INTEGER);
  if (asked === 'unsatisfiable') return { status: length === undefined ? 404 : 416 };
  if (asked === 'whole') {
    if (length === undefined || !task.have.complete) return { status: 404 };
    return { status: 200, range: { start: 0, end: length } };
  }
  return holdsRange(task, asked) ? { status: 206, range: asked } : { status: 404 };
}

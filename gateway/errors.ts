import { z } from 'zod';
import { ShoalError, toShoalError } from '../core/errors.ts';

/** What every error is answered with. */
export const apiErrorSchema = z
  .object({
    error: z.object({
      code: z.string().describe('as in docs/ERRORS.md'),
      message: z.string().describe('what is wrong'),
      retryable: z.boolean().describe('whether the same request may do later'),
      fix: z.string().describe('what to do'),
    }),
  })
  .meta({ id: 'Error' });
export type ApiError = z.infer<typeof apiErrorSchema>;

/** An error as it is answered. */
export interface ErrorAnswer {
  readonly status: number;
  readonly body: ApiError;
  /** Whether somebody should look at it. */
  readonly unexpected: boolean;
}

/** Errors of fastify itself are the client's; of anything else that is no ShoalError nothing is told. */
export function errorAnswer(thrown: unknown): ErrorAnswer {
  const own = ofFastify(thrown);
  const error = own?.error ?? toShoalError(thrown);
  const unexpected = error.code === 'ERR_INTERNAL';
  const { code, retryable, fix } = error;
  const message = unexpected ? 'internal error' : error.message;
  return {
    status: own?.status ?? error.status,
    body: { error: { code, message, retryable, fix } },
    unexpected,
  };
}

function ofFastify(thrown: unknown): { status: number; error: ShoalError } | undefined {
  if (thrown instanceof ShoalError || !(thrown instanceof Error) || !('statusCode' in thrown))
    return undefined;
  const status = Number(thrown.statusCode);
  if (!(status >= 400 && status < 500)) return undefined;
  return { status, error: new ShoalError('ERR_API_REQUEST', thrown.message, { cause: thrown }) };
}

/** @throws ERR_API_REQUEST, which names the field and never its value */
export function checked<T>(schema: z.ZodType<T>, part: string, value: unknown): T {
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = [part, ...(issue?.path ?? [])].map(String).join('.').slice(0, 100);
  throw new ShoalError('ERR_API_REQUEST', `${field}: ${(issue?.message ?? 'not valid').slice(0, 300)}`);
}

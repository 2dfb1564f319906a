import { ShoalError } from '../core/errors.ts';

/** Whether the file system says that it has no room. */
export function isDiskFull(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** An error of the file system as ERR_STORE_FULL or ERR_STORE_IO; errors of Shoal pass. */
export function storeError(error: unknown, doing: string): ShoalError {
  if (error instanceof ShoalError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new ShoalError(isDiskFull(error) ? 'ERR_STORE_FULL' : 'ERR_STORE_IO', `${doing}: ${text}`, {
    cause: error,
  });
}

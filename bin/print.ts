import { ShoalError } from '../core/errors.ts';

/** Writes text to standard output, and waits until it is out. @throws ERR_OUTPUT */
export function print(text: string): Promise<void> {
  return printBytes(Buffer.from(text));
}

/** Writes bytes to standard output, and waits until there is room for more. @throws ERR_OUTPUT, ERR_STORE_FULL */
export function printBytes(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => {
      if (error) reject(outputError(error));
      else resolve();
    });
  });
}

function outputError(cause: Error): ShoalError {
  const code = 'code' in cause ? cause.code : undefined;
  if (code === 'ENOSPC') return new ShoalError('ERR_STORE_FULL', 'no space left for the output', { cause });
  const what = code === 'EPIPE' ? 'whoever read the output went away' : 'cannot write to standard output';
  return new ShoalError('ERR_OUTPUT', what, { cause });
}

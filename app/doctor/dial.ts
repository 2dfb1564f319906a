import { connect, type Socket } from 'node:net';

/** Whether a TCP port can be connected to: undefined where it can, else why not. */
export async function dial(host: string, port: number, limitMs: number): Promise<string | undefined> {
  const dialled = await open(host, port, limitMs);
  if (typeof dialled === 'string') return dialled;
  dialled.destroy();
  return undefined;
}

/** The first line that a server says by itself; `why` where it cannot be connected to, neither where it says nothing. */
export async function firstLine(
  host: string,
  port: number,
  limitMs: number,
): Promise<{ readonly why?: string; readonly line?: string }> {
  const socket = await open(host, port, limitMs);
  if (typeof socket === 'string') return { why: socket };
  return new Promise((resolve) => {
    let text = '';
    const done = () => {
      clearTimeout(timer);
      socket.destroy();
      const [line = '', ...rest] = text.split('\r\n');
      resolve(rest.length === 0 ? {} : { line });
    };
    const timer = setTimeout(done, limitMs);
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\r\n') || text.length > LONGEST_LINE) done();
    });
    socket.on('error', done);
    socket.on('end', done);
  });
}

const LONGEST_LINE = 64 * 1024;

function open(host: string, port: number, limitMs: number): Promise<Socket | string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const done = (result: Socket | string) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      if (typeof result === 'string') {
        socket.on('error', () => undefined);
        socket.destroy();
      }
      resolve(result);
    };
    const timer = setTimeout(() => done(`no answer in ${limitMs / 1_000} s`), limitMs);
    socket.on('connect', () => done(socket));
    socket.on('error', (error: NodeJS.ErrnoException) => done(WORDS[error.code ?? ''] ?? error.message));
  });
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  EHOSTUNREACH: 'no way leads there',
  ENETUNREACH: 'no way leads there',
  ENOTFOUND: 'no such name',
};

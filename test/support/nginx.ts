import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCommand } from '../../scripts/ensure-system.mjs';
import { startChild, startCommand, until } from './child.ts';

/** A running nginx. */
export interface RunningNginx extends AsyncDisposable {
  /** What its access log says of requests that have ended. */
  lines(): string[];
}

/** Runs Debian's nginx with its files in `dir`; `inside` runs it elsewhere (another namespace). */
export async function runNginx(options: {
  readonly dir: string;
  /** Lines of the configuration within `http`. */
  readonly http: string;
  /** Format of a line of the access log. */
  readonly log: string;
  /** Answers when it is there. */
  readonly url: string;
  readonly inside?: readonly string[];
}): Promise<RunningNginx> {
  const { dir, http, log, url, inside = [] } = options;
  const at = (name: string) => join(dir, name);
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${at(`nginx-${kind}`)};`)
    .join(' ');
  const config = `
daemon off; worker_processes 1; pid ${at('nginx.pid')}; error_log ${at('nginx-error.log')};
${process.getuid?.() === 0 ? 'user root;' : ''}
events {}
http {
  ${temp}
  log_format ours '${log}'; access_log ${at('nginx-access.log')} ours;
  keepalive_requests 100000;
  ${http}
}
`;
  writeFileSync(at('nginx.conf'), config);
  const program = findCommand('nginx') ?? 'nginx';
  const command = [...inside, program, '-e', at('nginx-error.log'), '-c', at('nginx.conf')];
  const child = startChild(command, at('nginx.log'));
  await until('nginx to answer', async () => {
    if (!child.running) throw new Error(`nginx ended: ${readFileSync(at('nginx.log'), 'utf8')}`);
    const probe = await startCommand([...inside, 'curl', '-s', '-o', '/dev/null', url]).done;
    return probe.code === 0 || undefined;
  });
  writeFileSync(at('nginx-access.log'), '');
  return {
    lines: () =>
      readFileSync(at('nginx-access.log'), 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    [Symbol.asyncDispose]: () => child.stop(),
  };
}

/** nginx as an origin. */
export interface Nginx extends AsyncDisposable {
  url(path: string): string;
  /** Body bytes sent by requests that have ended. */
  bodyBytes(): number;
}

/** Serves the files below `root` with sendfile. */
export async function startNginx(options: {
  readonly dir: string;
  readonly root: string;
  readonly address: string;
  readonly port: number;
  readonly inside?: readonly string[];
}): Promise<Nginx> {
  const { dir, root, address, port, inside = [] } = options;
  const url = (path: string) => `http://${address}:${port}${path}`;
  const nginx = await runNginx({
    dir,
    inside,
    url: url('/'),
    log: '$status $body_bytes_sent $uri',
    http: `sendfile on; tcp_nopush on; default_type application/octet-stream;
  server { listen ${address}:${port}; root ${root}; }`,
  });
  return {
    url,
    bodyBytes: () => nginx.lines().reduce((sum, line) => sum + Number(line.split(' ')[1]), 0),
    [Symbol.asyncDispose]: () => nginx[Symbol.asyncDispose](),
  };
}

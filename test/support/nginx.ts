import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCommand } from '../../scripts/ensure-system.mjs';
import { startChild, startCommand, until } from './child.ts';

/** Debian's nginx as an origin. */
export interface Nginx extends AsyncDisposable {
  url(path: string): string;
  /** Body bytes sent by requests that have ended. */
  bodyBytes(): number;
}

/** Serves the files below `root` with sendfile; `inside` runs it elsewhere (another namespace). */
export async function startNginx(options: {
  readonly dir: string;
  readonly root: string;
  readonly address: string;
  readonly port: number;
  readonly inside?: readonly string[];
}): Promise<Nginx> {
  const { dir, root, address, port, inside = [] } = options;
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
  log_format bytes '$status $body_bytes_sent $uri'; access_log ${at('nginx-access.log')} bytes;
  sendfile on; tcp_nopush on; keepalive_requests 100000; default_type application/octet-stream;
  server { listen ${address}:${port}; root ${root}; }
}
`;
  writeFileSync(at('nginx.conf'), config);
  writeFileSync(at('nginx-access.log'), '');
  const program = findCommand('nginx') ?? 'nginx';
  const command = [...inside, program, '-e', at('nginx-error.log'), '-c', at('nginx.conf')];
  const child = startChild(command, at('nginx.log'));
  const url = (path: string) => `http://${address}:${port}${path}`;
  await until('nginx to answer', async () => {
    if (!child.running) throw new Error(`nginx ended: ${readFileSync(at('nginx.log'), 'utf8')}`);
    const probe = await startCommand([...inside, 'curl', '-s', '-o', '/dev/null', url('/')]).done;
    return probe.code === 0 || undefined;
  });
  writeFileSync(at('nginx-access.log'), '');
  return {
    url,
    bodyBytes: () =>
      readFileSync(at('nginx-access.log'), 'utf8')
        .trimEnd()
        .split('\n')
        .reduce((sum, line) => sum + Number(line.split(' ')[1] ?? 0), 0),
    [Symbol.asyncDispose]: () => child.stop(),
  };
}

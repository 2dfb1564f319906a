import { request as requestHttp } from 'node:http';

/** What came of a request. */
export interface ProxyAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  /** Whether the body came to its end. */
  readonly whole: boolean;
}

interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  /** The client goes away once it has so many bytes. */
  readonly most?: number;
}

/** Asks a proxy for a URL, or for the path of a mirror, and reads the answer as far as it comes. */
export function throughProxy(proxy: string, target: string, asked: Asked = {}): Promise<ProxyAnswer> {
  const { headers = {}, method = 'GET', most = Number.POSITIVE_INFINITY } = asked;
  const { hostname, port } = new URL(proxy);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return new Promise((resolve, reject) => {
    const request = requestHttp({ host, port, path: target, method, headers, agent: false });
    request.once('error', reject);
    request.once('response', (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes >= most) response.destroy();
      });
      response.on('error', () => {});
      response.once('close', () => {
        const { statusCode: status = 0, headers: told, complete: whole } = response;
        resolve({ status, headers: told, body: Buffer.concat(chunks), whole });
      });
    });
    request.end();
  });
}

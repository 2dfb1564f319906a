import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { ShoalError } from '../core/errors.ts';
import { buildGateway } from './build.ts';
import type { GatewayWorld } from './world.ts';

/** Where the gateway listens. */
export interface ListenOptions {
  readonly listen: string;
  /** 0: any free one. */
  readonly port: number;
  /** PEM files; absent: plain HTTP. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string } | undefined;
}

/** A listening gateway. */
export interface ListeningGateway extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

/** @throws ERR_CONFIG_INVALID where the port cannot be listened on, or the certificate is none */
export async function startGateway(world: GatewayWorld, options: ListenOptions): Promise<ListeningGateway> {
  const { listen: host, port, tls } = options;
  const app = await buildGateway(world, tls && { cert: read(tls.certFile), key: read(tls.keyFile) }).catch(
    (cause: unknown) => {
      throw cause instanceof ShoalError ? cause : refused('cannot use the certificate of the gateway', cause);
    },
  );
  try {
    await app.listen({ host, port });
  } catch (cause) {
    await app.close();
    throw refused('cannot listen on the port of the gateway', cause);
  }
  const { port: taken } = app.server.address() as AddressInfo;
  const name = host.includes(':') ? `[${host}]` : host;
  return {
    port: taken,
    url: `${tls === undefined ? 'http' : 'https'}://${name}:${taken}`,
    [Symbol.asyncDispose]: () => app.close(),
  };
}

/** @throws ERR_CONFIG_INVALID */
function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw refused(`cannot read ${file}`, cause);
  }
}

function refused(what: string, cause: unknown): ShoalError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ShoalError('ERR_CONFIG_INVALID', `${what}: ${why}`, { cause });
}

import { readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { MadeCa } from '../../proxy/forward/make-ca.ts';
import { run } from './child.ts';

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Issues a certificate for a host, with files named after it below `dir`; PEM. */
export async function issue(dir: string, ca: MadeCa, host: string): Promise<{ key: string; cert: string }> {
  const at = (ending: string) => join(dir, `${host}.${ending}`);
  await run(['openssl', 'req', ...KEY, '-keyout', at('key'), '-out', at('csr'), '-subj', `/CN=${host}`]);
  const name = isIP(host) === 0 ? 'DNS' : 'IP';
  writeFileSync(at('ext'), `subjectAltName=${name}:${host}\nextendedKeyUsage=serverAuth,clientAuth\n`);
  const by = ['-CA', ca.certFile, '-CAkey', ca.keyFile, '-CAcreateserial', '-extfile', at('ext')];
  await run(['openssl', 'x509', '-req', '-days', '2', '-in', at('csr'), '-out', at('crt'), ...by]);
  return { key: readFileSync(at('key'), 'utf8'), cert: readFileSync(at('crt'), 'utf8') };
}

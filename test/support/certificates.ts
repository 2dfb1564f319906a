import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './child.ts';

/** A certificate and its private key. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** PEM. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
}

const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

function read(keyFile: string, certFile: string): Certificate {
  return { keyFile, certFile, key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certFile, 'utf8') };
}

/** Makes a CA below `dir`, with files named after it. */
export async function makeCa(dir: string, name: string): Promise<Certificate> {
  const [keyFile, certFile] = [join(dir, `${name}.key`), join(dir, `${name}.crt`)];
  const usage = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
  const files = ['-keyout', keyFile, '-out', certFile, '-subj', `/CN=${name}`, '-days', '2'];
  await run(['openssl', 'req', '-x509', ...CURVE, ...usage, ...files]);
  return read(keyFile, certFile);
}

/** Issues a certificate for a host. */
export async function issue(dir: string, ca: Certificate, host: string): Promise<Certificate> {
  const at = (ending: string) => join(dir, `${host}.${ending}`);
  await run(['openssl', 'req', ...CURVE, '-keyout', at('key'), '-out', at('csr'), '-subj', `/CN=${host}`]);
  writeFileSync(at('ext'), `subjectAltName=DNS:${host}\nextendedKeyUsage=serverAuth\n`);
  const by = ['-CA', ca.certFile, '-CAkey', ca.keyFile, '-CAcreateserial', '-extfile', at('ext')];
  await run(['openssl', 'x509', '-req', '-days', '2', '-in', at('csr'), '-out', at('crt'), ...by]);
  return read(at('key'), at('crt'));
}

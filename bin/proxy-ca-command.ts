import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { makeCa } from '../proxy/forward/make-ca.ts';
import { print } from './print.ts';
import { madeCaText } from './views/made-ca.ts';

/** Whoever looks after a fleet would forget to renew one that lasts a year. */
const DAYS = 3_650;

/** Runs `proxy ca`. @throws ERR_OUTPUT */
export async function runProxyCa({ out, json }: Readonly<Record<string, unknown>>): Promise<void> {
  // A common name holds 64 characters at most.
  const name = `Shoal proxy CA of ${hostname()}`.slice(0, 64);
  const made = await makeCa(resolve(String(out)), { name, days: DAYS });
  await print(json === true ? `${JSON.stringify(made, null, 2)}\n` : madeCaText(made));
}

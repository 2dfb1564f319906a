import { resolve } from 'node:path';
import { makeProxyCa } from '../app/proxy-ca.ts';
import { print } from './print.ts';
import { madeCaText } from './views/made-ca.ts';

/** Runs `proxy ca`. @throws ERR_OUTPUT */
export async function runProxyCa({ out, json }: Readonly<Record<string, unknown>>): Promise<void> {
  const made = await makeProxyCa(resolve(String(out)));
  await print(json === true ? `${JSON.stringify(made, null, 2)}\n` : madeCaText(made));
}

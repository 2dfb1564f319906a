import { loadSchedulerConfig } from '../app/config.ts';
import { writeBundle } from '../app/doctor/bundle.ts';
import { examine } from '../app/doctor/doctor.ts';
import { ShoalError } from '../core/errors.ts';
import { countOf } from '../core/units.ts';
import { print } from './print.ts';
import { configInput } from './settings-flags.ts';
import { findingsText } from './views/findings.ts';

/** Runs `doctor`. @throws ERR_DOCTOR_FOUND where something does not work */
export async function runDoctor(options: Readonly<Record<string, unknown>>): Promise<void> {
  const { dir, swarm, nats } = loadSchedulerConfig(configInput(options));
  const { PATH: path = '' } = process.env;
  const asked = { dir, swarm, nats, path, image: textOf(options, 'image'), url: textOf(options, 'url') };
  const examined = await examine(asked);
  const bundle = textOf(options, 'bundle');
  if (bundle !== undefined) await writeBundle(bundle, examined, process.env);
  const { findings } = examined;
  await print(options['json'] ? `${JSON.stringify(findings, null, 2)}\n` : findingsText(findings));
  const faults = findings.filter(({ state }) => state === 'fault').length;
  if (faults > 0)
    throw new ShoalError('ERR_DOCTOR_FOUND', `${countOf(faults, 'thing')} found that must be mended`);
}

function textOf(options: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

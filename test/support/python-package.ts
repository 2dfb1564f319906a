import { run } from './child.ts';
import { madeOnce } from './test-cache.ts';

const HUB = 'huggingface_hub==2.4.0';
const INSTALL_MS = 600_000;

/** A folder for PYTHONPATH with the Hugging Face client, from PyPI. */
export function huggingFaceHub(): Promise<string> {
  const flags = ['--quiet', '--disable-pip-version-check', '--no-compile', '--target'];
  return madeOnce(HUB, (dir) => run(['python3', '-m', 'pip', 'install', ...flags, dir, HUB], INSTALL_MS));
}

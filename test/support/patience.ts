import { vi } from 'vitest';

/** How long a test waits for what must come, in ms: only a test that fails waits so long, however busy the machine is. */
const PATIENCE_MS = 120_000;

const { waitFor } = vi;
vi.waitFor = (check, options) =>
  waitFor(check, { timeout: PATIENCE_MS, ...(typeof options === 'number' ? { timeout: options } : options) });

/** What one look at the swarm, this machine or a client found. */
export interface Finding {
  /** What was looked at: `nats`, `scheduler`, `data ports`, … */
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'fault';
  /** What was found, in words. */
  readonly says: string;
  /** The command or the setting that mends it. */
  readonly fix?: string;
}

/** All is well. */
export function ok(check: string, says: string): Finding {
  return { check, state: 'ok', says };
}

/** It works, and something is not as it should be. */
export function warning(check: string, says: string, fix: string): Finding {
  return { check, state: 'warning', says, fix };
}

/** It does not work. */
export function fault(check: string, says: string, fix: string): Finding {
  return { check, state: 'fault', says, fix };
}

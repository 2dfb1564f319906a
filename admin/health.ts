/** Whether a daemon runs, and whether it can do its work. */
export interface Health {
  /** False: restart it. */
  readonly live: boolean;
  /** False: send it no work yet. */
  readonly ready: boolean;
  /** State of each part, by name, for people: `{ nats: 'connected' }`. */
  readonly checks: Readonly<Record<string, string | number>>;
}

/** Says which requests go through the swarm; of several rules the first that matches wins. */
export interface ForwardRule {
  /** `HOST` or `HOST:PORT` with `*` for any characters, or a regular expression between slashes; absent: all. */
  readonly host?: string | undefined;
  /** Regular expression, found anywhere in the path; absent: all. */
  readonly path?: string | undefined;
  /** Absent: all for `direct`, GET for `swarm`. */
  readonly methods?: readonly string[] | undefined;
  readonly use: 'swarm' | 'direct';
  /** Query parameters that neither name content nor grant access to it. */
  readonly filteredQuery?: readonly string[] | undefined;
}

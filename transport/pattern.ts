/** Whether a subject matches a pattern of NATS: `*` is one token, a last `>` one or more. */
export function matches(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const tokens = subject.split('.');
  for (const [index, token] of wanted.entries()) {
    if (token === '>') return index < tokens.length;
    if (token !== '*' && token !== tokens[index]) return false;
    if (index >= tokens.length) return false;
  }
  return wanted.length === tokens.length;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const NUMBERS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** Resolves with the first signal that asks to stop; a second one ends the process at once, after `last`. */
export function stopAsked(last: () => void = () => undefined): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    for (const name of SIGNALS) {
      process.on(name, () => {
        if (asked) {
          last();
          process.exit(128 + (NUMBERS[name] ?? 0));
        }
        asked = true;
        resolve(name);
      });
    }
  });
}

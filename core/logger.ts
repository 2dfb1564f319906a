type Write = (fields: Readonly<Record<string, unknown>>, message: string) => void;

/** The part of pino that Shoal's layers use: fields first, then a message in lower case. */
export interface Logger {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
}

/** Says nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

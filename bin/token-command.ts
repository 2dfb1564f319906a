import { connectDaemon } from '../admin/client.ts';
import { DEFAULT_NATS, loadSchedulerConfig } from '../app/config.ts';
import { createEmit } from '../app/events.ts';
import { openLog } from '../app/logging.ts';
import { realClock, realRandom } from '../app/real-world.ts';
import { connectSwarm } from '../app/swarm-client.ts';
import { SCOPES, type Scope, type TokenRecord, tokenNameSchema } from '../core/api-token.ts';
import type { AuditRecord } from '../core/audit.ts';
import { ShoalError } from '../core/errors.ts';
import { parseDuration } from '../core/units.ts';
import { writeAudit } from '../gateway/audit.ts';
import { TokenStore } from '../gateway/tokens/token-store.ts';
import { print } from './print.ts';
import { configInput } from './settings-flags.ts';
import { madeTokenText, revokedText, shownToken, tokensText } from './views/token.ts';

type Options = Readonly<Record<string, unknown>>;
type Write = (record: Pick<AuditRecord, 'action' | 'target'>) => Promise<void>;

/** Runs `token create`. @throws ERR_CONFIG_INVALID, ERR_BUS_* */
export async function runTokenCreate(name: string, options: Options): Promise<void> {
  const wish = { name: nameOf(name), scopes: scopesOf(options), forMs: expiryOf(options) };
  await withTokens(options, async (tokens, write) => {
    const { record, text } = await tokens.create(wish);
    await write({ action: 'token.create', target: record.id });
    await show(options, { ...shownToken(record), token: text }, () => madeTokenText(record, text));
  });
}

/** Runs `token ls`. */
export function runTokenLs(options: Options): Promise<void> {
  return withTokens(options, async (tokens) => {
    const records = await tokens.list();
    await show(options, records.map(shownToken), () => tokensText(records, Date.now()));
  });
}

/** Runs `token revoke`. @throws ERR_TOKEN_NOT_FOUND */
export function runTokenRevoke(named: string | undefined, options: Options): Promise<void> {
  return withTokens(options, async (tokens, write) => {
    const revoked: TokenRecord[] = await tokens.revoke(named);
    for (const { id } of revoked) await write({ action: 'token.revoke', target: id });
    await show(options, revoked.map(shownToken), () => revokedText(revoked));
  });
}

/** Where NATS is say a flag, the environment or the file, else the daemon beside. */
async function withTokens(
  options: Options,
  use: (tokens: TokenStore, write: Write) => Promise<void>,
): Promise<void> {
  const config = loadSchedulerConfig({ ...configInput(options), defaults: { 'log-level': 'warn' } });
  const logger = openLog(config.log);
  const servers = config.nats?.servers ?? (await besides(config.dir)) ?? [DEFAULT_NATS];
  const client = await connectSwarm(config.swarm, { servers, login: config.natsLogin }, logger);
  const { bus } = client;
  const world = { bus, clock: realClock, random: realRandom };
  const emit = createEmit({ bus, swarm: config.swarm, speaker: bus.name, pieceEvents: false });
  const who = `${process.env['USER'] ?? 'somebody'}@${bus.name}`.slice(0, 200);
  try {
    await use(new TokenStore(world), (record) =>
      writeAudit({ ...world, emit, logger }, { ...record, who, outcome: 'done' }),
    );
  } finally {
    await client[Symbol.asyncDispose]();
  }
}

async function besides(dir: string): Promise<readonly string[] | undefined> {
  const status = await connectDaemon(dir)
    .then((daemon) => daemon.status())
    .catch(() => undefined);
  return status?.nats.url?.split(',');
}

/** @throws ERR_CONFIG_INVALID */
function nameOf(text: string): string {
  const parsed = tokenNameSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new ShoalError('ERR_CONFIG_INVALID', `the name of a token: ${parsed.error.issues[0]?.message ?? ''}`);
}

/** @throws ERR_CONFIG_INVALID */
function scopesOf({ scope }: Options): Scope[] {
  return String(scope)
    .split(',')
    .map((text) => {
      const known = SCOPES.find((one) => one === text.trim());
      if (known !== undefined) return known;
      throw new ShoalError('ERR_CONFIG_INVALID', `--scope: there are ${SCOPES.join(', ')}`);
    });
}

const MOST_MS = parseDuration('36500d');

/** @throws ERR_CONFIG_INVALID */
function expiryOf({ expires }: Options): number | undefined {
  if (expires === 'never') return undefined;
  const forMs = Math.round(parseDuration(String(expires)));
  if (forMs > 0 && forMs <= MOST_MS) return forMs;
  throw new ShoalError('ERR_CONFIG_INVALID', '--expires: from 1ms to 36500d, or never');
}

function show(options: Options, value: unknown, text: () => string): Promise<void> {
  return print(options['json'] === true ? `${JSON.stringify(value, null, 2)}\n` : text());
}

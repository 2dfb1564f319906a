/** What the API answered where it was not what was asked for. */
export class AskError extends Error {
  readonly status: number;
  readonly code: string;
  readonly fix: string;

  constructor(status: number, told: { code?: string; message?: string; fix?: string }) {
    super(told.message ?? `the gateway answered ${status}`);
    this.status = status;
    this.code = told.code ?? '';
    this.fix = told.fix ?? '';
  }
}

const TOKEN_KEY = 'shoal-token';

/** The token of this tab; it is gone when the tab is. */
export function savedToken(): string {
  return sessionStorage.getItem(TOKEN_KEY) ?? '';
}

export function saveToken(token: string): void {
  if (token === '') sessionStorage.removeItem(TOKEN_KEY);
  else sessionStorage.setItem(TOKEN_KEY, token);
}

interface Asked {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** Asks the API. @throws AskError */
export async function ask<T>(path: string, { method = 'GET', body, signal }: Asked = {}): Promise<T> {
  const answer = await send(path, {
    method,
    ...(signal && { signal }),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return answer.json();
}

async function send(path: string, options: RequestInit): Promise<Response> {
  const headers: Record<string, string> = { authorization: `Bearer ${savedToken()}` };
  if (options.body !== undefined) headers['content-type'] = 'application/json';
  const answer = await fetch(path, { ...options, headers });
  if (answer.ok) return answer;
  const told: { error?: { code?: string; message?: string; fix?: string } } = await answer
    .json()
    .catch(() => ({}));
  throw new AskError(answer.status, told.error ?? {});
}

const AGAIN_MS = 2_000;

/** Follows a stream of server-sent events until the signal; a stream that breaks off is opened again. */
export async function followEvents<T>(
  path: string,
  onEvent: (name: string, data: T) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const { body } = await send(path, { signal });
      if (body === null || (await readEvents(body, onEvent)) === 'over') return;
    } catch (error) {
      if (signal.aborted || (error instanceof AskError && error.status < 500)) return;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

async function readEvents<T>(
  body: ReadableStream<Uint8Array>,
  onEvent: (name: string, data: T) => void,
): Promise<'over' | 'cut'> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return rest === '' ? 'over' : 'cut';
    rest += decoder.decode(value, { stream: true });
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const name = /^event: ?(.*)$/m.exec(block)?.[1] ?? 'message';
      const data = [...block.matchAll(/^data: ?(.*)$/gm)].map(([, line]) => line).join('\n');
      if (data !== '') onEvent(name, JSON.parse(data));
    }
  }
}

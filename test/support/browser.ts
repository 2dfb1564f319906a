import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, chromium, type Page } from 'playwright-core';

/** A page of Debian's Chromium, and what went wrong in it. */
export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors of its console and of its scripts, and requests that left its own server. */
  readonly wrong: string[];
}

/** Starts the browser without a window. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: '/usr/bin/chromium-headless-shell', args: ['--no-sandbox'] });
}

/** A page of this size, in light or dark. */
export async function openPage(
  browser: Browser,
  origin: string,
  look: { readonly width: number; readonly height: number; readonly colorScheme?: 'light' | 'dark' },
): Promise<OpenPage> {
  const { width, height, colorScheme = 'light' } = look;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme });
  const page = await context.newPage();
  const wrong: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') wrong.push(message.text());
  });
  page.on('pageerror', (error) => wrong.push(String(error)));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith('data:')) wrong.push(`asked for ${url}`);
  });
  return { page, wrong, [Symbol.asyncDispose]: () => context.close() };
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Violation {
  readonly id: string;
  readonly impact?: string | null;
  readonly nodes: readonly { readonly html: string }[];
}

/** What axe-core finds on the page that keeps people out: serious and critical. */
export async function keepsOut(page: Page): Promise<string[]> {
  // The policy of the page lets no other script in; the browser's own way does not ask it.
  const session = await page.context().newCDPSession(page);
  await session.send('Runtime.evaluate', { expression: AXE });
  const found = await session.send('Runtime.evaluate', {
    expression: 'axe.run().then(({ violations }) => JSON.stringify(violations))',
    awaitPromise: true,
    returnByValue: true,
  });
  const violations: Violation[] = JSON.parse(String(found.result.value));
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`);
}

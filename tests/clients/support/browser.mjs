// Headless Chromium, and pages in it that come from an origin other than the server's.
import { once } from 'node:events';
import http from 'node:http';
import { after } from 'node:test';
import { chromium } from 'playwright-core';

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
after(() => browser.close());

const pages = new Map();
const site = http.createServer((request, reply) => {
  const { type = 'text/html; charset=utf-8', body } = pages.get(request.url) ?? { body: '' };
  reply.writeHead(200, { 'Content-Type': type }).end(body);
});
site.listen(0, '127.0.0.1');
await once(site, 'listening');
after(() => site.close());
const origin = `http://127.0.0.1:${site.address().port}`;

/** Puts a file on the pages' site; answers its address. */
export function publish(path, body, type) {
  pages.set(path, { body, type });
  return origin + path;
}

/**
 * A page with this content in a browser profile of its own, closed after the test.
 *
 * `page.complaints` are its uncaught errors; `page.logged` what it wrote with console.log, as text. `clock`: its time
 * stands still until `page.clock` moves it.
 */
export async function openPage(t, content, { clock = false } = {}) {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(90_000); // a busy machine
  page.complaints = [];
  page.logged = [];
  page.on('pageerror', (error) => page.complaints.push(error.message));
  page.on('console', (message) => message.type() === 'log' && page.logged.push(message.text()));
  if (clock) await page.clock.install();
  await page.goto(publish('/', `<!doctype html><title>Shop</title>${content}`));
  return page;
}

// Headless Chromium, the only one of a suite: pages of people who are signed in, and pages that come from an origin
// other than the server's.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { createRequire } from 'node:module';
import { after } from 'node:test';
import { chromium } from 'playwright-core';

/** For a busy machine. */
export const patience = 90_000;

/** The browser, which ends with the suite. */
export const browser = await chromium.launch({
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

/** A profile of its own, closed after the test `t` (`null`: by whom asked for it). */
export async function openContext(t, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(patience);
  context.setDefaultNavigationTimeout(patience);
  t?.after(() => context.close());
  return context;
}

/** A page in it. `page.complaints` are its uncaught errors; `page.logged` what it wrote with console.log, as text. */
async function openTab(context) {
  const page = await context.newPage();
  page.complaints = [];
  page.logged = [];
  page.on('pageerror', (error) => page.complaints.push(error.message));
  page.on('console', (message) => message.type() === 'log' && page.logged.push(message.text()));
  return page;
}

/** A page of ours in it: what it wrote with console.error and what broke its policy are complaints, too. */
export async function openOwn(context) {
  const page = await openTab(context);
  await page.addInitScript(() => addEventListener('securitypolicyviolation', (event) =>
    console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI}`)));
  page.on('console', (message) => message.type() === 'error' && page.complaints.push(message.text()));
  return page;
}

/** Fills the sign-in form and sends it. */
export async function fillSignIn(page, url, name, password) {
  await page.goto(`${url}/signin`);
  await page.fill('#username', name);
  await page.fill('#password', password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Signs somebody in through the form; answers what the browser keeps of it. */
export async function signIn(url, name, password) {
  const context = await openContext(null);
  try {
    const page = await openOwn(context);
    await fillSignIn(page, url, name, password);
    await page.waitForURL(`${url}/`);
    return await context.storageState();
  } finally {
    await context.close();
  }
}

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const wcag = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** What axe-core finds wrong with a page as it stands (WCAG 2.2 AA), one line each. */
export async function faultsOf(page, tags = wcag) {
  // axe comes in over the debugging protocol, past the policy that keeps other scripts out of the page.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe);
  return page.evaluate(async (runOnly) => {
    // Colours may still be on their way to those of another theme.
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const ending = document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(ending.map((one) => one.finished));
    const { violations } = await globalThis.axe.run({ runOnly, resultTypes: ['violations'], preload: false });
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`);
  }, tags);
}

/** Whether it scrolls sideways. */
export const isTooWide = (page) => page.evaluate(() => document.documentElement.scrollWidth > innerWidth);

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

/** A page with this content in a profile of its own. `clock`: its time stands still until `page.clock` moves it. */
export async function openPage(t, content, { clock = false } = {}) {
  const page = await openTab(await openContext(t));
  if (clock) await page.clock.install();
  await page.goto(publish('/', `<!doctype html><title>Shop</title>${content}`));
  return page;
}

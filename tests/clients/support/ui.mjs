// The admin UI in Chromium: a server of its own with real data, and people signed in before it.
import assert from 'node:assert/strict';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { makeDatabase, serve } from './server.mjs';

export const password = 'a quiet harbour';
export const roles = ['viewer', 'editor', 'admin'];
/** For a busy machine. */
const patience = 90_000;
const shots = process.env.PAGES_SHOTS;

/** Serves the fixture and the 180 studies to `admin`, `editor` and `viewer`, each signed in. */
export async function openUi() {
  const database = await makeDatabase(process.env.FEATURED_BIN);
  await database.importDocument('../data/browser-studies.json');
  for (const role of roles) {
    await database.featured(
      ['user', 'add', role, '--email', `${role}@shop.example`, '--role', role, '--password-stdin'], password);
  }
  const server = await serve(process.env.FEATURED_BIN, database.db);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  if (shots) await mkdir(shots, { recursive: true });
  const ui = { server, browser, database, url: server.url, states: new Map() };

  /** Signs somebody in through the form; answers what the browser keeps of it. */
  ui.signIn = async (name) => {
    const context = await browser.newContext();
    context.setDefaultTimeout(patience);
    context.setDefaultNavigationTimeout(patience);
    const page = await context.newPage();
    await page.goto(`${server.url}/signin`);
    await page.fill('#username', name);
    await page.fill('#password', password);
    await page.click('button.main');
    await page.waitForURL(`${server.url}/`);
    const state = await context.storageState();
    await context.close();
    return state;
  };

  /** A browser of somebody who is signed in (`null`: of nobody). */
  ui.context = async (t, role, options = {}) => {
    const context = await browser.newContext({ ...(role && { storageState: ui.states.get(role) }), ...options });
    context.setDefaultTimeout(patience);
    context.setDefaultNavigationTimeout(patience);
    t.after(() => context.close());
    return context;
  };

  /** A page in it. `page.complaints` are its errors and what it reported of the content security policy. */
  ui.page = async (context) => {
    const page = await context.newPage();
    page.complaints = [];
    await page.addInitScript(() => addEventListener('securitypolicyviolation', (event) =>
      console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI}`)));
    page.on('pageerror', (error) => page.complaints.push(error.message));
    page.on('console', (message) => message.type() === 'error' && page.complaints.push(message.text()));
    return page;
  };

  ui.open = async (t, role, options) => ui.page(await ui.context(t, role, options));

  ui.close = async () => {
    await browser.close();
    await server.stop();
    await database.remove();
  };

  try {
    for (const role of roles) ui.states.set(role, await ui.signIn(role));
  } catch (error) {
    await ui.close();
    throw error;
  }
  return ui;
}

/** Keeps a picture for people to look at, where pictures are wanted. */
export async function keep(page, name, options = {}) {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true, ...options });
}

/** What the sources give to the router for GET, as `module::function`. */
export async function registeredPages() {
  const root = fileURLToPath(new URL('../../../src/ui', import.meta.url));
  const found = new Set();
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.rs')) continue;
    const text = await readFile(join(entry.parentPath, entry.name), 'utf8');
    const own = entry.name === 'mod.rs' ? entry.parentPath.split('/').at(-1) : entry.name.replace('.rs', '');
    for (const [, name] of text.matchAll(/\bget\(\)\s*\.to\(\s*([A-Za-z_:]+)\s*\)/g)) {
      const parts = name.split('::');
      found.add(`${parts.length > 1 ? parts.at(-2) : own}::${parts.at(-1)}`);
    }
  }
  assert.ok(found.size > 30, 'the sources are read');
  return found;
}

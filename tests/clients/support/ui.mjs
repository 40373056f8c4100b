// The admin UI in Chromium: a server of its own with data in it, and people signed in before it.
import assert from 'node:assert/strict';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openContext, openOwn, signIn } from './browser.mjs';
import { makeDatabase, serve } from './server.mjs';

export const password = 'a quiet harbour';
export const roles = ['viewer', 'editor', 'admin'];
export const sizes = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
const shots = process.env.PAGES_SHOTS;

/** Serves the fixture and these documents to these people, who are called as their role; each is signed in. */
export async function openUi({ people = roles, documents = ['../data/browser-studies.json'] } = {}) {
  const database = await makeDatabase(process.env.FEATURED_BIN);
  for (const name of documents) await database.importDocument(name);
  for (const role of people) {
    await database.featured(
      ['user', 'add', role, '--email', `${role}@shop.example`, '--role', role, '--password-stdin'], password);
  }
  const tokens = new Map();
  for (const name of people) {
    const words = await database.featured(['user', 'pat', name, '--description', 'client suites']);
    tokens.set(name, words.split(/\s+/).at(-1));
  }
  const server = await serve(process.env.FEATURED_BIN, database.db);
  if (shots) await mkdir(shots, { recursive: true });
  const ui = { server, database, url: server.url, states: new Map() };

  /** Signs somebody in through the form; answers what the browser keeps of it. */
  ui.signIn = (name) => signIn(server.url, name, password);

  /** A profile of somebody who is signed in (`null`: of nobody). */
  ui.context = (t, who, options = {}) =>
    openContext(t, { ...(who && { storageState: ui.states.get(who) }), ...options });

  ui.open = async (t, who, options) => openOwn(await ui.context(t, who, options));

  /** The admin API under somebody's personal access token: answers the decoded body. */
  ui.caller = (name) => async (method, path, body) => {
    const answer = await fetch(`${server.url}/api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${tokens.get(name)}`, 'Content-Type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return text && JSON.parse(text);
  };

  ui.close = async () => {
    await server.stop();
    await database.remove();
  };

  try {
    for (const role of people) ui.states.set(role, await ui.signIn(role));
  } catch (error) {
    await ui.close();
    throw error;
  }
  return ui;
}

/** Keeps a picture for people to look at, where pictures are wanted. */
export async function keep(page, name, options = {}) {
  if (shots) await page.screenshot({ path: join(shots, `${name}.jpeg`), quality: 70, fullPage: true, ...options });
}

/** A path as the name of a picture. */
export const pictureName = (path) => path.replace(/[^a-z0-9]+/gi, '_');

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

// Every page of the admin UI in Chromium, with real data: as each role, light and dark, desktop and phone. axe-core
// finds nothing, nothing is logged, nothing breaks the content security policy, nothing scrolls sideways, and the
// first view stays small. Screenshots go to PAGES_SHOTS for people to look at.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { makeDatabase, serve } from './support/server.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const shots = process.env.PAGES_SHOTS;
const password = 'a quiet harbour';
const prod = '/sites/shop/environments/prod';
const pages = [
  '/', '/sites', '/sites/shop', `${prod}/settings`,
  `${prod}/features`, '/sites/browser/environments/prod/features', '/sites/browser/environments/prod/features?q=nothing-like-it',
  `${prod}/features/new_checkout`, `${prod}/features/new_checkout/variants`, `${prod}/features/new_checkout/history`,
  `${prod}/segments`, `${prod}/test?feature=new_checkout&context=%7B%22userId%22%3A%22u1%22%2C%22plan%22%3A%22premium%22%7D`,
  `${prod}/audit`, '/audit', `${prod}/tokens`, '/find?q=checkout',
  '/help', '/help/concepts', '/help/evaluation', '/help/rules', '/help/integrate', '/help/git', '/help/running', '/help/webhooks', '/help/gdpr',
  `${prod}/webhooks`,
];
const admins = ['/admin/gdpr'];
const editors = [`${prod}/features/new`, `${prod}/features/new_checkout?rule=new`];

describe('pages', () => {
  let database, server, browser;
  const states = new Map();

  before(async () => {
    database = await makeDatabase(process.env.FEATURED_BIN);
    await database.importDocument('../data/browser-studies.json');
    for (const role of ['admin', 'editor', 'viewer']) {
      await database.featured(
        ['user', 'add', role, '--email', `${role}@shop.example`, '--role', role, '--password-stdin'], password);
    }
    server = await serve(process.env.FEATURED_BIN, database.db);
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync'],
    });
    if (shots) await mkdir(shots, { recursive: true });
    for (const role of ['admin', 'editor', 'viewer']) states.set(role, await signIn(role));
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await database?.remove();
  });

  async function signIn(name, options = {}) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    await page.goto(`${server.url}/signin`);
    await page.fill('#username', name);
    await page.fill('#password', password);
    await page.click('button.main');
    await page.waitForURL(`${server.url}/`);
    const state = await context.storageState();
    await context.close();
    return state;
  }

  /** A page of a signed-in role; `page.complaints` collects what the browser complained about. */
  async function open(t, role, options = {}) {
    const context = await browser.newContext({ storageState: states.get(role), ...options });
    t.after(() => context.close());
    const page = await context.newPage();
    page.complaints = [];
    page.on('pageerror', (error) => page.complaints.push(error.message));
    page.on('console', (message) => message.type() === 'error' && page.complaints.push(message.text()));
    return page;
  }

  const looks = [
    ['desktop', { width: 1280, height: 900 }, 'light'], ['desktop', { width: 1280, height: 900 }, 'dark'],
    ['phone', { width: 390, height: 844 }, 'light'], ['phone', { width: 390, height: 844 }, 'dark'],
  ];
  for (const [size, viewport, colorScheme] of looks) {
    test(`an admin's pages have no fault on a ${size}, ${colorScheme}`, async (t) => {
      const page = await open(t, 'admin', { viewport, colorScheme });
      // axe comes in over the debugging protocol, past the policy that keeps other scripts out of the page.
      const faults = [];
      for (const path of [...pages, ...editors, ...admins]) {
        const answer = await page.goto(server.url + path);
        if (answer.status() !== 200) faults.push(`${path}: ${answer.status()}`);
        if (shots) {
          const name = `${path.replace(/[^a-z0-9]+/gi, '_')}-${size}-${colorScheme}.png`;
          await page.screenshot({ path: join(shots, name), fullPage: true });
        }
        const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
        if (wide) faults.push(`${path}: scrolls sideways`);
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() =>
          axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }));
        for (const { id, nodes } of violations) faults.push(`${path}: ${id}: ${nodes[0].html.slice(0, 200)}`);
      }
      assert.deepEqual(faults, []);
      assert.deepEqual(page.complaints, []);
    });
  }

  for (const role of ['editor', 'viewer']) {
    test(`every page opens for a ${role}`, async (t) => {
      const page = await open(t, role);
      for (const path of pages) assert.equal((await page.goto(server.url + path)).status(), 200, path);
      assert.deepEqual(page.complaints, []);
    });
  }

  test('a viewer sees no controls, and the server refuses what they post', async (t) => {
    const page = await open(t, 'viewer');
    await page.goto(`${server.url}${prod}/features`);
    assert.equal(await page.locator('main form[method=post]').count(), 0);
    const csrf = await page.locator('input[name=csrf]').first().getAttribute('value');
    const answer = await page.request.post(`${server.url}/sites`, { form: { csrf, name: 'Mine' }, maxRedirects: 0 });
    assert.equal(answer.status(), 403);
  });

  test('nobody gets in without a session, and comes back to where they were', async (t) => {
    const context = await browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(`${server.url}${prod}/tokens`);
    assert.equal(new URL(page.url()).pathname, '/signin');
    await page.fill('#username', 'editor');
    await page.fill('#password', 'not the password');
    await page.click('button.main');
    assert.match(await page.locator('.err').first().textContent(), /do not fit together/);
    await page.fill('#password', password);
    await page.click('button.main');
    await page.waitForURL(`${server.url}${prod}/tokens`);
  });

  test('a form without the right CSRF token changes nothing', async (t) => {
    const page = await open(t, 'admin');
    const answer = await page.request.post(`${server.url}/sites`, {
      form: { csrf: 'made-up', name: 'Forged' }, maxRedirects: 0,
    });
    assert.equal(answer.status(), 303);
    await page.goto(`${server.url}/sites`);
    assert.equal(await page.getByText('Forged').count(), 0);
  });

  for (const javaScriptEnabled of [true, false]) {
    test(`a site, a feature and its switch ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async (t) => {
      const page = await open(t, 'editor', { javaScriptEnabled });
      const name = javaScriptEnabled ? 'Scripted' : 'Plain';
      await page.goto(`${server.url}/sites`);
      await page.fill('#name', `${name} <b>site</b>`);
      await page.getByRole('button', { name: 'Create site' }).click();
      // Markup in a name is text.
      assert.equal(await page.locator('h1').textContent(), `${name} <b>site</b>`);
      const site = new URL(page.url()).pathname;
      await page.goto(`${server.url}${site}/environments/prod/features/new`);
      await page.fill('[name=key]', 'not a key');
      await page.getByRole('button', { name: /^Create in/ }).click();
      assert.equal(await page.locator('[name=key]').inputValue(), 'not a key', 'what was typed is there again');
      assert.ok(await page.locator('.err').count() > 0);
      await page.fill('[name=key]', 'first.flag');
      await page.getByRole('button', { name: /^Create in/ }).click();
      await page.waitForURL(/features\/first\.flag/);
      await page.goto(`${server.url}${site}/environments/prod/features`);
      assert.ok(await page.getByText('first.flag').count() > 0);
    });
  }

  test('the first view of a page is small', async (t) => {
    const page = await open(t, 'admin');
    const session = await page.context().newCDPSession(page);
    await session.send('Network.enable');
    for (const path of ['/', '/sites/browser/environments/prod/features', `${prod}/features/new_checkout`]) {
      await session.send('Network.clearBrowserCache');
      let bytes = 0;
      const count = ({ encodedDataLength }) => { bytes += encodedDataLength; };
      session.on('Network.loadingFinished', count);
      await page.goto(server.url + path, { waitUntil: 'networkidle' });
      session.off('Network.loadingFinished', count);
      assert.ok(bytes <= 50 * 1024, `${path}: ${bytes} bytes`);
    }
  });
});

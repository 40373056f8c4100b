// What people do in the admin UI, in Chromium: the main job by keyboard alone and without JavaScript, two tabs on one
// form, a session that ends in between, live figures, undo, the palette, and the code that the help offers.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openOwn } from './support/browser.mjs';
import { keep, openUi, password } from './support/ui.mjs';

const shop = '/sites/shop/environments/prod';

describe('journeys', () => {
  let ui;
  before(async () => { ui = await openUi(); });
  after(() => ui?.close());

  /** Makes a site, whose prod is production from birth, through the form. */
  async function makeSite(page, name) {
    await page.goto(`${ui.url}/sites`);
    await page.fill('#name', name);
    await page.getByRole('button', { name: 'Create site' }).click();
    await page.waitForURL(/\/sites\/[a-z0-9-]+$/);
    return new URL(page.url()).pathname;
  }

  async function makeFeature(page, site, key) {
    await page.goto(`${ui.url}${site}/environments/prod/features/new`);
    await page.fill('#key', key);
    await page.getByRole('button', { name: /^Create in/ }).click();
    await page.waitForURL(new RegExp(`/features/${key}$`));
    return `${site}/environments/prod/features/${key}`;
  }

  /** Tab, until what has the focus fits. */
  async function tabTo(page, selector, back = false) {
    for (let step = 0; step < 200; step++) {
      await page.keyboard.press(back ? 'Shift+Tab' : 'Tab');
      const here = await page.evaluate((wanted) => {
        const at = document.activeElement;
        return at !== document.body && at.matches(wanted);
      }, selector);
      if (here) return;
    }
    throw new Error(`Tab never reaches ${selector} on ${page.url()}`);
  }

  /** Arrow down in a list, until the value is chosen. */
  async function choose(page, value) {
    const chosen = () => page.evaluate(() => document.activeElement.value);
    await page.keyboard.press('Home');
    for (let step = 0; await chosen() !== value; step++) {
      assert.ok(step < 60, `${value} is not in the list`);
      await page.keyboard.press('ArrowDown');
    }
  }

  const type = (page, text) => page.keyboard.type(text);
  const press = async (page, key, then) => {
    const moved = then && page.waitForURL(then);
    await page.keyboard.press(key);
    await moved;
    await page.waitForLoadState();
  };

  test('the main job by keyboard alone', async (t) => {
    const page = await ui.open(t, 'editor');
    await makeSite(page, 'Keys');
    // From here on nothing is clicked.
    await page.goto(`${ui.url}/`);
    await page.keyboard.press('Control+k');
    await type(page, 'keys prod');
    // At once: the list of what was typed is still on its way.
    await press(page, 'Enter', /\/sites\/keys\/environments\/prod\/features$/);

    await tabTo(page, 'main a[href$="/features/new"]');
    await press(page, 'Enter', /\/features\/new$/);
    await tabTo(page, '#key');
    await type(page, 'beta');
    await tabTo(page, 'main button.btn');
    await press(page, 'Enter', /\/features\/beta$/);

    await tabTo(page, 'main a[href*="?rule=new"]');
    await press(page, 'Enter', /rule=new/);
    await tabTo(page, '#name');
    await type(page, 'Nordic or paying');
    await tabTo(page, 'button[value="add:g0"]');
    await press(page, 'Enter');
    await page.locator('[name$=".attribute"]').first().waitFor();
    const at = () => page.evaluate(() => document.activeElement.name ?? '');
    // The new condition has the focus, or is a few steps away.
    if (!/attribute$/.test(await at())) await tabTo(page, '[name$=".attribute"]');
    await type(page, 'active');
    await tabTo(page, '[name$=".values"]');
    await type(page, 'true');
    await tabTo(page, 'button[value="group:g0"]');
    await press(page, 'Enter');
    await page.locator('fieldset.grp fieldset.grp [name$=".attribute"]').waitFor();
    if (!/attribute$/.test(await at())) await tabTo(page, 'fieldset.grp fieldset.grp [name$=".attribute"]');
    await type(page, 'country');
    await tabTo(page, 'fieldset.grp fieldset.grp [name$=".operator"]');
    await choose(page, 'in');
    await tabTo(page, 'fieldset.grp fieldset.grp [name$=".values"]');
    await type(page, 'SE, NO');
    await keep(page, 'journey-keyboard-rule');
    await tabTo(page, 'button[name=op][value=save]');
    await press(page, 'Enter', /\/features\/beta#rule-/);
    assert.match(await page.locator('.rule summary').innerText(), /active is true and country is one of SE NO/);

    await page.keyboard.press('g');
    await press(page, 't', /\/test$/);
    await tabTo(page, '#feature');
    await type(page, 'beta');
    await press(page, 'Enter', /feature=beta/);
    await tabTo(page, '#a-active');
    await type(page, 'true');
    await tabTo(page, '#a-country');
    await type(page, 'NO');
    await press(page, 'Enter', /country=NO/);
    assert.match(await page.locator('.answer').innerText(), /TARGETING_MATCH/);
    assert.equal((await page.locator('.answer pre').innerText()).trim(), 'true');
    await keep(page, 'journey-keyboard-test');

    await page.keyboard.press('g');
    await press(page, 'f', /\/features$/);
    await tabTo(page, '#switch-beta');
    await page.keyboard.press('Space');
    // Production asks, with the key typed.
    await page.getByRole('heading', { name: 'Turn off in production?' }).waitFor();
    await tabTo(page, '#confirm');
    await type(page, 'betta');
    await press(page, 'Enter');
    await page.getByText('That is not the key.').waitFor();
    await tabTo(page, '#confirm');
    await page.keyboard.press('Control+a');
    await type(page, 'beta');
    await press(page, 'Enter');
    await page.getByText('beta is now off in prod.').waitFor();
    assert.equal(await page.locator('#switch-beta').getAttribute('aria-checked'), 'false');
    await tabTo(page, '.toast button');
    await page.keyboard.press('Enter');
    await page.getByText('beta is now on in prod.').waitFor();
    // The wrong key is answered with 422, which the browser notes.
    assert.deepEqual(page.complaints.filter((text) => !/422/.test(text)), []);
  });

  test('the main job without JavaScript', async (t) => {
    const page = await ui.open(t, 'editor', { javaScriptEnabled: false });
    const site = await makeSite(page, 'Plain <b>site</b>');
    assert.equal(await page.locator('h1').textContent(), 'Plain <b>site</b>', 'markup in a name is text');
    await page.goto(`${ui.url}${site}/environments/prod/features/new`);
    await page.fill('#key', 'not a key');
    await page.getByRole('button', { name: /^Create in/ }).click();
    assert.equal(await page.locator('#key').inputValue(), 'not a key', 'what was typed is there again');
    assert.match(await page.locator('.field .err').first().innerText(), /\w/);
    const path = await makeFeature(page, site, 'first.flag');
    await page.getByRole('link', { name: 'Add rule' }).click();
    await page.fill('#name', 'Nordic or paying');
    await page.locator('button[value="add:g0"]').click();
    await page.locator('[name$=".attribute"]').fill('active');
    await page.locator('[name$=".values"]').fill('true');
    await page.locator('button[value="group:g0"]').click();
    await page.locator('fieldset.grp fieldset.grp [name$=".attribute"]').fill('country');
    await page.locator('fieldset.grp fieldset.grp [name$=".operator"]').selectOption('in');
    await page.locator('fieldset.grp fieldset.grp [name$=".values"]').fill('SE, NO');
    await page.fill('#rollout-exact', '12.5');
    await page.locator('#sample').fill('{"active": true, "country": "SE", "userId": "u1"}');
    await page.locator('aside button[value=preview]').click();
    assert.match(await page.locator('#who').innerText(), /Bucket, rollout 12.5/);
    await keep(page, 'journey-plain-rule');
    await page.locator('button[name=op][value=save]').click();
    await page.waitForURL(/#rule-/);
    assert.match(await page.locator('.rule').innerText(), /country is one of SE NO/);
    await page.goto(`${ui.url}${site}/environments/prod/test?feature=first.flag`);
    await page.fill('#a-active', 'true');
    await page.fill('#a-country', 'SE');
    await page.fill('#a-userId', 'u1');
    await page.getByRole('button', { name: 'Ask' }).click();
    assert.match(await page.locator('.ladder').innerText(), /rollout (leaves this user out|includes this user)/);
    await page.goto(`${ui.url}${site}/environments/prod/features`);
    await page.locator('.switch').click();
    await page.fill('#confirm', 'first.flag');
    await page.getByRole('button', { name: 'Turn off' }).click();
    await page.getByText('first.flag is now off in prod.').waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('first.flag is now on in prod.').waitFor();
    // Deleting in production asks with the key typed, too.
    await page.goto(`${ui.url}${path}/delete`);
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.fill('#confirm', 'first.flag');
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByText('first.flag is deleted from prod.').waitFor();
    assert.equal(await page.getByRole('heading', { name: /No features in prod/ }).count(), 1);
  });

  test('of two tabs on one rule the second sees both versions', async (t) => {
    const context = await ui.context(t, 'editor');
    const [first, second] = [await openOwn(context), await openOwn(context)];
    const address = `${ui.url}${shop}/features/new_ui`;
    for (const page of [first, second]) {
      await page.goto(address);
      await page.locator('.rule summary').click();
      await page.locator('.rule').getByRole('link', { name: 'Edit' }).click();
      await page.waitForURL(/rule=/);
    }
    await first.fill('#name', 'Theirs');
    await first.fill('#rollout-exact', '60');
    await first.getByRole('button', { name: /^Save to/ }).click();
    await first.getByText(/Theirs is saved/).waitFor();
    await second.fill('#name', 'Mine');
    await second.fill('#rollout-exact', '70');
    await second.getByRole('button', { name: /^Save to/ }).click();
    const alert = second.getByRole('alert');
    await alert.waitFor();
    const text = await alert.innerText();
    assert.match(text, /Nothing was saved/);
    assert.match(text, /Theirs[\s\S]*60[\s\S]*Mine[\s\S]*70/);
    assert.equal(await second.locator('#name').inputValue(), 'Mine', 'what was typed is still there');
    await keep(second, 'journey-two-tabs');
    await first.goto(address);
    assert.match(await first.locator('.rule summary').innerText(), /Theirs/, 'nothing was overwritten');
    await second.getByRole('button', { name: 'Save mine over theirs' }).click();
    await second.getByText(/Mine is saved/).waitFor();
    await second.getByRole('button', { name: 'Undo' }).click();
    await second.getByText(/is as it was in version/).waitFor();
    assert.match(await second.locator('.rule summary').innerText(), /Theirs/);
  });

  test('of two tabs on the settings of a site the second sees both versions', async (t) => {
    const context = await ui.context(t, 'editor');
    const [first, second] = [await openOwn(context), await openOwn(context)];
    for (const page of [first, second]) await page.goto(`${ui.url}/sites/shop/settings`);
    await first.fill('#description', 'What they say');
    await first.getByRole('button', { name: 'Save' }).click();
    await first.getByText('The settings of Shop are saved.').waitFor();
    await second.fill('#description', 'What I say');
    await second.getByRole('button', { name: 'Save' }).click();
    const text = await second.getByRole('alert').innerText();
    assert.match(text, /What they say/);
    assert.match(text, /What I say/);
    await keep(second, 'journey-two-tabs-site');
    await second.getByRole('link', { name: 'Take theirs' }).click();
    assert.equal(await second.locator('#description').inputValue(), 'What they say');
  });

  test('a session that ended leads back to where the person was', async (t) => {
    const context = await ui.context(t, null, { storageState: await ui.signIn('editor') });
    const [page, other] = [await openOwn(context), await openOwn(context)];
    const address = `${ui.url}${shop}/features/new_ui?edit=settings`;
    await page.goto(address);
    await other.goto(`${ui.url}/account`);
    await other.locator('.face').click();
    await other.locator('#account-menu').getByRole('button', { name: 'Sign out' }).click();
    await other.waitForURL(/signin/);
    await page.fill('#description', 'after the end');
    await page.getByRole('button', { name: /^Save to/ }).click();
    await page.waitForURL(/\/signin\?next=/);
    await page.fill('#username', 'editor');
    await page.fill('#password', 'not the password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    assert.match(await page.locator('.err').first().innerText(), /do not fit together/);
    assert.equal(await page.locator('#username').inputValue(), 'editor');
    await page.fill('#password', password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(address);

    // A form of the session before: back to its page, which says so, and nothing is changed.
    await other.goto(`${ui.url}/account`);
    await other.locator('.face').click();
    await other.locator('#account-menu').getByRole('button', { name: 'Sign out' }).click();
    await other.waitForURL(/signin/);
    await other.fill('#username', 'editor');
    await other.fill('#password', password);
    await other.getByRole('button', { name: 'Sign in' }).click();
    await other.waitForURL(`${ui.url}/`);
    await page.fill('#description', 'with an old form');
    await page.getByRole('button', { name: /^Save to/ }).click();
    await page.getByText('That form was out of date').waitFor();
    assert.equal(page.url(), address);
    assert.notEqual(await page.locator('#description').inputValue(), 'with an old form');
  });

  test('the dashboard follows changes by itself', async (t) => {
    const page = await ui.open(t, 'viewer');
    await page.goto(`${ui.url}/`);
    const sites = page.locator('.figures a').first().locator('b');
    const before = Number(await sites.innerText());
    await page.evaluate(() => { globalThis.untouched = true; });
    const editor = await ui.open(t, 'editor');
    await makeSite(editor, 'Seen at once');
    await page.locator('.log', { hasText: 'seen-at-once' }).waitFor();
    assert.equal(Number(await sites.innerText()), before + 1);
    assert.ok(await page.evaluate(() => globalThis.untouched), 'the page was not loaded again');
    assert.deepEqual(page.complaints, []);
  });

  test('a switch in a long list stays where it is, keeps the focus and can be undone', async (t) => {
    const page = await ui.open(t, 'editor');
    await page.goto(`${ui.url}/sites/browser/environments/prod/features?sort=key`);
    const last = page.locator('.switch').last();
    const id = await last.getAttribute('id');
    await last.scrollIntoViewIfNeeded();
    const before = await page.evaluate(() => scrollY);
    assert.ok(before > 200);
    await last.click();
    const toast = page.locator('.toast');
    await toast.waitFor();
    assert.match(await toast.innerText(), /is now off in prod/);
    assert.equal(await page.locator(`[id="${id}"]`).getAttribute('aria-checked'), 'false');
    assert.equal(await page.evaluate(() => document.activeElement.id), id);
    assert.ok(Math.abs(await page.evaluate(() => scrollY) - before) < 40, 'nothing jumped');
    assert.match(page.url(), /features\?sort=key$/);
    await keep(page, 'journey-toast', { fullPage: false });
    await toast.getByRole('button', { name: 'Undo' }).click();
    await page.getByText(/is now on in prod/).waitFor();
    // The scripts still work on what came in.
    await page.keyboard.press('Control+k');
    await page.locator('#palette li a').first().waitFor();
    await page.keyboard.press('Escape');
    assert.deepEqual(page.complaints, []);
  });

  test('the header switches environment and site, and keeps the page', async (t) => {
    const page = await ui.open(t, 'viewer');
    const href = (menu, name) => page.locator(`#${menu} a`, { hasText: name }).first().getAttribute('href');
    await page.goto(`${ui.url}${shop}/test?feature=new_checkout`);
    assert.equal(await href('environment-menu', 'dev'), '/sites/shop/environments/dev/test?feature=new_checkout');
    assert.equal(await href('site-menu', 'Browser studies'), '/sites/browser/environments/prod/test');
    await page.goto(`${ui.url}${shop}/features/new_checkout`);
    const dev = await href('environment-menu', 'dev');
    assert.match(dev, /^\/sites\/shop\/environments\/dev\/features(\/new_checkout)?$/);
    assert.equal((await page.goto(ui.url + dev)).status(), 200);
    await page.goto(`${ui.url}${shop}/features/premium_banner/history`);
    assert.equal(await href('environment-menu', 'dev'), '/sites/shop/environments/dev/features', 'no such feature there');
    await page.goto(`${ui.url}${shop}/segments/staff`);
    assert.equal(await href('environment-menu', 'dev'), '/sites/shop/environments/dev/segments/staff');
    await page.goto(`${ui.url}/sites/shop/settings`);
    assert.equal(await href('site-menu', 'Browser studies'), '/sites/browser/settings');
  });

  test('the palette finds features and actions by keys', async (t) => {
    const page = await ui.open(t, 'admin');
    await page.goto(`${ui.url}/sites/browser/environments/prod/features`);
    await page.keyboard.press('Control+k');
    await page.keyboard.type('emailaliases');
    await page.locator('#palette li a', { hasText: 'EmailAliasesStudy' }).first().waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/features\/EmailAliasesStudy/);
    await page.keyboard.press('Control+k');
    await page.keyboard.type('two-factor');
    await page.locator('#palette li a', { hasText: 'Two-factor sign-in' }).first().waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/admin\/two-factor/);
    // And as a page of its own for those without the script.
    await page.goto(`${ui.url}/find?q=emailaliases`);
    assert.ok(await page.locator('main a', { hasText: 'EmailAliasesStudy' }).count() > 0);
    assert.deepEqual(page.complaints, []);
  });

  test('code from the help asks this server when it is copied', async (t) => {
    const context = await ui.context(t, 'viewer', { permissions: ['clipboard-read', 'clipboard-write'] });
    const page = await openOwn(context);
    const token = await ui.database.token('shop', 'server');
    const folder = await mkdtemp(join(tmpdir(), 'featured-help-'));
    t.after(() => rm(folder, { recursive: true }));
    const run = (command, ...words) => new Promise((resolve, reject) =>
      execFile(command, words, { timeout: 60_000 }, (error, stdout, stderr) => error ? reject(new Error(stderr)) : resolve(stdout.trim())));
    const copied = async (name, id) => {
      await page.goto(`${ui.url}/help/${name}`);
      await page.selectOption('#at', 'shop/prod');
      await page.getByRole('button', { name: 'Use' }).click();
      await page.locator(`[data-copy=${id}]`).click();
      await page.locator(`[data-copy=${id}]`, { hasText: 'Copied' }).waitFor();
      const text = await page.evaluate(() => navigator.clipboard.readText());
      assert.ok(text.includes(ui.url) && text.includes('YOUR_TOKEN'), text);
      return text.replaceAll('YOUR_TOKEN', token);
    };
    await writeFile(join(folder, 'ask.mjs'), await copied('node', 'c-node'));
    const answer = JSON.parse(await run('node', join(folder, 'ask.mjs')));
    assert.ok(['plain', 'cards'].includes(answer.layout), 'the first feature of the site: checkout_theme');
    const shell = JSON.parse(await run('sh', '-c', await copied('curl', 'c-curl')));
    assert.deepEqual(shell.features.checkout_theme.value, answer);
    const get = JSON.parse(await run('sh', '-c', await copied('curl', 'c-get')));
    assert.deepEqual(get.features.checkout_theme.value, answer);
    const python = new URL('.venv/bin/python', import.meta.url).pathname;
    if (existsSync(python)) {
      await writeFile(join(folder, 'ask.py'), await copied('python', 'c-python'));
      assert.deepEqual(JSON.parse(await run(python, join(folder, 'ask.py'))), answer);
    }
    const script = await copied('browser', 'c-script');
    const visitor = await ui.open(t, null);
    const logged = visitor.waitForEvent('console', (message) => message.type() === 'log');
    await visitor.route('**/shop-page', (route) => route.fulfill({ contentType: 'text/html', body: script }));
    await visitor.goto(`${ui.url}/shop-page`);
    const value = await (await logged).args()[0].jsonValue();
    assert.deepEqual(value, answer);
  });
});

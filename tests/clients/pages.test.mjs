// Every page of the admin UI in Chromium, with real data: as each role, light and dark, desktop and phone. axe-core
// finds nothing, nothing is logged, nothing breaks the content security policy, nothing scrolls sideways, and the
// first view stays small. Screenshots go to PAGES_SHOTS for people to look at.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { faultsOf, fillSignIn, isTooWide, openContext, openOwn } from './support/browser.mjs';
import { keep, openUi, password, pictureName, registeredPages, sizes } from './support/ui.mjs';

const prod = '/sites/shop/environments/prod';
const studies = '/sites/browser/environments/prod';
/** What axe-core says about colours. */
const colours = { type: 'rule', values: ['color-contrast', 'link-in-text-block'] };
/** In CI, where every minute counts, a page is kept in light on a desktop and in dark on a phone alone. */
const allFour = process.env.CI !== 'true';
const context = '%7B%22userId%22%3A%22u1%22%2C%22plan%22%3A%22premium%22%7D';

/** Handler, as the router names it → who opens it, and where. One line for each page of src/ui. */
const pages = {
  'dashboard::show': ['viewer', '/'],
  'sites::list': ['viewer', '/sites'],
  'sites::show': ['viewer', '/sites/shop'],
  'branding::show': ['viewer', '/sites/shop/branding'],
  'sites::site_settings': ['viewer', '/sites/shop/settings'],
  'environments::settings': ['viewer', `${prod}/settings`],
  'environments::ask_delete': ['editor', `${prod}/delete`],
  'features::list': ['viewer', `${prod}/features`, `${studies}/features`, `${studies}/features?q=nothing-like-it`],
  'features::show_new': ['editor', `${prod}/features/new`],
  'features::ask_delete': ['editor', `${prod}/features/new_checkout/delete`],
  'feature::page': ['viewer', `${prod}/features/new_checkout`, `${studies}/features/BraveAIChatDefaultModelStudy_QwenSonnet`,
    `${prod}/features/new_checkout?rule=new`, `${prod}/features/checkout_theme?edit=settings`],
  'feature::variants': ['viewer', `${prod}/features/checkout_theme/variants`, `${prod}/features/checkout_theme/variants?variant=cards`],
  'feature::history': ['viewer', `${prod}/features/new_checkout/history`],
  'segments::list': ['viewer', `${prod}/segments`],
  'segments::show': ['viewer', `${prod}/segments/staff`],
  'test::show': ['viewer', `${prod}/test`, `${prod}/test?feature=new_checkout&context=${context}`],
  'list::show': ['viewer', `${prod}/contexts`],
  'page::show': ['viewer', `${prod}/contexts/override`],
  'forms::ask_delete': ['editor', `${prod}/contexts/anna/delete`],
  'analytics::show': ['viewer', `${prod}/analytics`, `${prod}/analytics?range=7&feature=button_text`],
  'featurehub::page': ['viewer', `${prod}/featurehub`],
  'flagr::show': ['viewer', `${prod}/flagr`, `${prod}/flagr?kind=batch&json=%7B%22entities%22%3A%5B%7B%22entityID%22%3A%22u%22%7D%5D%2C%22flagKeys%22%3A%5B%22new_checkout%22%5D%7D`],
  'webhooks::list': ['viewer', `${prod}/webhooks`],
  'webhook::show': ['viewer', `${prod}/webhooks/{webhook}`],
  'webhook::ask_delete': ['editor', `${prod}/webhooks/{webhook}/delete`],
  'gdpr::show': ['admin', '/admin/gdpr'],
  'audit::of_environment': ['viewer', `${prod}/audit`],
  'audit::all': ['viewer', '/audit'],
  'tokens::list': ['viewer', `${prod}/tokens`],
  'tokens::edit': ['editor', `${prod}/tokens/{token}`],
  'tokens::ask_revoke': ['editor', `${prod}/tokens/{token}/revoke`],
  'find::show': ['viewer', '/find?q=checkout'],
  'help::index': ['viewer', '/help'],
  'help::show': ['viewer', '/help/start', '/help/evaluation', '/help/concepts', '/help/rules', '/help/people', '/help/pages',
    '/help/keyboard', '/help/integrate', '/help/browser', '/help/react', '/help/node', '/help/python', '/help/curl',
    '/help/contexts', '/help/analytics', '/help/featurehub', '/help/openfeature', '/help/flagr', '/help/farfetched', '/help/webhooks', '/help/gdpr', '/help/git', '/help/running'],
  'account::show': ['viewer', '/account'],
  'users::list': ['admin', '/admin/users'],
  'users::show_new': ['admin', '/admin/users/new'],
  'users::show': ['admin', '/admin/users/{user}'],
  'two_factor::show': ['admin', '/admin/two-factor'],
  'outbox::show': ['admin', '/admin/outbox'],
  'door::show': ['nobody', '/signin'],
  'reset::show_forgot': ['nobody', '/forgot'],
  'second_step::show': ['halfway', '/signin/code'],
  'reset::show_reset': ['nobody', '/reset/unknown'],
  'docs::page': ['nobody', '/api/docs'],
  'docs::group_page': ['nobody', '/api/docs/evaluation', '/api/docs/features', '/api/docs/shapes'],
};
/** What is no page: files, streams, redirects; and the first run, which a server with people in it does not have. */
const others = ['assets::serve', 'events::follow', 'sites::document', 'environments::show', 'rule_form::reload',
  'branding::serve', 'branding::preview_sheet', 'webhooks::of_site', 'webhook::back', 'gdpr::download', 'door::show_setup'];

/** The code that an authenticator app shows now (RFC 6238) for a secret in base32. */
function appCode(secret) {
  const bits = [...secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const mac = createHmac('sha1', Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)))).update(counter).digest();
  return String((mac.readUInt32BE(mac.at(-1) & 15) & 0x7fffffff) % 1e6).padStart(6, '0');
}

// Two at a time: the browser gives each tab a process of its own.
describe('pages', { concurrency: 2 }, () => {
  let ui;
  const ids = {};

  before(async () => {
    ui = await openUi();
    const call = ui.caller('admin');
    ids.user = await userId('editor');
    ids.token = (await call('POST', `${prod}/tokens`, { description: 'web shop', kind: 'client', permissions: ['READ'] })).id;
    await call('POST', `${prod}/contexts:import`, { version: 1, features: {}, contexts: { anna: { description: 'Tries things first' } } });
    ids.webhook = (await call('POST', '/webhooks',
      { siteId: 'shop', url: 'https://hooks.example/featured?key=secret', events: ['feature.updated'] })).id;
    // Nothing listens there: a try that failed, for the log.
    await call('POST', `/webhooks/${ids.webhook}:test`, { event: 'feature.updated' });
    ui.states.set('halfway', await givePasswordOnly());
  });
  after(() => ui?.close());

  /** The id of somebody, from the page that lists everybody. */
  async function userId(name) {
    const context = await ui.context(null, 'admin');
    const page = await openOwn(context);
    await page.goto(`${ui.url}/admin/users`);
    const href = await page.getByRole('link', { name }).getAttribute('href');
    await context.close();
    return href.split('/').at(-1);
  }

  /** What the browser keeps of somebody who has a second step before them. */
  async function givePasswordOnly() {
    await ui.database.featured(
      ['user', 'add', 'careful', '--email', 'careful@shop.example', '--role', 'viewer', '--password-stdin'], password);
    let context = await openContext(null, { storageState: await ui.signIn('careful') });
    let page = await openOwn(context);
    await page.goto(`${ui.url}/account`);
    await page.locator('form[action="/account/two-factor/app"] button').click();
    await page.fill('#code', appCode((await page.locator('#secret').innerText()).replaceAll(' ', '')));
    await page.locator('form[action="/account/two-factor/confirm"] button').click();
    await page.locator('#backup-codes').waitFor();
    await context.close();
    context = await openContext(null);
    page = await openOwn(context);
    await fillSignIn(page, ui.url, 'careful', password);
    await page.waitForURL(/\/signin\/code/);
    const state = await context.storageState();
    await context.close();
    return state;
  }

  const fill = (path) => path.replace(/\{(\w+)\}/g, (_, name) => ids[name] ?? assert.fail(`no ${name} was made`));
  const rank = { viewer: 1, editor: 2, admin: 3 };
  const all = Object.values(pages).flatMap(([who, ...paths]) => paths.map((path) => [who, path]));

  test('every page of the router is looked at', async () => {
    const registered = await registeredPages();
    const known = new Set([...Object.keys(pages), ...others]);
    assert.deepEqual([...registered].filter((name) => !known.has(name)), [], 'not looked at');
    assert.deepEqual([...known].filter((name) => !registered.has(name)), [], 'not in the router');
  });

  for (const [size, viewport] of Object.entries(sizes)) {
    test(`no page has a fault on a ${size}, light and dark`, async (t) => {
      const signed = await ui.open(t, 'admin', { viewport });
      const nobody = await ui.open(t, null, { viewport });
      const halfway = await ui.open(t, 'halfway', { viewport });
      const faults = [];
      for (const [who, path] of all) {
        const page = { nobody, halfway }[who] ?? signed;
        const answer = await page.goto(ui.url + fill(path));
        if (answer.status() !== (path === '/reset/unknown' ? 404 : 200)) faults.push(`${path}: ${answer.status()}`);
        if (await isTooWide(page)) faults.push(`${path}: scrolls sideways`);
        for (const colorScheme of ['light', 'dark']) {
          await page.emulateMedia({ colorScheme });
          if (allFour || (size === 'desktop') === (colorScheme === 'light')) {
            await keep(page, `${pictureName(path)}-${size}-${colorScheme}`);
          }
          // A theme is another set of colours and nothing else.
          const found = await faultsOf(page, colorScheme === 'light' ? undefined : colours);
          faults.push(...found.map((fault) => `${path}, ${colorScheme}: ${fault}`));
        }
      }
      assert.deepEqual(faults, []);
      assert.deepEqual(signed.complaints, []);
      assert.deepEqual(halfway.complaints, []);
      // The link that does not work is answered with 404, which the browser notes.
      assert.deepEqual(nobody.complaints.filter((text) => !/404/.test(text)), []);
    });
  }

  test('menus, the palette and the account open without a fault', async (t) => {
    const faults = [];
    for (const viewport of Object.values(sizes)) {
      const page = await ui.open(t, 'admin', { viewport });
      await page.goto(`${ui.url}${prod}/features`);
      for (const opened of ['palette', 'site-menu', 'environment-menu', 'account-menu', 'row-0']) {
        await page.evaluate((id) => document.getElementById(id).showPopover(), opened);
        await page.waitForFunction((id) => document.getElementById(id).matches(':popover-open'), opened);
        if (opened === 'palette') await page.locator('#palette li a').first().waitFor();
        await keep(page, `open-${opened}-${viewport.width}`, { fullPage: false });
        faults.push(...(await faultsOf(page)).map((fault) => `${opened}, ${viewport.width}: ${fault}`));
        await page.evaluate((id) => document.getElementById(id).hidePopover(), opened);
      }
      assert.deepEqual(page.complaints, []);
    }
    assert.deepEqual(faults, []);
  });

  // The walk above is an administrator's.
  for (const role of ['viewer', 'editor']) {
    test(`a ${role} opens the pages of a ${role} and no others`, async (t) => {
      const page = await ui.open(t, role);
      for (const [who, path] of all.filter(([who]) => who in rank)) {
        const may = rank[role] >= rank[who];
        const status = (await page.goto(ui.url + fill(path))).status();
        assert.equal(status, may ? 200 : 403, path);
        if (!may) await page.getByRole('heading', { name: 'Not allowed' }).waitFor();
        const controls = await page.locator('main form[method=post]').count();
        if (role === 'viewer' && path !== '/account') assert.equal(controls, 0, `${path} shows controls to a viewer`);
      }
      // A refused page is 403, which the browser notes.
      assert.deepEqual(page.complaints.filter((text) => !/403/.test(text)), []);
    });
  }

  test('the first view of every page is small', async (t) => {
    const pages = { signed: await ui.open(t, 'admin'), nobody: await ui.open(t, null), halfway: await ui.open(t, 'halfway') };
    const most = 50 * 1024;

    /** All that a browser receives that has never been here. */
    async function received(page, path) {
      const session = await page.context().newCDPSession(page);
      await session.send('Network.enable');
      await session.send('Network.clearBrowserCache');
      let bytes = 0;
      session.on('Network.loadingFinished', ({ encodedDataLength }) => { bytes += encodedDataLength; });
      const answer = await page.goto(ui.url + path, { waitUntil: 'load' });
      // Icons come after the page; the stream of the dashboard does not end.
      await page.waitForTimeout(1000);
      await session.detach();
      return { bytes, rest: bytes - await size(answer) };
    }
    const size = async (answer) => {
      const { responseBodySize, responseHeadersSize } = await answer.request().sizes();
      return responseBodySize + responseHeadersSize;
    };

    // Beside its own text, a page loads what all of them load.
    let shared = 0;
    for (const path of ['/', `${studies}/features`, `${prod}/features/new_checkout?rule=new`, '/help/browser']) {
      const { bytes, rest } = await received(pages.signed, path);
      assert.ok(bytes > 5 * 1024 && bytes <= most, `${path}: ${bytes} bytes`);
      shared = Math.max(shared, rest);
    }
    const large = [];
    for (const [who, path] of all) {
      const page = pages[who] ?? pages.signed;
      const bytes = path.startsWith('/api/docs')
        ? (await received(page, path)).bytes
        : shared + await size(await page.goto(ui.url + fill(path)));
      if (bytes > most) large.push(`${path}: ${bytes} bytes`);
    }
    assert.deepEqual(large, []);
  });
});

// Stored Contexts in the admin UI, in Chromium: a walk through everything a person does, with and without JavaScript,
// and every page on a light desktop and a dark phone. Screenshots go to PAGES_SHOTS for people to look at.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { faultsOf, isTooWide } from './support/browser.mjs';
import { keep, openUi, pictureName, sizes } from './support/ui.mjs';

const site = '/sites/shop/environments';
const contexts = `${site}/prod/contexts`;

const example = {
  version: 1,
  features: { banner: { type: 'string' }, beta_ui: { type: 'flag' }, seats: { type: 'integer' }, ratio: { type: 'number' } },
  contexts: {
    default: { features: { banner: 'Welcome', beta_ui: 'no', seats: '3' } },
    'org-nordic': { features: { seats: '50', banner: 'Hej' } },
    pilots: { description: 'Early birds', features: { beta_ui: 'yes', banner: 'Pilot' } },
    'team-blue': { prototypes: ['org-nordic'], features: { ratio: '0.25' } },
    mia: { prototypes: ['team-blue', 'pilots'] },
    'mia-phone': { prototypes: ['mia'], features: { banner: '' } },
  },
};

describe('contexts', () => {
  let ui, ask;

  before(async () => {
    ui = await openUi({ people: ['editor', 'viewer'], documents: [] });
    ask = ui.caller('editor');
    await call('POST', ':import', example);
    // In production a key is typed before anything is deleted.
    await ask('PATCH', `${site}/prod`, { tags: ['production'] });
  });
  after(() => ui?.close());

  const call = (method, path, body) => ask(method, contexts + path, body);

  /** Waits until what is stored of a Context is that. */
  async function becomes(key, part, expected) {
    for (let tries = 0; ; tries += 1) {
      const stored = part(await call('GET', `/${encodeURIComponent(key)}`));
      if (isDeepStrictEqual(stored, expected)) return;
      if (tries > 300) assert.deepEqual(stored, expected);
      await sleep(100);
    }
  }

  const paths = [
    contexts, `${contexts}?new=yes`, `${contexts}?q=nothing-like-it`, `${contexts}?matches=beta_ui`, `${contexts}/mia`,
    `${contexts}/mia?all=yes`, `${contexts}/nobody?prototypes=pilots,gone`, `${contexts}/override`, `${contexts}/default`,
    `${contexts}/org-nordic/delete`, `${site}/prod/features/banner`, '/help/contexts',
  ];
  for (const [size, colorScheme] of [['desktop', 'light'], ['phone', 'dark']]) {
    test(`no page has a fault on a ${size}, ${colorScheme}`, async (t) => {
      await call('PATCH', '/override', { features: { beta_ui: 'no' }, reason: 'to be seen' });
      t.after(() => call('PATCH', '/override', { features: { beta_ui: null } }));
      const page = await ui.open(t, 'editor', { viewport: sizes[size], colorScheme });
      const faults = [];
      for (const path of paths) {
        const answer = await page.goto(ui.url + path);
        if (answer.status() !== 200) faults.push(`${path}: ${answer.status()}`);
        await keep(page, `contexts${pictureName(path)}-${size}-${colorScheme}`);
        if (await isTooWide(page)) faults.push(`${path}: scrolls sideways`);
        faults.push(...(await faultsOf(page)).map((fault) => `${path}: ${fault}`));
      }
      assert.deepEqual(faults, []);
      assert.deepEqual(page.complaints, []);
    });
  }

  test('a page says who gets what, from where, and by which way', async (t) => {
    const page = await ui.open(t, 'viewer');
    await page.goto(`${ui.url}${contexts}`);
    const keys = await page.locator('tbody th a').allTextContents();
    assert.deepEqual(keys.slice(0, 2), ['override', 'default'], 'those two are pinned');
    assert.deepEqual(keys.slice(2), ['mia', 'mia-phone', 'org-nordic', 'pilots', 'team-blue']);
    await page.fill('#q', 'early');
    await page.getByRole('button', { name: 'Find', exact: true }).click();
    assert.deepEqual(await page.locator('tbody th a').allTextContents(), ['pilots']);
    await page.goto(`${ui.url}${contexts}/mia`);
    assert.deepEqual(await page.locator('.order li').allTextContents(),
      ['override', 'mia', 'team-blue', 'org-nordic', 'pilots', 'default']);
    const row = page.locator('.mx tbody tr', { has: page.getByRole('link', { name: 'banner', exact: true }) });
    assert.match(await row.locator('.got').textContent(), /Hej/);
    assert.equal(await row.locator('td.win').getAttribute('data-l'), 'org-nordic');
    assert.deepEqual(await row.locator('s').evaluateAll((all) => all.map((one) => one.lastChild.textContent)), ['Pilot', 'Welcome']);
    assert.deepEqual(await page.locator('section[aria-labelledby=by] a.chip').allTextContents(), ['mia-phone']);
    assert.equal(await page.locator('main form[method=post]').count(), 0, 'a viewer changes nothing');
    // The same as JSON.
    const json = await (await page.request.get(ui.url + await page.getByRole('link', { name: 'as JSON' }).getAttribute('href'))).json();
    assert.equal(json.features.banner.source, 'org-nordic');
    // Any key can be tried, with prototypes that are not stored.
    await page.locator('input[name=key]').fill('visitor-9');
    await page.locator('input[name=prototypes]').fill('pilots');
    await page.getByRole('button', { name: 'Try it' }).click();
    await page.waitForURL(/visitor-9\?prototypes=pilots/);
    await page.getByText('Not stored.').waitFor();
    assert.deepEqual(await page.locator('.order li').allTextContents(), ['override', 'pilots', 'default']);
    assert.deepEqual(page.complaints, []);
  });

  for (const javaScriptEnabled of [true, false]) {
    test(`a Context from its making to its end ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async (t) => {
      const page = await ui.open(t, 'editor', { javaScriptEnabled });
      const key = `walk:${javaScriptEnabled}`;
      const address = `${ui.url}${contexts}/${encodeURIComponent(key)}`;
      await page.goto(`${ui.url}${contexts}`);
      await page.getByRole('link', { name: 'New Context' }).click();
      await page.fill('#key', 'not a key');
      await page.getByRole('button', { name: 'Create' }).click();
      assert.match(await page.locator('[role=alert]').textContent(), /Nothing was saved/);
      assert.equal(await page.locator('#key').inputValue(), 'not a key', 'what was typed is there again');
      await page.fill('#key', key);
      await page.fill('#prototypes', 'team-blue, pilots');
      await page.getByRole('button', { name: 'Create' }).click();
      await page.waitForURL(address);
      // A value, wrong at first.
      await page.fill('input[name=feature]:not([type=hidden])', 'seats');
      await page.fill('input[name=value][placeholder]', 'many');
      await page.getByRole('button', { name: 'Set a value' }).click();
      assert.match(await page.locator('[role=alert]').textContent(), /seats must be a whole number/);
      await page.fill('input[name=value][placeholder]', '7');
      await page.getByRole('button', { name: 'Set a value' }).click();
      await page.waitForURL(address);
      await becomes(key, ({ features }) => features.seats, '7');
      await page.fill('input[aria-label="Value of seats"]', '8');
      await page.getByRole('button', { name: 'Save' }).first().click();
      await page.waitForLoadState();
      await becomes(key, ({ features }) => features.seats, '8');
      // The prototypes, in another order.
      await page.getByRole('button', { name: 'pilots earlier' }).click();
      await page.waitForLoadState();
      await becomes(key, ({ prototypes }) => prototypes, ['pilots', 'team-blue']);
      await page.getByRole('button', { name: 'team-blue out of the list' }).click();
      await page.waitForLoadState();
      await page.fill('input[name=prototype]', key);
      await page.getByRole('button', { name: 'Add a prototype' }).click();
      assert.match(await page.locator('[role=alert]').textContent(), /cycle/);
      await becomes(key, ({ prototypes }) => prototypes, ['pilots']);
      // Somebody else was faster.
      await call('PATCH', `/${encodeURIComponent(key)}`, { description: 'theirs' });
      await page.fill('input[name=feature]:not([type=hidden])', 'banner');
      await page.fill('input[name=value][placeholder]', 'mine');
      await page.getByRole('button', { name: 'Set a value' }).click();
      assert.match(await page.locator('[role=alert]').textContent(), /Somebody changed this Context/);
      assert.equal(await page.locator('input[name=value][placeholder]').inputValue(), 'mine');
      await page.getByRole('button', { name: 'Set a value' }).click();
      await page.waitForURL(address);
      await becomes(key, ({ features }) => features.banner, 'mine');
      // A value goes, and comes back by Undo.
      await page.getByRole('button', { name: 'Remove the value of banner' }).click();
      await page.waitForURL(address);
      await becomes(key, ({ features }) => features.banner, undefined);
      await page.getByRole('button', { name: 'Undo' }).click();
      await page.waitForURL(address);
      await becomes(key, ({ features }) => features.banner, 'mine');
      // Deleting tells who inherits from it.
      await call('PUT', `/child-${javaScriptEnabled}`, { prototypes: [key], features: {} });
      await page.goto(`${address}`);
      await page.getByRole('link', { name: 'Delete' }).click();
      await page.getByText('1 Context inherits').waitFor();
      await page.fill('#confirm', 'something else');
      await page.getByRole('button', { name: /^Delete/ }).click();
      assert.match(await page.locator('.err').textContent(), /not the key/);
      await page.fill('#confirm', key);
      await page.getByRole('button', { name: /^Delete/ }).click();
      await page.waitForURL(`${ui.url}${contexts}`);
      assert.deepEqual((await call('GET', `/child-${javaScriptEnabled}`)).prototypes, []);
      await call('DELETE', `/child-${javaScriptEnabled}`);
    });

    test(`the kill switch ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async (t) => {
      const page = await ui.open(t, 'editor', { javaScriptEnabled });
      await page.goto(`${ui.url}${site}/prod/features/banner`);
      assert.equal(await page.getByText('emergency override is').count(), 0);
      await page.getByText('Override for everyone…').click();
      await page.fill('textarea[name=value]', 'We are back soon');
      await page.fill('input[name=reason]', 'the shop is down');
      await page.getByRole('button', { name: 'Override now' }).click();
      await page.waitForURL(/features\/banner$/);
      await page.getByText('1 emergency override is').waitFor();
      assert.equal((await call('GET', '/mia/features')).features.banner, 'We are back soon');
      for (const path of [contexts, `${site}/prod/segments`, `${site}/prod/audit`]) {
        await page.goto(ui.url + path);
        assert.ok(await page.getByText('1 emergency override is').isVisible(), `${path} says so`);
      }
      assert.ok(await page.getByText('the shop is down').first().isVisible(), 'the reason is in the audit log');
      await page.goto(`${ui.url}${site}/prod/features/banner`);
      await page.fill('input[name=reason]', 'it is up again');
      await page.getByRole('button', { name: 'Lift the override' }).click();
      await page.getByText('is answered by its rules again').waitFor();
      assert.equal(await page.getByText('emergency override is').count(), 0);
      assert.equal((await call('GET', '/mia/features')).features.banner, 'Hej');
      // The page of the feature tells which Contexts have a value of their own.
      assert.deepEqual(await page.locator('.ladder a.chip').evaluateAll((all) => all.map((one) => one.textContent)),
        ['mia-phone = empty text', 'org-nordic = Hej', 'pilots = Pilot']);
    });
  }
});

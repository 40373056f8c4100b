// The analytics page in Chromium, with figures that clients made: chart, rules, context values, variants; as a person
// sees it with and without JavaScript, light and dark, desktop and phone.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { faultsOf, isTooWide } from './support/browser.mjs';
import { keep, openUi, pictureName, sizes } from './support/ui.mjs';

const analytics = '/sites/shop/environments/prod/analytics';
const people = 400;

describe('the analytics page', () => {
  let ui;

  before(async () => {
    ui = await openUi({ people: ['editor'], documents: [] });
    const call = ui.caller('editor');
    const { token } = await call('POST', '/sites/shop/environments/prod/tokens',
      { description: 'a shop', kind: 'client', rateLimit: 0 });
    const post = async (path, body) => {
      const answer = await fetch(`${ui.url}/api/v1${path}`, {
        method: 'POST', headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      });
      assert.ok(answer.ok, `${path}: ${answer.status}`);
      return answer.json();
    };
    const entities = Array.from({ length: people }, (_, at) => ({ userId: `p${at}`, plan: ['free', 'pro', 'premium'][at % 3] }));
    const { results } = await post('/evaluate/batch', { entities });
    for (const [at, { features }] of results.entries()) {
      const often = features.checkout_theme.variant === 'cards' ? 3 : 8;
      if (at % often === 0) await post('/analytics/events', { event: 'purchase', userId: `p${at}`, value: 9.5 });
    }
    // Written every few seconds: wait until it is.
    const wanted = people * Object.keys(results[0].features).length;
    for (let seen = 0, tries = 0; seen !== wanted; tries += 1) {
      assert.ok(tries < 240, `${seen} of ${wanted} evaluations after a minute`);
      await sleep(250);
      ({ evaluations: seen } = await call('GET', '/analytics/summary?site=shop&env=prod'));
    }
  });
  after(() => ui?.close());

  const open = (t, options) => ui.open(t, 'editor', options);

  for (const [size, viewport] of Object.entries(sizes)) {
    for (const colorScheme of ['light', 'dark']) {
      test(`has no fault on a ${size}, ${colorScheme}`, async (t) => {
        const page = await open(t, { viewport, colorScheme });
        for (const path of [analytics, `${analytics}?range=7&feature=checkout_theme&event=purchase`]) {
          await page.goto(ui.url + path, { waitUntil: 'networkidle' });
          await page.locator('#chart canvas').waitFor();
          await keep(page, `${pictureName(path)}-${size}-${colorScheme}`);
          assert.equal(await isTooWide(page), false, `${path} scrolls`);
          assert.deepEqual(await faultsOf(page), [], path);
        }
        assert.deepEqual(page.complaints, []);
      });
    }
  }

  test('draws the chart from the table, under the strict policy', async (t) => {
    const page = await open(t);
    const answer = await page.goto(ui.url + analytics, { waitUntil: 'networkidle' });
    assert.match(answer.headers()['content-security-policy'], /script-src 'self'; style-src 'self'/);
    const drawn = await page.evaluate(() => {
      const chart = window.Chart.getChart(document.querySelector('#chart canvas'));
      return chart.data.datasets.map(({ data }) => data);
    });
    assert.equal(drawn[0].length, 30);
    assert.equal(drawn[0].at(-1) % people, 0, 'evaluations of today');
    assert.ok(drawn[0].at(-1) > 0 && drawn[1].at(-1) > people * 0.9);
    const ink = await page.evaluate(() => {
      const canvas = document.querySelector('#chart canvas');
      return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte > 0);
    });
    assert.ok(ink, 'something is drawn');
    const other = await page.goto(`${ui.url}/sites/shop/environments/prod/features`, { waitUntil: 'networkidle' });
    assert.equal(other.status(), 200);
    assert.equal(await page.evaluate(() => 'Chart' in window), false, 'no other page loads it');
    assert.deepEqual(page.complaints, []);
  });

  test('tells the same without JavaScript', async (t) => {
    const page = await open(t, { javaScriptEnabled: false });
    await page.goto(ui.url + analytics);
    assert.equal(await page.locator('#chart svg path.ln').count(), 1);
    assert.equal(await page.locator('#daily tbody tr').count(), 30);
    assert.match(await page.locator('.figures').innerText(), /4\u2009\d{3}|\d/);
    await page.check('input[name=range][value="7"]');
    await page.selectOption('select[name=feature]', 'checkout_theme');
    await page.getByRole('button', { name: 'Show' }).click();
    assert.equal(await page.locator('#daily tbody tr').count(), 7);
    const rows = await page.locator('#variants tbody tr').allInnerTexts();
    assert.equal(rows.length, 2);
    assert.match(rows[0], /plain[\s\S]*control/);
    assert.match(rows[1], /cards[\s\S]*better/);
    assert.equal(await page.locator('#variants .banner').count(), 0, 'people are split as they should be');
    await page.selectOption('select[name=control]', 'cards');
    await page.getByRole('button', { name: 'Compare' }).click();
    assert.match((await page.locator('#variants tbody tr').allInnerTexts())[1], /plain[\s\S]*worse/);
  });

  test('gives files, and changes what is counted', async (t) => {
    const page = await open(t);
    await page.goto(ui.url + analytics);
    const link = await page.getByRole('link', { name: 'CSV of context values' }).getAttribute('href');
    const file = await page.request.get(ui.url + link);
    assert.match(file.headers()['content-disposition'], /attachment; filename="contexts\.csv"/);
    assert.deepEqual((await file.text()).trim().split('\r\n').sort(),
      ['field,value,count', 'plan,free,134', 'plan,premium,133', 'plan,pro,133']);
    await page.locator('#settings > summary').click();
    await page.fill('#staleUnaskedDays', '0');
    await page.fill('#excludedFields', 'email\nplan\n');
    await page.locator('#settings').getByRole('button', { name: 'Save' }).click();
    assert.match(await page.locator('#staleUnaskedDays-error').innerText(), /from 1 to 3650/);
    assert.equal(await page.locator('#excludedFields').inputValue(), 'email\nplan\n', 'what was typed is there again');
    await page.fill('#staleUnaskedDays', '14');
    await page.locator('#settings').getByRole('button', { name: 'Save' }).click();
    await page.getByText('The analytics settings are saved.').waitFor();
    assert.equal(await page.getByText('No rule looked at a field that clients sent.').count(), 1);
  });
});

// A site's colours in Chromium: on its own pages and on no other's, in light and in dark, and in the live preview.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openUi } from './support/ui.mjs';

let ui;
before(async () => { ui = await openUi({ people: ['editor'], documents: ['manual.yaml'] }); });
after(() => ui?.close());

const open = (t, colorScheme) => ui.open(t, 'editor', { colorScheme });

/** What a page is painted in: paper, ink, the main button. */
const colours = (page) =>
  page.evaluate(() => {
    const style = (selector) => getComputedStyle(document.querySelector(selector));
    return { paper: style('html').backgroundColor, ink: style('html').color, button: style('.btn.main').backgroundColor };
  });

const choose = (page, name, value) =>
  page.$eval(`#${name}`, (input, chosen) => {
    input.value = chosen;
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }, value);

const luminance = (rgb) => {
  const [r, g, b] = rgb.match(/\d+/g).map((part) => part / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
};

test('colours are seen on the pages of their site and on no other, light and dark', async (t) => {
  const before = {};
  for (const theme of ['light', 'dark']) {
    const page = await open(t, theme);
    await page.goto(`${ui.url}/sites/your-site-id/branding`);
    before[theme] = await colours(page);
  }
  const page = await open(t, 'light');
  await page.goto(`${ui.url}/sites/shop/branding`);
  await page.fill('#companyName', 'Blå Butik');
  await choose(page, 'primary', '#7a1fa2');
  await choose(page, 'backgroundPrimary', '#fff4e0');
  await page.click('button[value=save]');
  await page.waitForSelector('.toast');
  assert.equal(await page.textContent('.logo span'), 'Blå Butik');
  assert.deepEqual(await colours(page), { ...before.light, paper: 'rgb(255, 244, 224)', button: 'rgb(122, 31, 162)' });
  assert.deepEqual(page.complaints, []);

  for (const theme of ['light', 'dark']) {
    const other = await open(t, theme);
    await other.goto(`${ui.url}/sites/your-site-id/branding`);
    assert.deepEqual(await colours(other), before[theme], `another site, ${theme}`);
    await other.goto(`${ui.url}/sites/shop/environments/prod/features`);
    const { paper, ink } = await colours(other);
    assert.notEqual(paper, before[theme].paper, `this site, ${theme}`);
    assert.ok(contrast(paper, ink) >= 4.5, `${theme}: ${ink} on ${paper}`);
    if (theme === 'dark') assert.ok(luminance(paper) < 0.05, `dark paper is dark: ${paper}`);
    await other.goto(ui.url);
    assert.equal(await other.evaluate(() => getComputedStyle(document.documentElement).backgroundColor), before[theme].paper);
    assert.deepEqual(other.complaints, []);
  }
});

test('the preview follows what is typed, warns and suggests, before anything is saved', async (t) => {
  const page = await open(t, 'light');
  await page.goto(`${ui.url}/sites/your-site-id/branding`);
  const muted = (theme) =>
    page.$eval(`.brand-preview[data-theme=${theme}] p .m3`, (element) => getComputedStyle(element).color);
  const was = await muted('light');
  await choose(page, 'textMuted', '#bbbbbb');
  await page.waitForSelector('#preview .banner.warn li');
  assert.match(await page.textContent('#preview'), /Muted text on Page: 1\.\d\d to 1\. Try #[0-9a-f]{6}\./);
  await page.waitForFunction(
    () => getComputedStyle(document.querySelector('.brand-preview[data-theme=light] p .m3')).color === 'rgb(187, 187, 187)');
  assert.notEqual(was, 'rgb(187, 187, 187)');
  await page.reload();
  assert.equal(await muted('light'), was);
  assert.deepEqual(page.complaints, []);
});

test('on dark paper everything is readable: header, rows under the pointer, in light and in dark', async (t) => {
  const papers = { backgroundPrimary: '#101418', backgroundSecondary: '#181c20', backgroundTertiary: '#202428' };
  const texts = { textPrimary: '#f0f0f0', textSecondary: '#d0d0d0', textMuted: '#b0b0b0' };
  const page = await open(t, 'light');
  await page.goto(`${ui.url}/sites/shop/branding`);
  for (const [name, value] of Object.entries({ ...papers, ...texts })) await choose(page, name, value);
  await page.click('button[value=save]');
  await page.waitForSelector('.toast');
  for (const theme of ['light', 'dark']) {
    const other = await open(t, theme);
    await other.goto(`${ui.url}/sites/shop/environments/prod/features`);
    await other.hover('tbody tr:first-child');
    // Every text that is seen, against the nearest paper beneath it.
    const pairs = await other.evaluate(() => {
      const found = [];
      for (const element of document.querySelectorAll('.mast *, main *')) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (!own || !element.checkVisibility() || element.closest('[popover], .vh, select')) continue;
        let below = element;
        while (below && getComputedStyle(below).backgroundColor === 'rgba(0, 0, 0, 0)') below = below.parentElement;
        const paper = getComputedStyle(below ?? document.documentElement).backgroundColor;
        found.push([element.textContent.trim().slice(0, 40), getComputedStyle(element).color, paper]);
      }
      return found;
    });
    assert.ok(pairs.length > 20, `${pairs.length} texts`);
    for (const [text, ink, paper] of pairs) {
      assert.ok(contrast(ink, paper) >= 4.5, `${theme}: ${text}: ${ink} on ${paper}`);
    }
  }
});

test('an image that is refused is told beside its field, with what was typed still there', async (t) => {
  const page = await open(t, 'light');
  await page.goto(`${ui.url}/sites/your-site-id/branding`);
  await page.fill('#companyName', 'Typed');
  await page.setInputFiles('#logo', { name: 'l.svg', mimeType: 'image/svg+xml', buffer: Buffer.from('<svg/>') });
  await page.click('button[value=save]');
  await page.waitForSelector('#logo-error', { state: 'visible' });
  assert.match(await page.textContent('#logo-error'), /must be a PNG/);
  assert.equal(await page.inputValue('#companyName'), 'Typed');
  assert.equal(await page.getAttribute('#logo', 'aria-invalid'), 'true');
});

// The manual's React hook and component, in Chromium with real React and axios.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { openPage, publish } from './support/browser.mjs';
import { manualClientToken, serverUrl } from './support/environment.mjs';
import { startProxy } from './support/proxy.mjs';

const bundle = await build({
  entryPoints: [fileURLToPath(new URL('support/welcome-page.jsx', import.meta.url))],
  bundle: true,
  write: false,
  loader: { '.js': 'jsx' },
  jsx: 'automatic',
  define: {
    'process.env.REACT_APP_FEATURE_CONFIG_TOKEN': JSON.stringify(manualClientToken),
    'process.env.NODE_ENV': '"production"',
  },
});
const script = publish('/welcome-page.js', bundle.outputFiles[0].text, 'text/javascript; charset=utf-8');

/** A page with the component in it, whose requests go through the proxy. */
async function openWelcome(t, proxy) {
  const page = await openPage(t, `<div id="root"></div><script>window.api = '${proxy.api}';</script><script src="${script}"></script>`);
  page.show = (user) => page.evaluate((user) => window.show(user), user);
  page.heading = (text) => page.getByRole('heading', { name: text, exact: true }).waitFor();
  page.banner = page.getByText('🎉 You have premium access!');
  return page;
}

const isEvaluate = ({ method, path }) => method === 'POST' && path === '/api/v1/evaluate';

test('a premium user is welcomed with the banner', async (t) => {
  const proxy = await startProxy(t, serverUrl);
  const page = await openWelcome(t, proxy);
  await page.show({ id: '123', plan: 'premium', country: 'US' });
  await page.heading('Welcome to our shop!');
  await page.banner.waitFor();
  const [request] = proxy.requests.filter(isEvaluate);
  assert.deepEqual(JSON.parse(request.body), {
    siteId: 'your-site-id',
    environmentId: 'prod',
    context: { userId: '123', plan: 'premium', country: 'US' },
  });
  assert.equal(request.status, 200);
  assert.deepEqual(page.complaints, []);
});

test('another user sees other values, in the same page', async (t) => {
  const proxy = await startProxy(t, serverUrl);
  const page = await openWelcome(t, proxy);
  await page.show({ id: '123', plan: 'premium', country: 'US' });
  await page.banner.waitFor();
  await page.show({ id: '456', plan: 'free', country: 'SE' });
  await page.heading('Välkommen!');
  assert.equal(await page.banner.count(), 0);
  await page.show({ id: '456', plan: 'free', country: 'SE' }); // the same user again: nothing to ask
  await page.show({ id: '123', plan: 'premium', country: 'US' });
  await page.banner.waitFor();
  assert.equal(proxy.requests.filter(isEvaluate).length, 3);
});

test('it says Loading... until the answer comes, and its defaults when none does', async (t) => {
  const proxy = await startProxy(t, serverUrl);
  proxy.mode = 'hang';
  const page = await openWelcome(t, proxy);
  await page.show({ id: '123', plan: 'premium', country: 'US' });
  await proxy.received(({ path }) => path === '/api/v1/evaluate');
  await page.getByText('Loading...').waitFor();
  proxy.cut();
  await page.heading('Welcome!');
  assert.equal(await page.banner.count(), 0);
});

// The JavaScript client in Chromium, from a page of another origin than the server's.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeFeature } from './support/admin.mjs';
import { openPage } from './support/browser.mjs';
import { clientToken, serverUrl } from './support/environment.mjs';
import { makeListener } from './support/listener.mjs';
import { isAnalytics, isFeatures, isStream, startProxy } from './support/proxy.mjs';

const premium = { userId: '123', plan: 'premium' };
const scripts = ['feature-config.js', 'feature-config.min.js'];

/** A page with the client loaded by a script tag, and one made from it as `client`. */
async function openWithClient(t, proxy, { clock, ...options } = {}) {
  const settings = JSON.stringify({ apiToken: clientToken, baseUrl: proxy.api, analytics: false, ...options });
  const content = `<script src="${proxy.url}/feature-config.min.js"></script>
    <script>const client = new FeatureConfigClient(${settings});</script>`;
  const page = await openPage(t, content, { clock });
  page.value = (key, context = premium) =>
    page.evaluate(([key, context]) => client.getFeature('shop', 'prod', key, 'Hello!', context), [key, context]);
  return page;
}

describe('loading', () => {
  for (const script of scripts) {
    test(`the manual’s page works with a script tag for ${script}`, async (t) => {
      const page = await openPage(
        t,
        `<script src="${serverUrl}/${script}"></script>
        <script>
          const client = new FeatureConfigClient({
            apiToken: '${clientToken}',
            baseUrl: '${serverUrl}/api/v1'
          });

          // Get all features for site + environment
          client.getFeatures('shop', 'prod', { userId: '123', plan: 'premium' })
            .then(features => console.log(JSON.stringify(features.premium_banner.value)));

          // Get specific feature
          client.getFeature('shop', 'prod', 'welcome_message', 'Hello!', { userId: '123' })
            .then(value => console.log(value));

          // Check if feature is enabled
          client.isFeatureEnabled('shop', 'prod', 'new_checkout', { userId: '123', email: 'ana@shop.example' })
            .then(enabled => console.log('New checkout:', enabled));
        </script>`,
      );
      while (page.logged.length < 3) await page.waitForEvent('console');
      assert.deepEqual(page.logged.toSorted(), ['New checkout: true', 'Welcome to our shop!', 'true']);
      assert.deepEqual(page.complaints, []);
    });

    test(`a module imports ${script}, as default or by its name`, async (t) => {
      const page = await openPage(
        t,
        `<script type="module">
          import byDefault, { FeatureConfigClient } from '${serverUrl}/${script}';
          const client = new FeatureConfigClient({ apiToken: '${clientToken}', baseUrl: '${serverUrl}/api/v1' });
          const message = await client.getFeature('shop', 'prod', 'welcome_message', 'Hello!', { country: 'SE' });
          console.log(message, byDefault === FeatureConfigClient, typeof window.FeatureConfigClient);
        </script>`,
      );
      while (page.logged.length < 1) await page.waitForEvent('console');
      assert.deepEqual(page.logged, ['Välkommen till butiken! true undefined']);
      assert.deepEqual(page.complaints, []);
    });

    test(`${script} may be loaded twice`, async (t) => {
      const tag = `<script src="${serverUrl}/${script}"></script>`;
      const page = await openPage(t, tag + tag);
      assert.equal(await page.evaluate(() => typeof FeatureConfigClient), 'function');
      assert.deepEqual(page.complaints, []);
    });
  }
});

describe('across origins', () => {
  test('a preflight is answered, and remembered by the browser', async (t) => {
    // Not by the client: Chromium asks anew for requests that pass its cache, as the client's do.
    const proxy = await startProxy(t, serverUrl);
    const page = await openPage(t, '');
    const statuses = await page.evaluate(
      async ([url, token]) => {
        const ask = async () => (await fetch(url, { headers: { Authorization: `Bearer ${token}` } })).status;
        return [await ask(), await ask()];
      },
      [`${proxy.api}/sites/shop/environments/prod/features`, clientToken],
    );
    assert.deepEqual(statuses, [200, 200]);
    assert.deepEqual(
      proxy.requests.map(({ method }) => method),
      ['OPTIONS', 'GET', 'GET'],
    );
  });

  test('the reason of a refusal can be read', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const page = await openWithClient(t, proxy, { apiToken: 'alm_env_shop_prod_wrong' });
    const warned = page.waitForEvent('console', (message) => message.type() === 'warning');
    assert.equal(await page.value('welcome_message'), 'Hello!');
    assert.doesNotMatch((await warned).text(), /Failed to fetch/);
  });
});

describe('cache', () => {
  test('one request for five minutes, then a revalidation by ETag', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const page = await openWithClient(t, proxy, { clock: true });
    const gets = () => proxy.requests.filter(isFeatures);
    assert.equal(await page.value('welcome_message'), 'Welcome back, premium member!');
    assert.equal(await page.value('dashboard_max_items'), 50);
    await page.clock.fastForward(299_000);
    await page.value('welcome_message');
    assert.equal(gets().length, 1);

    await page.clock.fastForward(1_000);
    assert.equal(await page.value('welcome_message'), 'Welcome back, premium member!');
    const [, second] = gets();
    assert.match(second.headers['if-none-match'], /^"/);
    assert.equal(second.status, 304);
  });

  test('a new page asks anew, past the browser’s own cache', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const page = await openWithClient(t, proxy);
    await page.value('welcome_message');
    await page.reload();
    await page.value('welcome_message');
    assert.deepEqual(proxy.requests.filter(isFeatures).map(({ status }) => status), [200, 200]);
  });

  test('questions asked at the same time share one request', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const page = await openWithClient(t, proxy);
    await page.evaluate((context) => {
      const ask = () => client.isFeatureEnabled('shop', 'prod', 'premium_banner', context);
      return Promise.all([ask(), ask(), ask(), client.getFeatures('shop', 'prod', context)]);
    }, premium);
    assert.equal(proxy.requests.filter(isFeatures).length, 1);
  });
});

describe('failure', () => {
  test('stale values are served while the server is away; the default where nothing is known', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const page = await openWithClient(t, proxy, { cacheTtl: 0 });
    assert.equal(await page.value('welcome_message'), 'Welcome back, premium member!');
    proxy.mode = 'down';
    assert.equal(await page.value('welcome_message'), 'Welcome back, premium member!');
    assert.equal(await page.value('welcome_message', { userId: 'unheard-of' }), 'Hello!');
    assert.deepEqual(page.complaints, []);
  });

  test('a server that does not answer is given up', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const page = await openWithClient(t, proxy, { timeout: 100 });
    proxy.mode = 'hang';
    assert.equal(await page.value('welcome_message'), 'Hello!');
    assert.deepEqual(page.complaints, []);
  });
});

describe('subscribe', () => {
  /** Subscribes in the page; what its listener is told arrives in the listener answered. */
  async function subscribe(page) {
    const listener = makeListener();
    await page.exposeFunction('tell', listener);
    await page.evaluate((context) => {
      window.unsubscribe = client.subscribe('shop', 'prod', context, window.tell);
    }, premium);
    return listener;
  }

  test('a change reaches the page, and its cache', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const feature = await makeFeature(t, { type: 'STRING', defaultValue: 'Grüße 🎉' });
    const page = await openWithClient(t, proxy);
    const listener = await subscribe(page);
    assert.equal((await listener.next()).features[feature.key].value, 'Grüße 🎉');

    await feature.patch({ defaultValue: 'two' });
    const update = await listener.next();
    assert.equal(update.change.type, 'update');
    assert.deepEqual(update.change.keys, [feature.key]);
    assert.equal(update.features[feature.key].value, 'two');
    assert.equal(await page.value(feature.key), 'two');

    await feature.delete();
    assert.equal((await listener.next()).change.type, 'delete');
    assert.equal(await page.value(feature.key), 'Hello!');
    assert.equal(proxy.requests.filter(isFeatures).length, 0);
    assert.ok(proxy.requests.every(({ query }) => !query.has('apiKey')));
  });

  test('a removed listener hears no more, and its connection is closed', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const feature = await makeFeature(t, { type: 'STRING', defaultValue: 'one' });
    const page = await openWithClient(t, proxy);
    const listener = await subscribe(page);
    await listener.next();
    await page.evaluate(() => window.unsubscribe());
    await proxy.closed(isStream);
    await feature.patch({ defaultValue: 'two' });
    await page.value(feature.key); // a round trip through the page: a late call would have come before it
    assert.equal(listener.untaken.length, 0);
    assert.equal(proxy.requests.filter(isStream).length, 1);
  });

  test('a broken connection is opened again with the id of the last event', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const feature = await makeFeature(t, { type: 'STRING', defaultValue: 'one' });
    const page = await openWithClient(t, proxy);
    const listener = await subscribe(page);
    await listener.next();
    proxy.mode = 'down';
    proxy.cut();
    await feature.patch({ defaultValue: 'two' });
    proxy.mode = 'pass';
    const snapshot = await listener.next();
    assert.equal(snapshot.change.type, 'snapshot');
    assert.equal(snapshot.features[feature.key].value, 'two');
    const again = proxy.requests.filter(isStream).at(-1);
    assert.match(again.headers['last-event-id'], /^\d+$/);
  });
});

describe('analytics', () => {
  const reported = (request) => JSON.parse(request.body).evaluations.map(({ featureKey, count }) => [featureKey, count]);
  const isBeacon = (request) => isAnalytics(request) && request.query.has('apiKey');
  const use = (page, times) =>
    page.evaluate(
      async ([context, times]) => {
        for (let used = 0; used < times; used++) await client.isFeatureEnabled('shop', 'prod', 'premium_banner', context);
      },
      [premium, times],
    );

  test('the twentieth evaluation sends the batch, the token in a header', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const page = await openWithClient(t, proxy, { analytics: true });
    await use(page, 19);
    assert.equal(proxy.requests.filter(isAnalytics).length, 0);
    await use(page, 1);
    const request = await proxy.seen(isAnalytics);
    assert.equal(request.status, 202);
    assert.equal(request.headers.authorization, `Bearer ${clientToken}`);
    assert.equal(request.query.has('apiKey'), false);
    assert.deepEqual(reported(request), [['premium_banner', 19]]);
  });

  test('after sixty seconds a smaller batch is sent', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const page = await openWithClient(t, proxy, { analytics: true, clock: true });
    await use(page, 3);
    await page.clock.fastForward(59_000);
    await page.evaluate(() => fetch('/')); // a round trip: a batch sent too early would have come before it
    assert.equal(proxy.requests.filter(isAnalytics).length, 0);
    await page.clock.fastForward(1_000);
    assert.deepEqual(reported(await proxy.seen(isAnalytics)), [['premium_banner', 2]]);
  });

  test('a page that is left sends what it has, by a beacon', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const page = await openWithClient(t, proxy, { analytics: true });
    await use(page, 3);
    await page.goto('about:blank');
    const beacon = await proxy.seen(isBeacon);
    assert.equal(beacon.status, 202);
    assert.equal(beacon.query.get('apiKey'), clientToken);
    assert.equal(beacon.headers.authorization, undefined);
    assert.match(beacon.headers['content-type'], /^text\/plain/);
    assert.deepEqual(reported(beacon), [['premium_banner', 2]]);
    assert.ok(!proxy.requests.some(({ method, path }) => method === 'OPTIONS' && path.includes('analytics')));
  });

  test('a page that is hidden sends what it has, and later only what is new', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const page = await openWithClient(t, proxy, { analytics: true });
    const change = (hidden) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
        document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
      }, hidden);
    await use(page, 2);
    await change(false); // to be shown is no occasion
    await use(page, 1);
    await change(true);
    const first = await proxy.seen(isBeacon);
    assert.deepEqual(reported(first), [['premium_banner', 2]]);
    await use(page, 1);
    await page.evaluate(() => dispatchEvent(new Event('pagehide')));
    const second = await proxy.seen((request) => isBeacon(request) && request !== first);
    assert.deepEqual(reported(second), [['premium_banner', 1]]);
  });

  test('a batch too large for a beacon waits for the next flush', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const page = await openWithClient(t, proxy, { analytics: true });
    await page.evaluate(async (context) => {
      navigator.sendBeacon = () => false; // as a browser does over its limit
      const use = () => client.isFeatureEnabled('shop', 'prod', 'premium_banner', context);
      await use();
      await use();
      dispatchEvent(new Event('pagehide'));
      await use();
      await client.flush();
    }, premium);
    assert.deepEqual(reported(await proxy.seen(isAnalytics)), [['premium_banner', 2]]);
  });
});

// The JavaScript client in Node, against the running server.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import { admin, makeFeature } from './support/admin.mjs';
import { asset } from './support/assets.mjs';
import { clientToken, databaseFile, serverUrl } from './support/environment.mjs';
import { makeListener } from './support/listener.mjs';
import { isAnalytics, isFeatures, isStream, startProxy } from './support/proxy.mjs';

const FeatureConfigClient = createRequire(import.meta.url)(asset('feature-config.js'));

const api = `${serverUrl}/api/v1`;
const premium = { userId: '123', plan: 'premium' };

/** A client without analytics, which have their own tests. */
const makeClient = (options) => new FeatureConfigClient({ apiToken: clientToken, baseUrl: api, analytics: false, ...options });

/** The client warns on the console when it falls back; a test that makes it do so keeps the console quiet. */
const expectWarnings = (t) => t.mock.method(console, 'warn', () => {}).mock;

describe('values', () => {
  test('getFeatures resolves to every feature of the environment, by key', async () => {
    const features = await makeClient().getFeatures('shop', 'prod', premium);
    const { ruleId, version, ...banner } = features.premium_banner;
    assert.deepEqual(banner, { value: true, type: 'BOOLEAN', enabled: true, reason: 'TARGETING_MATCH', variant: null });
    assert.match(ruleId, /^[0-9a-f-]{36}$/);
    assert.equal(typeof version, 'number');
    assert.equal(features.retired_text.value, null);
    assert.equal(features.dashboard_max_items.value, 50);
    assert.ok(features.checkout_theme.variant);
  });

  test('getFeature resolves to the value for the context', async () => {
    const client = makeClient();
    const greet = (context) => client.getFeature('shop', 'prod', 'welcome_message', 'Hello!', context);
    assert.equal(await greet(premium), 'Welcome back, premium member!');
    assert.equal(await greet({ country: 'SE' }), 'Välkommen till butiken!');
    assert.equal(await greet({}), 'Welcome to our shop!');
    assert.equal(await greet(undefined), 'Welcome to our shop!');
    assert.equal(await greet(null), 'Welcome to our shop!');
  });

  test('the default stands in for an unknown feature and for one without a value', async () => {
    const client = makeClient();
    assert.equal(await client.getFeature('shop', 'prod', 'no_such_feature', 'Hello!', premium), 'Hello!');
    assert.equal(await client.getFeature('shop', 'prod', 'no_such_feature'), null);
    assert.equal(await client.getFeature('shop', 'prod', 'retired_text', 'Hello!', premium), 'Hello!');
    assert.equal(await client.getFeature('shop', 'prod', 'retired_banner', 'Hello!', premium), false);
    for (const key of ['constructor', 'toString', '__proto__']) {
      assert.equal(await client.getFeature('shop', 'prod', key, 'Hello!', premium), 'Hello!');
    }
  });

  test('isFeatureEnabled is true only when the value is exactly true', async () => {
    const client = makeClient();
    const enabled = (key, context = premium) => client.isFeatureEnabled('shop', 'prod', key, context);
    assert.equal(await enabled('premium_banner'), true);
    assert.equal(await enabled('premium_banner', { plan: 'free' }), false);
    assert.equal(await enabled('truthy_text'), false);
    assert.equal(await enabled('dashboard_max_items'), false);
    assert.equal(await enabled('retired_banner'), false);
    assert.equal(await enabled('no_such_feature'), false);
  });

  test('rollouts and splits agree with the published formula', async () => {
    const client = makeClient();
    for (let user = 0; user < 40; user++) {
      const userId = `user-${user}`;
      const bucket = (key, offset) =>
        Number(createHash('sha256').update(userId + key).digest().readBigUInt64BE(offset) % 10_000n);
      assert.equal(await client.isFeatureEnabled('shop', 'prod', 'new_ui', { userId }), bucket('new_ui', 0) < 5_000, userId);
      const { variant } = (await client.getFeatures('shop', 'prod', { userId })).checkout_theme;
      assert.equal(variant, bucket('checkout_theme', 8) < 5_000 ? 'plain' : 'cards', userId);
    }
  });

  test('a context arrives whole, whatever characters it has', async (t) => {
    const city = 'Malmö & Åre? #1 100% +"\\ 東京';
    const when = { attribute: 'address.city', operator: 'equals', value: city };
    const feature = await makeFeature(t, {
      type: 'BOOLEAN',
      defaultValue: false,
      rules: [{ name: 'City', when, outcome: { value: true } }],
    });
    assert.equal(await makeClient().isFeatureEnabled('shop', 'prod', feature.key, { address: { city } }), true);
  });

  test('a base URL may end in a slash', async () => {
    assert.equal(await makeClient({ baseUrl: `${api}/` }).isFeatureEnabled('shop', 'prod', 'premium_banner', premium), true);
  });

  test('a token of another environment gives the defaults and a warning', async (t) => {
    const warnings = expectWarnings(t);
    assert.equal(await makeClient().getFeature('shop', 'dev', 'welcome_message', 'Hello!'), 'Hello!');
    assert.equal(warnings.callCount(), 1);
  });
});

describe('cache', () => {
  test('one request serves every question about one context', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const client = makeClient({ baseUrl: proxy.api });
    await client.getFeatures('shop', 'prod', premium);
    await client.getFeature('shop', 'prod', 'welcome_message', '', premium);
    await client.isFeatureEnabled('shop', 'prod', 'premium_banner', premium);
    assert.equal(proxy.requests.length, 1);
    const [request] = proxy.requests;
    assert.equal(request.path, '/api/v1/sites/shop/environments/prod/features');
    assert.deepEqual(JSON.parse(request.query.get('context')), premium);
    assert.equal(request.headers.authorization, `Bearer ${clientToken}`);

    await client.getFeature('shop', 'prod', 'welcome_message', '', { country: 'SE' });
    assert.equal(proxy.requests.length, 2);
  });

  test('questions asked at the same time share one request', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const client = makeClient({ baseUrl: proxy.api });
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => client.isFeatureEnabled('shop', 'prod', 'premium_banner', premium)),
    );
    assert.deepEqual(answers, Array(10).fill(true));
    assert.equal(proxy.requests.length, 1);
  });

  test('after five minutes the answer is revalidated by its ETag', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const client = makeClient({ baseUrl: proxy.api });
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    const greet = () => client.getFeature('shop', 'prod', 'welcome_message', 'Hello!', premium);
    await greet();
    t.mock.timers.tick(299_999);
    await greet();
    assert.equal(proxy.requests.length, 1);

    t.mock.timers.tick(1);
    assert.equal(await greet(), 'Welcome back, premium member!');
    assert.equal(proxy.requests.length, 2);
    const [first, second] = proxy.requests;
    assert.equal(first.status, 200);
    assert.equal(first.headers['if-none-match'], undefined);
    assert.match(second.headers['if-none-match'], /^"/);
    assert.equal(second.status, 304);

    t.mock.timers.tick(299_999); // a 304 makes it fresh again
    await greet();
    assert.equal(proxy.requests.length, 2);
  });

  test('revalidation brings a changed value', async (t) => {
    const feature = await makeFeature(t, { type: 'STRING', defaultValue: 'before' });
    const client = makeClient({ cacheTtl: 0 });
    const value = () => client.getFeature('shop', 'prod', feature.key, 'Hello!', premium);
    assert.equal(await value(), 'before');
    await feature.patch({ defaultValue: 'after' });
    assert.equal(await value(), 'after');
  });

  test('it keeps the thousand contexts used last', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const client = makeClient({ baseUrl: proxy.api, timeout: 60_000 }); // a busy machine answers late
    const ask = (user) => client.getFeatures('shop', 'prod', { userId: `${user}` });
    for (let user = 0; user < 1_000; user += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, next) => ask(user + next)));
    }
    await ask(0); // used again: now 1 is the oldest
    assert.equal(proxy.requests.length, 1_000);
    await ask(1_000);
    await ask(0);
    assert.equal(proxy.requests.length, 1_001);
    await ask(1);
    assert.equal(proxy.requests.length, 1_002);
  });
});

describe('failure', () => {
  test('a request is given up after five seconds, or after `timeout`', async (t) => {
    expectWarnings(t);
    const proxy = await startProxy(t, serverUrl);
    proxy.mode = 'hang';
    const { mock } = t.mock.method(AbortSignal, 'timeout', (delay) => AbortSignal.abort(delay));
    await makeClient({ baseUrl: proxy.api }).getFeatures('shop', 'prod', premium);
    assert.deepEqual(mock.calls.map((call) => call.arguments), [[5_000]]);
    mock.restore();

    const client = makeClient({ baseUrl: proxy.api, timeout: 50 });
    assert.equal(await client.getFeature('shop', 'prod', 'welcome_message', 'Hello!', premium), 'Hello!');
  });

  test('stale values are served while the server is away, and fresh ones when it is back', async (t) => {
    const warnings = expectWarnings(t);
    const proxy = await startProxy(t, serverUrl);
    const feature = await makeFeature(t, { type: 'STRING', defaultValue: 'before' });
    let timeOut;
    t.mock.method(AbortSignal, 'timeout', () => {
      const controller = new AbortController();
      timeOut = () => controller.abort();
      return controller.signal;
    });
    const client = makeClient({ baseUrl: proxy.api, cacheTtl: 0 });
    const value = () => client.getFeature('shop', 'prod', feature.key, 'Hello!', premium);
    assert.equal(await value(), 'before');

    await feature.patch({ defaultValue: 'after' });
    proxy.mode = 'down';
    assert.equal(await value(), 'before');
    assert.equal((await client.getFeatures('shop', 'prod', premium))[feature.key].value, 'before');
    proxy.mode = 'hang';
    const asked = value();
    timeOut();
    assert.equal(await asked, 'before');
    assert.equal(warnings.callCount(), 3);

    proxy.mode = 'pass';
    assert.equal(await value(), 'after');
  });

  test('the default is served where nothing was ever known', async (t) => {
    expectWarnings(t);
    const proxy = await startProxy(t, serverUrl);
    proxy.mode = 'down';
    const client = makeClient({ baseUrl: proxy.api });
    assert.equal(await client.getFeature('shop', 'prod', 'welcome_message', 'Hello!', premium), 'Hello!');
    assert.equal(await client.isFeatureEnabled('shop', 'prod', 'premium_banner', premium), false);
    assert.deepEqual(await client.getFeatures('shop', 'prod', premium), {});
  });

  test('a refused token gives the default and says why', async (t) => {
    const warnings = expectWarnings(t);
    const client = makeClient({ apiToken: 'alm_env_shop_prod_wrong' });
    assert.equal(await client.getFeature('shop', 'prod', 'welcome_message', 'Hello!', premium), 'Hello!');
    const [, error] = warnings.calls[0].arguments;
    assert.ok(error instanceof Error && error.message, 'the server’s message is passed on');
  });
});

describe('analytics', () => {
  /** A client as one gets it without saying anything about analytics. */
  const makeReporting = (baseUrl) => new FeatureConfigClient({ apiToken: clientToken, baseUrl });
  const reported = (request) => JSON.parse(request.body).evaluations;

  test('the twentieth evaluation sends the batch', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const client = makeReporting(proxy.api);
    const use = () => client.getFeature('shop', 'prod', 'checkout_theme', null, premium);
    for (let used = 0; used < 19; used++) await use();
    assert.equal(proxy.requests.filter(isAnalytics).length, 0);
    await use();
    const request = await proxy.seen(isAnalytics);
    assert.equal(request.status, 202);
    assert.equal(request.headers.authorization, `Bearer ${clientToken}`);
    assert.equal(request.headers['content-type'], 'application/json');
    assert.equal(request.query.get('apiKey'), null);

    const feature = (await client.getFeatures('shop', 'prod', premium)).checkout_theme;
    assert.deepEqual(reported(request), [
      {
        featureKey: 'checkout_theme',
        value: feature.value,
        ruleId: feature.ruleId,
        variant: feature.variant,
        userId: '123',
        count: 19, // the server counted the first itself, when it answered
      },
    ]);
  });

  test('sixty seconds after its first evaluation the batch is sent', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const client = makeReporting(proxy.api);
    const use = (key) => client.isFeatureEnabled('shop', 'prod', key, premium);
    await use('premium_banner');
    await use('new_dashboard');
    t.mock.timers.enable({ apis: ['setTimeout'] });
    await use('premium_banner');
    t.mock.timers.tick(30_000);
    await use('new_dashboard');
    t.mock.timers.tick(29_999);
    assert.equal(proxy.requests.filter(isAnalytics).length, 0);
    t.mock.timers.tick(1);
    const first = await proxy.seen(isAnalytics);
    assert.deepEqual(
      reported(first).map(({ featureKey, value, count }) => [featureKey, value, count]),
      [
        ['premium_banner', true, 1],
        ['new_dashboard', true, 1],
      ],
    );

    await use('new_dashboard');
    t.mock.timers.tick(59_999);
    assert.equal(proxy.requests.filter(isAnalytics).length, 1);
    t.mock.timers.tick(1);
    const second = await proxy.seen((request) => isAnalytics(request) && request !== first);
    assert.deepEqual(reported(second).map(({ featureKey }) => featureKey), ['new_dashboard']);
  });

  test('a flush starts the sixty seconds anew', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const client = makeReporting(proxy.api);
    const use = () => client.isFeatureEnabled('shop', 'prod', 'premium_banner', premium);
    await use();
    t.mock.timers.enable({ apis: ['setTimeout'] });
    await use();
    t.mock.timers.tick(10_000);
    await use();
    await client.flush();
    await use();
    t.mock.timers.tick(59_999);
    const reports = () => proxy.requests.filter(isAnalytics);
    await client.getFeatures('shop', 'prod', {}); // a round trip: a report sent too early would have come before it
    assert.equal(reports().length, 1);
    t.mock.timers.tick(1);
    await proxy.seen((request) => isAnalytics(request) && request !== reports()[0]);
  });

  test('the same use is counted, another user, feature or value is told apart', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const feature = await makeFeature(t, { type: 'STRING', defaultValue: 'one' });
    const client = new FeatureConfigClient({ apiToken: clientToken, baseUrl: proxy.api, cacheTtl: 0 });
    const use = (key, userId) => client.getFeature('shop', 'prod', key, null, { userId });
    for (let time = 0; time < 3; time++) {
      await use(feature.key, 'ana');
      await use(feature.key, 17);
      await use(feature.key, undefined);
      await use('new_dashboard', 'ana');
    }
    await feature.patch({ defaultValue: 'two' });
    await use(feature.key, 'ana');
    await use(feature.key, 'ana');
    await client.flush();
    const request = await proxy.seen(isAnalytics);
    assert.deepEqual(reported(request), [
      { featureKey: feature.key, value: 'one', userId: 'ana', count: 2 },
      { featureKey: feature.key, value: 'one', userId: '17', count: 2 },
      { featureKey: feature.key, value: 'one', count: 2 },
      { featureKey: 'new_dashboard', value: false, userId: 'ana', count: 2 },
      { featureKey: feature.key, value: 'two', userId: 'ana', count: 1 },
    ]);
    assert.equal(request.status, 202);
  });

  test('flush sends what there is, and nothing when there is nothing', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const client = makeReporting(proxy.api);
    await client.flush();
    await client.isFeatureEnabled('shop', 'prod', 'premium_banner', premium);
    await client.isFeatureEnabled('shop', 'prod', 'premium_banner', premium);
    await client.flush();
    await client.flush();
    assert.deepEqual(proxy.requests.filter(isAnalytics).map(({ status }) => status), [202]);
  });

  test('what is no feature is not reported', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const client = makeReporting(proxy.api);
    for (const key of ['no_such_feature', 'constructor', '__proto__']) {
      for (let time = 0; time < 2; time++) await client.getFeature('shop', 'prod', key, null, premium);
    }
    await client.flush();
    assert.equal(proxy.requests.filter(isAnalytics).length, 0);
  });

  test('analytics can be turned off', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const client = makeClient({ baseUrl: proxy.api });
    for (let used = 0; used < 25; used++) await client.isFeatureEnabled('shop', 'prod', 'premium_banner', premium);
    await client.flush();
    assert.equal(proxy.requests.filter(isAnalytics).length, 0);
  });

  test('a server that is away costs the caller nothing', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const client = makeReporting(proxy.api);
    const use = () => client.isFeatureEnabled('shop', 'prod', 'premium_banner', premium);
    await use();
    proxy.mode = 'down';
    for (let used = 1; used < 20; used++) assert.equal(await use(), true);
    await proxy.received(isAnalytics);
    await client.flush();
  });

  test('the server counts each reported use once', { skip: withoutPython() }, async (t) => {
    const feature = await makeFeature(t, { type: 'STRING', defaultValue: 'x' });
    const client = makeReporting(api);
    const use = (userId) => client.getFeature('shop', 'prod', feature.key, '', { userId });
    for (let used = 0; used < 30; used++) await use('ana');
    for (let used = 0; used < 12; used++) await use('bo');
    await client.flush();
    // The first use of each user the server counted when it answered; the rest are reported. All stand in one sum.
    assert.equal(await eventually(() => counted(feature.key), (uses) => uses >= 42), 42);
  });

  /** How many uses of a feature stand in the database, read with Python: Node 20 has no SQLite. */
  const counted = (feature) => Number(execFileSync('python3', ['-c', READ_COUNTS, databaseFile, feature]));
  const READ_COUNTS = `
import sqlite3, sys
database = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
print(database.execute("SELECT coalesce(sum(count), 0) FROM evaluation_counts WHERE feature = ?", sys.argv[2:]).fetchone()[0])
`;

  /** Why a test that reads the database cannot run, if it cannot. In CI run.sh has seen to it that it can. */
  function withoutPython() {
    return spawnSync('python3', ['--version']).status === 0 ? false : 'python3 is needed to read the database';
  }

  /** The server counts in the background, every few seconds: asks until `done`, for a minute at most. */
  async function eventually(ask, done) {
    const deadline = Date.now() + 60_000;
    for (;;) {
      const answer = await ask();
      if (done(answer) || Date.now() > deadline) return answer;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
});

describe('subscribe', () => {
  /** Subscribes for the length of the test. */
  const subscribe = (t, client, listener, context = premium) => {
    const unsubscribe = client.subscribe('shop', 'prod', context, listener);
    t.after(unsubscribe);
    return unsubscribe;
  };

  test('tells the snapshot first, then each change and each deletion', async (t) => {
    const feature = await makeFeature(t, { type: 'STRING', defaultValue: 'one' });
    const listener = makeListener();
    subscribe(t, makeClient(), listener);

    const snapshot = await listener.next();
    assert.equal(snapshot.change.type, 'snapshot');
    assert.deepEqual(snapshot.change.keys.toSorted(), Object.keys(snapshot.features).toSorted());
    assert.equal(snapshot.features[feature.key].value, 'one');
    assert.equal(snapshot.features.premium_banner.value, true);

    await feature.patch({ defaultValue: 'two' });
    const update = await listener.next();
    assert.deepEqual(update.change, { type: 'update', keys: [feature.key], status: undefined });
    assert.equal(update.features[feature.key].value, 'two');
    assert.equal(update.features.premium_banner.value, true);
    assert.equal(snapshot.features[feature.key].value, 'one', 'what was told before is not changed under the listener');

    await feature.delete();
    const deletion = await listener.next();
    assert.deepEqual(deletion.change, { type: 'delete', keys: [feature.key], status: undefined });
    assert.ok(!(feature.key in deletion.features));
    assert.equal(deletion.features.premium_banner.value, true);
  });

  test('hears only of what changes for its own context', async (t) => {
    const when = { attribute: 'plan', operator: 'equals', value: 'premium' };
    const rules = (value) => [{ name: 'Premium', when, outcome: { value } }];
    const feature = await makeFeature(t, { type: 'STRING', defaultValue: 'x', rules: rules('one') });
    const client = makeClient();
    const [forPremium, forFree] = [makeListener(), makeListener()];
    subscribe(t, client, forPremium, { plan: 'premium' });
    subscribe(t, client, forFree, { plan: 'free' });
    await Promise.all([forPremium.next(), forFree.next()]);

    await feature.patch({ rules: rules('two') });
    await feature.patch({ defaultValue: 'y' });
    assert.equal((await forPremium.next()).features[feature.key].value, 'two');
    assert.equal((await forFree.next()).features[feature.key].value, 'y');
  });

  test('feeds the cache, which then needs no request', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const feature = await makeFeature(t, { type: 'STRING', defaultValue: 'one' });
    const client = makeClient({ baseUrl: proxy.api });
    const listener = makeListener();
    subscribe(t, client, listener);
    await listener.next();
    const value = () => client.getFeature('shop', 'prod', feature.key, '', premium);
    assert.equal(await value(), 'one');
    await feature.patch({ defaultValue: 'two' });
    await listener.next();
    assert.equal(await value(), 'two');
    assert.equal(proxy.requests.filter(isFeatures).length, 0);
    const [stream] = proxy.requests;
    assert.equal(stream.path, '/api/v1/sites/shop/environments/prod/stream');
    assert.equal(stream.headers.authorization, `Bearer ${clientToken}`);
    assert.equal(stream.query.get('apiKey'), null, 'no token in a URL');
  });

  test('an ETag from before a streamed change is not used again', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const feature = await makeFeature(t, { type: 'STRING', defaultValue: 'one' });
    const client = makeClient({ baseUrl: proxy.api, cacheTtl: 0 });
    const value = () => client.getFeature('shop', 'prod', feature.key, '', premium);
    await value();
    const listener = makeListener();
    const unsubscribe = subscribe(t, client, listener);
    await listener.next();
    unsubscribe();
    await value();
    assert.deepEqual(
      proxy.requests.filter(isFeatures).map(({ status, headers }) => [status, headers['if-none-match']]),
      [
        [200, undefined],
        [200, undefined],
      ],
    );
  });

  test('listeners of one context share a connection, and a late one is told what is known', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const client = makeClient({ baseUrl: proxy.api });
    const [early, twin, late] = [makeListener(), makeListener(), makeListener()];
    subscribe(t, client, early);
    subscribe(t, client, twin);
    const { features } = await early.next();
    assert.deepEqual((await twin.next()).features, features);
    subscribe(t, client, late);
    assert.deepEqual(await late.next(), { features, change: { type: 'snapshot', keys: Object.keys(features) } });
    const brief = makeListener();
    subscribe(t, client, brief)();
    await client.getFeatures('shop', 'prod', {}); // a round trip: what it would be told would have come before it
    assert.equal(brief.untaken.length, 0);
    assert.equal(early.untaken.length, 0);
    assert.equal(proxy.requests.filter(isStream).length, 1);
  });

  test('a removed listener is not called again; the last one closes the connection', async (t) => {
    const proxy = await startProxy(t, serverUrl);
    const feature = await makeFeature(t, { type: 'STRING', defaultValue: 'one' });
    const client = makeClient({ baseUrl: proxy.api });
    const [removed, kept] = [makeListener(), makeListener()];
    const remove = subscribe(t, client, removed);
    const removeLast = subscribe(t, client, kept);
    await Promise.all([removed.next(), kept.next()]);
    remove();
    remove(); // twice is once
    await feature.patch({ defaultValue: 'two' });
    assert.equal((await kept.next()).features[feature.key].value, 'two');
    assert.equal(removed.untaken.length, 0);
    assert.ok(!proxy.requests[0].closed);
    removeLast();
    await proxy.closed(isStream);
    assert.equal(proxy.requests.length, 1);
  });

  test('the same function may listen twice', async (t) => {
    const client = makeClient();
    const listener = makeListener();
    const remove = subscribe(t, client, listener);
    subscribe(t, client, listener);
    await listener.next();
    await listener.next();
    remove();
    const feature = await makeFeature(t, { type: 'STRING', defaultValue: 'one' });
    assert.deepEqual((await listener.next()).change.keys, [feature.key]);
    assert.equal(listener.untaken.length, 0);
  });

  test('a listener that throws disturbs neither the others nor the stream', async (t) => {
    const warnings = expectWarnings(t);
    const proxy = await startProxy(t, serverUrl);
    const feature = await makeFeature(t, { type: 'STRING', defaultValue: 'one' });
    const client = makeClient({ baseUrl: proxy.api });
    const listener = makeListener();
    subscribe(t, client, () => {
      throw new Error('from a listener');
    });
    subscribe(t, client, listener);
    await listener.next();
    await feature.patch({ defaultValue: 'two' });
    await listener.next();
    assert.equal(warnings.callCount(), 2);
    assert.equal(proxy.requests.length, 1);
  });

  test('a broken connection is opened again where it left off', async (t) => {
    expectWarnings(t);
    const proxy = await startProxy(t, serverUrl);
    const feature = await makeFeature(t, { type: 'STRING', defaultValue: 'one' });
    const client = makeClient({ baseUrl: proxy.api });
    const listener = makeListener();
    subscribe(t, client, listener);
    await listener.next();

    // Nothing changed meanwhile: no second snapshot, and the next change arrives.
    proxy.cut();
    const again = await proxy.seen((request) => isStream(request) && request !== proxy.requests[0]);
    assert.match(again.headers['last-event-id'], /^\d+$/);
    await feature.patch({ defaultValue: 'two' });
    const update = await listener.next();
    assert.equal(update.change.type, 'update');
    assert.equal(update.features[feature.key].value, 'two');

    // Something changed meanwhile: a snapshot that has it.
    proxy.mode = 'down';
    proxy.cut();
    await feature.patch({ defaultValue: 'three' });
    proxy.mode = 'pass';
    const snapshot = await listener.next();
    assert.equal(snapshot.change.type, 'snapshot');
    assert.equal(snapshot.features[feature.key].value, 'three');
  });
});

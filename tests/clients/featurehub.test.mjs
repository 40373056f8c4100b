// FeatureHub's own Node SDK against the server: streaming and polling, with keys of both kinds.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import sdk from 'featurehub-javascript-node-sdk';
import { startHub, until } from './support/featurehub.mjs';
import { startProxy } from './support/proxy.mjs';

const {
  EdgeFeatureHubConfig, FeatureHubPollingClient, FeatureUpdater, FHLog, Readyness,
  StrategyAttributeCountryName: Country,
} = sdk;

const murmur3 = { bucketing: 'murmur3' };
const is = (attribute, value) => ({ attribute, operator: 'equals', value });
const features = [
  {
    key: 'FLAG', type: 'BOOLEAN', defaultValue: false, ...murmur3,
    rules: [
      { name: 'user', when: is('userId', 'ana'), outcome: { value: true } },
      { name: 'country', when: is('country', 'turkey'), outcome: { value: true } },
      {
        name: 'version', outcome: { value: true },
        when: { attribute: 'version', operator: 'semver_gte', value: '2.1.0' },
      },
    ],
  },
  { key: 'TEXT', type: 'STRING', defaultValue: 'hello' },
  { key: 'COUNT', type: 'NUMBER', defaultValue: 17.5 },
  { key: 'LIMITS', type: 'JSON', defaultValue: { max: 5 } },
  { key: 'UNSET', type: 'STRING' },
  {
    key: 'HALF', type: 'STRING', defaultValue: 'out', ...murmur3, bucketingId: '6b1f3c52-0d3e-4b8e-9a51-2f0c6f2b7a10',
    rules: [
      { name: 'staff', when: is('plan', 'staff'), outcome: { value: 'staff' } },
      { name: 'half', rollout: { percentage: 53.5 }, outcome: { value: 'in' } },
    ],
  },
  {
    key: 'BY_COMPANY', type: 'STRING', defaultValue: 'out', ...murmur3,
    bucketingId: '6b1f3c52-0d3e-4b8e-9a51-2f0c6f2b7a10',
    rules: [{ name: 'r', rollout: { percentage: 53.5, by: ['company'] }, outcome: { value: 'in' } }],
  },
];

FHLog.fhLog.quiet();
let hub;
before(async (t) => {
  hub = await startHub(t);
  for (const feature of features) await hub.make(feature);
});

/** A client of the SDK that has become ready; closed after the test. */
async function client(t, key, { poll, url = hub.url } = {}) {
  const config = new EdgeFeatureHubConfig(url, key);
  if (poll) config.edgeServiceProvider((repo, c) => new FeatureHubPollingClient(repo, c, poll));
  const seen = [];
  config.addReadinessListener((state) => seen.push(state));
  t.after(() => config.close());
  config.init();
  await until('ready', () => config.readyness === Readyness.Ready);
  assert.deepEqual([seen[0], seen.at(-1)], [Readyness.NotReady, Readyness.Ready]);
  return config;
}

const kinds = [
  ['streaming, client-evaluated', () => hub.clientKey(), {}],
  ['streaming, server-evaluated', () => hub.serverKey(), {}],
  ['polling, client-evaluated', () => hub.clientKey(), { poll: 100 }],
  ['polling, server-evaluated', () => hub.serverKey(), { poll: 100 }],
  ['streaming, a key in three parts', async () => `default/${await hub.clientKey()}`, {}],
  ['polling, a key in three parts', async () => `default/${await hub.serverKey()}`, { poll: 100 }],
];

for (const [name, key, how] of kinds) {
  test(`${name}: every type, strategies, change of context, live update`, async (t) => {
    const config = await client(t, await key(), how);
    const context = config.newContext();
    const values = () => ({
      FLAG: context.getFlag('FLAG'), HALF: context.getString('HALF'), BY_COMPANY: context.getString('BY_COMPANY'),
    });
    const becomes = async (wanted) => {
      await context.build();
      try {
        await until('the context', () => {
          try { assert.deepEqual(values(), wanted); return config.readyness === Readyness.Ready; } catch { return false; }
        });
      } catch {
        assert.deepEqual(values(), wanted);
      }
    };
    await context.userKey('nobody').build();
    await until('ready again', () => config.readyness === Readyness.Ready);
    assert.equal(context.getString('TEXT'), 'hello');
    assert.equal(context.getNumber('COUNT'), 17.5);
    assert.deepEqual(context.getJson('LIMITS'), { max: 5 });
    assert.equal(context.isSet('UNSET'), false);
    assert.equal(context.getString('UNSET', 'mine'), 'mine');
    assert.equal(config.repository().feature('TEXT').exists, true);
    assert.equal(context.feature('TEXT').locked, false);

    // Buckets of fred 218878, mary 551984; where there is no company, that of <none>.
    context.clear().userKey('fred').attributeValue('company', 'mary');
    await becomes({ FLAG: false, HALF: 'in', BY_COMPANY: 'out' });
    context.clear().userKey('mary').attributeValue('company', 'fred').attributeValue('plan', 'free');
    await becomes({ FLAG: false, HALF: 'out', BY_COMPANY: 'in' });
    context.clear().userKey('mary').sessionKey('fred').country(Country.Turkey);
    await becomes({ FLAG: true, HALF: 'in', BY_COMPANY: 'in' });
    context.clear().userKey('ana').attributeValue('plan', 'staff');
    await becomes({ FLAG: true, HALF: 'staff', BY_COMPANY: 'in' });
    context.clear().userKey('mary').version('2.0.9');
    await becomes({ FLAG: false, HALF: 'out', BY_COMPANY: 'in' });
    context.clear().userKey('mary').version('2.10.0');
    await becomes({ FLAG: true, HALF: 'out', BY_COMPANY: 'in' });

    const feature = `LIVE_${Math.random().toString(36).slice(2)}`;
    await hub.make({ key: feature, type: 'STRING', defaultValue: '1' });
    await until('a new feature', () => context.getString(feature) === '1');
    const heard = [];
    const handle = config.repository().feature(feature).addListener((state) => heard.push(state.str));
    await hub.change(feature, { defaultValue: '2' });
    await until('a change', () => context.getString(feature) === '2');
    await hub.change(feature, { locked: true });
    await until('a lock', () => context.feature(feature).locked);
    await hub.change(feature, { locked: false });
    await until('no lock', () => !context.feature(feature).locked);
    await until('a change of each', () => heard.length >= 3);
    config.repository().feature(feature).removeListener(handle);
    await hub.change(feature, { rules: [{ name: 'r', when: is('userId', 'mary'), outcome: { value: 'hers' } }] });
    await until('strategies alone', () => context.getString(feature) === 'hers');
    assert.deepEqual(heard, ['2', '2', '2'], 'a listener that was removed hears nothing');
    // Retired: gone for these clients, and back when it is no longer.
    await hub.change(feature, { retired: true });
    await until('its retirement', () => !config.repository().feature(feature).exists);
    assert.equal(context.getString(feature, 'mine'), 'mine');
    await hub.change(feature, { retired: false });
    await until('its return', () => config.repository().feature(feature).exists && context.getString(feature) === 'hers');
    await hub.remove(feature);
    await until('a deletion', () => !config.repository().feature(feature).isSet());
  });
}

test('unknown keys fail, and an archived environment too', async (t) => {
  const known = await hub.clientKey();
  const unknown = `${known.slice(0, -3)}xyz`;
  for (const poll of [undefined, 100]) {
    const config = new EdgeFeatureHubConfig(hub.url, unknown);
    if (poll) config.edgeServiceProvider((repo, c) => new FeatureHubPollingClient(repo, c, poll));
    t.after(() => config.close());
    config.init();
    await until('failed', () => config.readyness === Readyness.Failed);
  }
});

test('a client that starts in maintenance is ready once that is over', async (t) => {
  await hub.environment({ status: 'maintenance' });
  t.after(() => hub.environment({ status: 'active' }));
  const configs = [];
  for (const [key, poll] of [[await hub.clientKey()], [await hub.serverKey()], [await hub.clientKey(), 100]]) {
    const config = new EdgeFeatureHubConfig(hub.url, key);
    if (poll) config.edgeServiceProvider((repo, c) => new FeatureHubPollingClient(repo, c, poll));
    t.after(() => config.close());
    config.init();
    configs.push(config);
  }
  // Longer than it takes until streams are told to come back.
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  for (const config of configs) assert.equal(config.readyness, Readyness.NotReady);
  await hub.environment({ status: 'active' });
  for (const config of configs) await until('ready', () => config.readyness === Readyness.Ready);
});

test('several keys are polled at once', async (t) => {
  const config = new EdgeFeatureHubConfig(hub.url, await hub.clientKey());
  config.apiKey(await hub.clientKey());
  config.edgeServiceProvider((repo, c) => new FeatureHubPollingClient(repo, c, 100));
  t.after(() => config.close());
  config.init();
  await until('ready', () => config.readyness === Readyness.Ready);
  assert.equal(config.newContext().getString('TEXT'), 'hello');
});

test('the test client changes values and locks within its permissions', async (t) => {
  const all = ['CHANGE_VALUE', 'LOCK', 'UNLOCK'];
  const key = await hub.clientKey(all);
  const config = await client(t, key);
  const poller = await client(t, await hub.clientKey(), { poll: 100 });
  const evaluated = await client(t, await hub.serverKey());
  await evaluated.newContext().userKey('mary').build();
  await hub.make({
    key: 'TESTED', type: 'STRING', defaultValue: 'a', ...murmur3,
    rules: [{ name: 'r', when: is('userId', 'ana'), outcome: { value: 'ana' } }],
  });
  const updater = new FeatureUpdater(config);
  const update = (change) => updater.updateKey('TESTED', change);
  const everywhere = async (value) => {
    for (const one of [config, poller]) {
      await until(value, () => one.newContext().userKey('mary').getString('TESTED') === value);
    }
    await until(value, () => evaluated.repository().feature('TESTED').getString() === value);
  };
  assert.equal(await update({ value: 'b' }), true);
  await everywhere('b');
  assert.equal(await update({ value: 'b' }), true, 'nothing to do is no failure');
  assert.equal(await update({ lock: true }), true);
  await until('locked', () => config.repository().feature('TESTED').locked);
  assert.equal(await update({ value: 'c' }), false);
  assert.equal(await update({ lock: false, value: 'c' }), true);
  await everywhere('c');
  assert.equal(await update({ value: null, updateValue: true }), true);
  await until('none', () => !config.repository().feature('TESTED').isSet());
  assert.equal(config.newContext().userKey('ana').getString('TESTED'), 'ana');
  const reader = new FeatureUpdater(await client(t, await hub.serverKey()));
  assert.equal(await reader.updateKey('TESTED', { value: 'd' }), false);
  const flag = new FeatureUpdater(config);
  assert.equal(await flag.updateKey('FLAG', { value: null, updateValue: true }), false);
  await hub.remove('TESTED');
});

test('clients catch and release, intercept, and tell what they used', async (t) => {
  const config = await client(t, await hub.clientKey());
  const repository = config.repository();
  await hub.make({ key: 'CAUGHT', type: 'STRING', defaultValue: '1' });
  await until('made', () => repository.feature('CAUGHT').str === '1');
  repository.catchAndReleaseMode = true;
  const available = new Promise((resolve) => repository.addPostLoadNewFeatureStateAvailableListener(resolve));
  await hub.change('CAUGHT', { defaultValue: '2' });
  await available;
  assert.equal(repository.feature('CAUGHT').str, '1', 'held until it is released');
  await repository.release();
  assert.equal(repository.feature('CAUGHT').str, '2');
  await repository.release(true);

  config.addValueInterceptor({ repository() {}, matched: (key) => (key === 'CAUGHT' ? { value: 'mine' } : undefined) });
  assert.equal(repository.feature('CAUGHT').str, 'mine');
  await hub.change('CAUGHT', { locked: true });
  await until('locked', () => repository.feature('CAUGHT').locked);
  assert.equal(repository.feature('CAUGHT').str, '2', 'a locked feature is not overridden');
  await hub.change('CAUGHT', { locked: false });

  const events = [];
  config.addAnalyticCollector({ logEvent: (action, other, states) => events.push({ action, other, states }) });
  config.newContext().userKey('fred').logAnalyticsEvent('bought', new Map([['what', 'shoes']]));
  assert.equal(events[0].action, 'bought');
  assert.equal(events[0].other.get('cid'), 'fred');
  assert.ok(events[0].states.some((state) => state.key === 'TEXT'));
  await hub.remove('CAUGHT');
});

test('properties are read with the permission', async (t) => {
  await hub.make({ key: 'OWNED', type: 'STRING', defaultValue: 'x', properties: { owner: 'web' } });
  const config = await client(t, await hub.clientKey(['EXTENDED_DATA']));
  assert.deepEqual(config.repository().feature('OWNED').featureProperties, { owner: 'web' });
  const without = await client(t, await hub.clientKey());
  assert.equal(without.repository().feature('OWNED').featureProperties, undefined);
  await hub.remove('OWNED');
});

test('a stream that the server closes in time is taken up where it was', async (t) => {
  const own = await startHub(t, ['--featurehub-drop-after', '1']);
  await own.make({ key: 'TEXT', type: 'STRING', defaultValue: '1' });
  const proxy = await startProxy(t, own.url);
  for (const kind of ['clientKey', 'serverKey']) {
    const key = await own[kind]();
    const config = await client(t, key, { url: proxy.url });
    const seen = [];
    config.addReadinessListener((state) => seen.push(state));
    const resumed = () => proxy.requests.filter((one) => one.path.endsWith(key) && one.answer?.includes(': resumed'));
    await until('two returns', () => resumed().length >= 2);
    for (const one of resumed()) {
      assert.ok(one.headers['last-event-id'], 'it told what it holds');
      assert.ok(!one.answer.includes('event: features'), 'and is not told that again');
    }
    await own.change('TEXT', { defaultValue: kind });
    await until('the change', () => config.repository().feature('TEXT').str === kind);
    const after = resumed().length;
    await until('a return with the new state', () => resumed().length >= after + 1);
    assert.equal(config.repository().feature('TEXT').str, kind);
    assert.ok(seen.every((state) => state === Readyness.Ready), `always ready: ${seen}`);
    config.close();
  }
});

test('clients find the server again after a restart', async (t) => {
  await hub.make({ key: 'RESTARTED', type: 'STRING', defaultValue: 'before' });
  // The poller of this SDK brings a program down when its connection is refused: it comes through a proxy, as from
  // behind a balancer.
  const proxy = await startProxy(t, hub.url);
  const configs = [
    await client(t, await hub.clientKey()), await client(t, await hub.serverKey()),
    await client(t, await hub.clientKey(), { poll: 200, url: proxy.url }),
  ];
  proxy.mode = 'away';
  await hub.stop();
  for (const config of configs) assert.equal(config.repository().feature('RESTARTED').str, 'before');
  await hub.start();
  proxy.mode = 'pass';
  await hub.change('RESTARTED', { defaultValue: 'after' });
  for (const config of configs) {
    await until('the news', () => config.repository().feature('RESTARTED').str === 'after');
    assert.equal(config.readyness, Readyness.Ready);
  }
  await hub.remove('RESTARTED');
});

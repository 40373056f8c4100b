// FeatureHub's own browser SDK in Chromium, on a page of another origin: polling and streaming, which needs CORS, the
// exposed entity tag and the context in the query of a stream.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { build } from 'esbuild';
import { openPage, publish } from './support/browser.mjs';
import { startHub, until } from './support/featurehub.mjs';
import { startProxy } from './support/proxy.mjs';

let hub;
let script;
before(async (t) => {
  hub = await startHub(t);
  const is = (attribute, value) => ({ attribute, operator: 'equals', value });
  await hub.make({
    key: 'FLAG', type: 'BOOLEAN', defaultValue: false,
    rules: [{ name: 'r', when: { all: [is('userId', 'a+b'), is('city', 'New York %')] }, outcome: { value: true } }],
  });
  await hub.make({ key: 'TEXT', type: 'STRING', defaultValue: 'hello' });
  await hub.make({ key: 'COUNT', type: 'NUMBER', defaultValue: 17.5 });
  await hub.make({ key: 'LIMITS', type: 'JSON', defaultValue: { max: 5 } });
  const murmur3 = { bucketing: 'murmur3', bucketingId: '6b1f3c52-0d3e-4b8e-9a51-2f0c6f2b7a10' };
  await hub.make({
    key: 'WHO', type: 'STRING', defaultValue: 'nobody', ...murmur3,
    rules: [
      { name: 'country', when: is('country', 'turkey'), outcome: { value: 'country' } },
      { name: 'version', when: { attribute: 'version', operator: 'semver_gte', value: '2.1.0' }, outcome: { value: 'version' } },
      { name: 'half', rollout: { percentage: 53.5 }, outcome: { value: 'half' } },
    ],
  });
  const bundle = await build({
    stdin: {
      contents: "import * as sdk from 'featurehub-javascript-client-sdk'; sdk.FHLog.fhLog.quiet(); globalThis.sdk = sdk;",
      resolveDir: import.meta.dirname,
    },
    bundle: true, write: false, format: 'iife', platform: 'browser',
    define: { global: 'globalThis', 'process.env': '{}' },
    external: ['fs', 'crypto'],
  });
  script = publish('/featurehub.js', bundle.outputFiles[0].text, 'text/javascript');
});

/** A page with a client of the SDK, ready; `how` is `poll` or `stream`. */
async function openClient(t, key, how, url = hub.url) {
  const page = await openPage(t, `<script src="${script}"></script>`);
  page.answers = [];
  page.on('response', (response) => {
    if (response.url().startsWith(url)) page.answers.push(`${response.request().method()} ${response.status()}`);
  });
  await page.evaluate(
    async ([url, apiKey, kind]) => {
      const { EdgeFeatureHubConfig, FeatureHubEventSourceClient, FeatureHubPollingClient, Readyness } = globalThis.sdk;
      const config = new EdgeFeatureHubConfig(url, apiKey);
      config.edgeServiceProvider((repository, c) =>
        kind === 'poll' ? new FeatureHubPollingClient(repository, c, 200) : new FeatureHubEventSourceClient(c, repository));
      globalThis.config = config;
      config.init();
      await new Promise((resolve, reject) => {
        config.addReadinessListener((state) => {
          if (state === Readyness.Ready) resolve();
          if (state === Readyness.Failed) reject(new Error('failed'));
        });
      });
      globalThis.context = config.newContext();
    },
    [url, key, how],
  );
  return page;
}

for (const [how, kind] of [['poll', 'clientKey'], ['poll', 'serverKey'], ['stream', 'clientKey'], ['stream', 'serverKey']]) {
  test(`${how}, ${kind}: values, change of context, live update`, async (t) => {
    const page = await openClient(t, await hub[kind](), how);
    const values = () =>
      page.evaluate(() => ['FLAG', 'TEXT', 'COUNT', 'LIMITS'].map((key) => {
        const feature = globalThis.context.feature(key);
        return feature.value;
      }));
    const becomes = async (what, wanted) => {
      await until(what, async () => JSON.stringify(await values()) === JSON.stringify(wanted)).catch(async (error) => {
        assert.deepEqual(await values(), wanted, error.message);
      });
    };
    await becomes('ready', [false, 'hello', 17.5, '{"max":5}']);
    const change = (user) =>
      page.evaluate(async (name) => {
        await globalThis.context.userKey(name).attributeValue('city', 'New York %').build();
      }, user);
    await change('a+b');
    await becomes('the user', [true, 'hello', 17.5, '{"max":5}']);
    await change('other');
    await becomes('another user', [false, 'hello', 17.5, '{"max":5}']);
    await hub.change('TEXT', { defaultValue: 'new' });
    await becomes('the change', [false, 'new', 17.5, '{"max":5}']);
    await hub.change('TEXT', { defaultValue: 'hello' });
    await becomes('the change back', [false, 'hello', 17.5, '{"max":5}']);
    // By user, country, version and percentage: the buckets of fred and mary are 218878 and 551984.
    for (const [attributes, who] of [
      [{ userkey: 'fred' }, 'half'],
      [{ userkey: 'mary' }, 'nobody'],
      [{ userkey: 'mary', session: 'fred' }, 'half'],
      [{ userkey: 'mary', country: 'turkey' }, 'country'],
      [{ userkey: 'mary', version: '2.10.0' }, 'version'],
      [{ userkey: 'mary', version: '2.0.9' }, 'nobody'],
    ]) {
      await page.evaluate(async (given) => {
        globalThis.context.clear();
        for (const [name, value] of Object.entries(given)) globalThis.context.attributeValue(name, value);
        await globalThis.context.build();
      }, attributes);
      const found = () => page.evaluate(() => globalThis.context.getString('WHO'));
      await until(JSON.stringify(attributes), async () => (await found()) === who);
    }
    // Made, locked, retired, back again, deleted.
    const key = `LIVE_${how}_${kind}`;
    const state = () =>
      page.evaluate((name) => {
        const feature = globalThis.config.repository().feature(name);
        return feature.exists ? `${feature.value}${feature.locked ? ' locked' : ''}` : 'gone';
      }, key);
    const stands = (wanted) => until(wanted, async () => (await state()) === wanted);
    await hub.make({ key, type: 'STRING', defaultValue: 'here' });
    await stands('here');
    await hub.change(key, { locked: true });
    await stands('here locked');
    await hub.change(key, { locked: false });
    await hub.change(key, { retired: true });
    await stands('gone');
    await hub.change(key, { retired: false });
    await stands('here');
    await hub.remove(key);
    await stands('gone');
    if (how === 'poll') {
      await until('304 from the tag', () => page.answers.includes('GET 304'));
    }
    assert.deepEqual(page.complaints, []);
  });
}

test('a page changes what its key may', async (t) => {
  const page = await openClient(t, await hub.clientKey(['CHANGE_VALUE', 'LOCK', 'UNLOCK']), 'stream');
  const update = (change) =>
    page.evaluate((body) => new globalThis.sdk.FeatureUpdater(globalThis.config).updateKey('COUNT', body), change);
  assert.equal(await update({ value: 18 }), true);
  await until('the change', () => page.evaluate(() => globalThis.context.getNumber('COUNT') === 18));
  assert.equal(await update({ lock: true }), true);
  assert.equal(await update({ value: 19 }), false);
  assert.equal(await update({ lock: false, value: 17.5 }), true);
});

test('a page finds the server again after a restart, and takes up its stream where it was', async (t) => {
  const own = await startHub(t, ['--featurehub-drop-after', '2']);
  await own.make({ key: 'TEXT', type: 'STRING', defaultValue: 'before' });
  const proxy = await startProxy(t, own.url);
  const pages = [
    await openClient(t, await own.clientKey(), 'stream', proxy.url),
    await openClient(t, await own.serverKey(), 'stream', proxy.url),
    await openClient(t, await own.clientKey(), 'poll', proxy.url),
  ];
  const text = (page) => page.evaluate(() => globalThis.config.repository().feature('TEXT').str);
  const resumed = proxy.requests.filter.bind(proxy.requests, (one) => one.answer?.includes(': resumed'));
  await until('both streams', () => new Set(resumed().map((one) => one.path)).size === 2, 60_000);
  for (const one of resumed()) {
    assert.ok(one.headers['last-event-id'], 'it told what it holds');
    assert.ok(!one.answer.includes('event: features'), 'and is not told that again');
  }
  await own.stop();
  for (const page of pages) assert.equal(await text(page), 'before');
  await own.start();
  await own.change('TEXT', { defaultValue: 'after' });
  for (const page of pages) await until('the news', async () => (await text(page)) === 'after', 60_000);
  for (const page of pages) {
    assert.equal(await page.evaluate(() => globalThis.config.readyness), 'Ready');
    assert.deepEqual(page.complaints, []);
  }
});

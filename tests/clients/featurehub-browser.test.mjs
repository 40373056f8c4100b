// FeatureHub's own browser SDK in Chromium, on a page of another origin: polling and streaming, which needs CORS, the
// exposed entity tag and the context in the query of a stream.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { build } from 'esbuild';
import { openPage, publish } from './support/browser.mjs';
import { startHub, until } from './support/featurehub.mjs';

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
async function openClient(t, key, how) {
  const page = await openPage(t, `<script src="${script}"></script>`);
  page.answers = [];
  page.on('response', (response) => {
    if (response.url().startsWith(hub.url)) page.answers.push(`${response.request().method()} ${response.status()}`);
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
    [hub.url, key, how],
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

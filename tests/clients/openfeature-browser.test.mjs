// OpenFeature's SDK for browsers with its OFREP provider, in Chromium: the bulk answer, its stream and polling.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { build } from 'esbuild';
import { openPage, publish } from './support/browser.mjs';
import { serverUrl } from './support/environment.mjs';
import { changeLive, eventually, token } from './support/openfeature.mjs';

const bundle = await build({
  stdin: {
    contents: `
      export { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';
      export { OFREPWebProvider } from '@openfeature/ofrep-web-provider';`,
    resolveDir: import.meta.dirname,
  },
  bundle: true,
  write: false,
  format: 'iife',
  globalName: 'sdk',
});
const script = publish('/openfeature.js', bundle.outputFiles[0].text, 'text/javascript');

/** A page whose SDK has a provider with these options; `page.requests` are its calls of the server. */
async function openClient(t, options = {}, context = { targetingKey: 'u1' }) {
  const page = await openPage(t, `<script src="${script}"></script>`);
  page.requests = [];
  page.on('response', (response) => {
    if (response.url().startsWith(serverUrl)) {
      page.requests.push(`${response.request().method()} ${new URL(response.url()).pathname} ${response.status()}`);
    }
  });
  page.start = (wanted = options) =>
    page.evaluate(
      async ([baseUrl, key, given, who]) => {
        window.changes = [];
        await sdk.OpenFeature.setContext(who);
        const provider = new sdk.OFREPWebProvider({ baseUrl, headers: [['Authorization', `Bearer ${key}`]], ...given });
        sdk.OpenFeature.addHandler(sdk.ProviderEvents.ConfigurationChanged, (event) =>
          changes.push(event?.flagsChanged ?? []),
        );
        window.provider = provider;
        try {
          await sdk.OpenFeature.setProviderAndWait(provider);
        } catch (error) {
          return String(error);
        }
        window.client = sdk.OpenFeature.getClient();
        return 'ready';
      },
      [serverUrl, token, wanted, context],
    );
  page.live = () => page.evaluate(() => client.getStringValue('live', 'code'));
  return page;
}

test('every type and reason come with the first answer', async (t) => {
  const page = await openClient(t, {}, { targetingKey: 'u1', plan: 'premium' });
  assert.equal(await page.start(), 'ready');
  const found = await page.evaluate(() => {
    const told = ({ value, reason, variant, errorCode }) => [value, reason, errorCode ?? variant];
    return {
      on: told(client.getBooleanDetails('bool-on', false)),
      off: told(client.getBooleanDetails('bool-off', true)),
      text: told(client.getStringDetails('text', 'code')).slice(0, 2),
      split: told(client.getStringDetails('split', 'code'))[1],
      share: told(client.getBooleanDetails('share', false)).slice(0, 2),
      forced: [...told(client.getStringDetails('forced', 'code')), client.getStringDetails('forced', '').flagMetadata.source],
      int: client.getNumberValue('int', 0),
      float: client.getNumberValue('float', 0),
      object: client.getObjectValue('object', {}),
      list: client.getObjectValue('list', []),
      slash: client.getBooleanValue('team/new-nav', false),
      silent: client.getStringValue('text-off', 'code'),
      gone: told(client.getBooleanDetails('gone', true)),
      mismatch: told(client.getNumberDetails('text', 7)),
      environment: client.getBooleanDetails('gone', true).flagMetadata,
    };
  });
  assert.deepEqual(found, {
    on: [true, 'STATIC', 'default'],
    off: [false, 'DISABLED', 'disabled'],
    text: ['gold', 'TARGETING_MATCH'],
    split: 'SPLIT',
    share: [true, 'SPLIT'],
    forced: ['taken', 'STATIC', 'override', 'OVERRIDE'],
    int: 5,
    float: 2.5,
    object: { theme: 'dark', sizes: [1, 2], deep: { on: true } },
    list: [1, 'two', true],
    slash: true,
    silent: 'code',
    gone: [true, 'ERROR', 'FLAG_NOT_FOUND'],
    mismatch: [7, 'ERROR', 'TYPE_MISMATCH'],
    environment: { site: 'openfeature', environment: 'prod' },
  });
  assert.deepEqual(page.complaints, []);
});

test('a change comes over the stream, without polling', async (t) => {
  const page = await openClient(t);
  const streaming = page.waitForResponse((response) => response.url().includes('/ofrep/v1/events'));
  assert.equal(await page.start(), 'ready');
  assert.equal((await streaming).status(), 200);
  assert.ok(!(await streaming).url().includes(token), 'the key is not in the address');
  assert.equal(await page.live(), 'before');
  await changeLive(t, 'streamed');
  await page.waitForFunction(() => client.getStringValue('live', '') === 'streamed', undefined, { timeout: 20_000 });
  assert.deepEqual(await page.evaluate(() => changes.at(-1)), ['live']);
  assert.ok(page.requests.filter((line) => line.startsWith('POST')).length <= 3, page.requests.join('\n'));
});

test('a page that comes back starts from what it kept, and its stream goes on', async (t) => {
  const page = await openClient(t);
  assert.equal(await page.start(), 'ready');
  await eventually(() => page.requests, (requests) => requests.includes('GET /ofrep/v1/events 200'));
  await page.reload();
  page.requests.length = 0;
  assert.equal(await page.start(), 'ready');
  assert.equal(await page.live(), 'before');
  await eventually(() => page.requests, (requests) => requests.includes('POST /ofrep/v1/evaluate/flags 304'));
  await eventually(() => page.requests, (requests) => requests.includes('GET /ofrep/v1/events 200'));
  await changeLive(t, 'reloaded');
  await page.waitForFunction(() => client.getStringValue('live', '') === 'reloaded', undefined, { timeout: 20_000 });
});

test('another context has other values, also where only an attribute differs', async (t) => {
  const page = await openClient(t);
  assert.equal(await page.start({ cacheMode: 'disabled' }), 'ready');
  const text = (context) =>
    page.evaluate(async (who) => {
      await sdk.OpenFeature.setContext(who);
      return client.getStringValue('text', 'code');
    }, context);
  assert.equal(await text({ targetingKey: 'u1', plan: 'premium' }), 'gold');
  assert.equal(await text({ targetingKey: 'u1', plan: 'free' }), 'grey');
  const details = await page.evaluate(() => client.getStringDetails('text', 'code'));
  assert.deepEqual([details.reason, details.variant], ['DEFAULT', 'default']);
  assert.equal(await text({ targetingKey: 'vip', plan: 'premium' }), 'platinum');
  const stored = await page.evaluate(() => client.getStringDetails('text', 'code'));
  assert.deepEqual([stored.reason, stored.variant, stored.flagMetadata.source], ['TARGETING_MATCH', 'context', 'CONTEXT']);
  assert.equal(await text({}), 'grey');
});

test('polling asks with the tag of the last answer and hears of changes', async (t) => {
  const page = await openClient(t);
  assert.equal(await page.start({ pollInterval: 100, changeDetection: 'polling', cacheMode: 'disabled' }), 'ready');
  await eventually(() => page.requests, (requests) => requests.includes('POST /ofrep/v1/evaluate/flags 304'));
  assert.ok(!page.requests.some((line) => line.includes('/events')));
  await changeLive(t, 'polled');
  await page.waitForFunction(() => client.getStringValue('live', '') === 'polled', undefined, { timeout: 20_000 });
});

test('a key that is not known is fatal, and values stay those of the code', async (t) => {
  const page = await openClient(t);
  const outcome = await page.start({ headers: [['X-API-Key', 'alm_env_openfeature_prod_unknown']] });
  assert.match(outcome, /Initialization failed/);
  const status = await page.evaluate(() => {
    const client = sdk.OpenFeature.getClient();
    return [client.providerStatus, client.getStringValue('live', 'code')];
  });
  assert.deepEqual(status, ['FATAL', 'code']);
});

// The help page's feature-flag service, made of the real Farfetched and effector, in Node and in Chromium from
// another origin.
import assert from 'node:assert/strict';
import { copyFile, mkdir } from 'node:fs/promises';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { allSettled, createEvent, createStore, fork } from 'effector';
import { runtypeContract } from '@farfetched/runtypes';
import { Boolean, Record, String } from 'runtypes';
import { flagrClientToken, serverUrl } from './support/environment.mjs';
import { openPage, publish } from './support/browser.mjs';
import { makeFlag } from './support/flagr.mjs';
import { startProxy } from './support/proxy.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const BATCH = '/flagr/api/v1/evaluation/batch';
const isBatch = ({ method, path }) => method === 'POST' && path === BATCH;

let createFeatureFlags;
before(async () => {
  // Beside its packages, as an application has it.
  await mkdir(here('.generated'), { recursive: true });
  await copyFile(here('../../assets/farfetched/feature-flags.js'), here('.generated/feature-flags.mjs'));
  ({ createFeatureFlags } = await import('./.generated/feature-flags.mjs'));
  await makeFlag('exp-dynamic-favicon');
  await makeFlag('exp-language', { constraint: { property: 'language', operator: 'EQ', value: '"de"' } });
  await makeFlag('exp-theme', { on: { name: 'teal' }, off: { name: 'grey' } });
});

/** The service and what an application has around it, behind a proxy that writes down what passes. */
async function application(t, options = {}) {
  const proxy = await startProxy(t, serverUrl);
  const $userId = createStore(null);
  const $language = createStore(null);
  const service = createFeatureFlags({
    url: proxy.url + BATCH,
    token: flagrClientToken,
    context: { userId: $userId, language: $language },
    retries: 0,
    ...options,
  });
  return { proxy, $userId, $language, initialized: createEvent(), ...service };
}

const bodies = (proxy) => proxy.requests.filter(isBatch).map(({ body }) => JSON.parse(body));

describe('in Node', () => {
  test('the default holds before anything is loaded, then the real value, and they can be told apart', async (t) => {
    const app = await application(t);
    const flag = app.createFlag({ key: 'exp-dynamic-favicon', fetchOn: app.initialized, defaultValue: false, contract: runtypeContract(Boolean) });
    const scope = fork();
    assert.deepEqual([scope.getState(flag.$value), scope.getState(flag.$isDefault)], [false, true]);
    await allSettled(app.initialized, { scope });
    assert.deepEqual([scope.getState(flag.$value), scope.getState(flag.$isDefault)], [true, false]);
  });

  test('flags that ask on the same event leave in one request, each key once', async (t) => {
    const app = await application(t);
    const later = createEvent();
    const make = (key, fetchOn, contract) => app.createFlag({ key, fetchOn, defaultValue: null, contract: runtypeContract(contract) });
    const favicon = make('exp-dynamic-favicon', [app.initialized, later], Boolean);
    const theme = make('exp-theme', app.initialized, Record({ name: String }));
    const scope = fork();
    await allSettled(app.initialized, { scope });
    assert.deepEqual(bodies(app.proxy), [
      { entities: [{ entityID: null, entityContext: { userId: null, language: null } }], flagKeys: ['exp-dynamic-favicon', 'exp-theme'] },
    ]);
    assert.equal(scope.getState(favicon.$value), true);
    assert.deepEqual(scope.getState(theme.$value), { name: 'teal' });
    await allSettled(later, { scope });
    assert.deepEqual(bodies(app.proxy)[1].flagKeys, ['exp-dynamic-favicon', 'exp-theme']);
    assert.deepEqual(scope.getState(theme.$value), { name: 'teal' });
  });

  test('the context of the application decides, and null is nobody', async (t) => {
    const app = await application(t);
    const flag = app.createFlag({ key: 'exp-language', fetchOn: app.initialized, defaultValue: null, contract: runtypeContract(Boolean) });
    for (const [language, expected] of [['de', true], ['fr', false], [null, false]]) {
      const scope = fork({ values: [[app.$userId, 'ann'], [app.$language, language]] });
      await allSettled(app.initialized, { scope });
      assert.equal(scope.getState(flag.$value), expected, `${language}`);
    }
    assert.deepEqual(bodies(app.proxy)[0].entities, [{ entityID: 'ann', entityContext: { userId: 'ann', language: 'de' } }]);
  });

  test('an unknown flag and a value that breaks the contract give the default', async (t) => {
    const app = await application(t);
    const unknown = app.createFlag({ key: 'exp-unknown', fetchOn: app.initialized, defaultValue: false, contract: runtypeContract(Boolean) });
    const broken = app.createFlag({ key: 'exp-theme', fetchOn: app.initialized, defaultValue: false, contract: runtypeContract(Boolean) });
    const scope = fork();
    await allSettled(app.initialized, { scope });
    assert.deepEqual([scope.getState(unknown.$value), scope.getState(unknown.$problems)], [false, []]);
    assert.deepEqual([scope.getState(broken.$value), scope.getState(broken.$isDefault)], [false, true]);
    assert.match(scope.getState(broken.$problems)[0], /Expected boolean/);
  });

  test('an error gives the default, in words that the service can show; retries may save the day', async (t) => {
    const app = await application(t, { token: 'alm_env_flagr_prod_wrong' });
    const flag = app.createFlag({ key: 'exp-dynamic-favicon', fetchOn: app.initialized, defaultValue: false, contract: runtypeContract(Boolean) });
    const scope = fork();
    await allSettled(app.initialized, { scope });
    assert.deepEqual([scope.getState(flag.$value), scope.getState(flag.$isDefault)], [false, true]);
    const error = scope.getState(app.$error);
    assert.deepEqual([error.errorType, error.status, error.response.code], ['HTTP', 401, 401]);
    assert.ok(error.response.message);

    const patient = await application(t, { retries: 4, retryDelay: 50 });
    const saved = patient.createFlag({ key: 'exp-dynamic-favicon', fetchOn: patient.initialized, defaultValue: false, contract: runtypeContract(Boolean) });
    patient.proxy.mode = 'down';
    patient.proxy.received(isBatch).then(() => (patient.proxy.mode = 'pass'));
    const another = fork();
    await allSettled(patient.initialized, { scope: another });
    assert.equal(another.getState(saved.$value), true);
    assert.ok(patient.proxy.requests.filter(isBatch).length >= 2);
  });

  test('a cached answer is used until it is stale', async (t) => {
    const app = await application(t, { staleAfter: '1min' });
    const flag = app.createFlag({ key: 'exp-dynamic-favicon', fetchOn: app.initialized, defaultValue: false, contract: runtypeContract(Boolean) });
    const scope = fork();
    await allSettled(app.initialized, { scope });
    await allSettled(app.initialized, { scope });
    assert.equal(scope.getState(flag.$value), true);
    assert.equal(app.proxy.requests.filter(isBatch).length, 1);
  });
});

describe('in Chromium, from another origin', () => {
  /** A page whose application asks with this token, and shows what it got. */
  async function open(t, token) {
    const source = `
      import { allSettled, createEvent, createStore, fork } from 'effector';
      import { runtypeContract } from '@farfetched/runtypes';
      import { Boolean } from 'runtypes';
      import { createFeatureFlags } from './feature-flags.mjs';
      const initialized = createEvent();
      const $userId = createStore('ann');
      const flags = createFeatureFlags({ url: '${serverUrl}${BATCH}', token: '${token}', context: { userId: $userId }, retries: 0 });
      const { $value, $isDefault } = flags.createFlag({ key: 'exp-dynamic-favicon', fetchOn: initialized, defaultValue: false,
        contract: runtypeContract(Boolean) });
      const scope = fork();
      await allSettled(initialized, { scope });
      console.log(JSON.stringify([scope.getState($value), scope.getState($isDefault), scope.getState(flags.$error)?.status ?? null]));`;
    const bundle = await build({
      stdin: { contents: source, resolveDir: here('.generated') },
      bundle: true,
      write: false,
      format: 'esm',
    });
    const script = publish(`/favicon-${token.length}.js`, bundle.outputFiles[0].text, 'text/javascript; charset=utf-8');
    const page = await openPage(t, `<script type="module" src="${script}"></script>`);
    while (page.logged.length < 1) await page.waitForEvent('console');
    assert.deepEqual(page.complaints, []);
    return JSON.parse(page.logged[0]);
  }

  test('the preflight is answered and the page reads the value', async (t) => {
    assert.deepEqual(await open(t, flagrClientToken), [true, false, null]);
  });

  test('the page can read an error too, and falls back', async (t) => {
    assert.deepEqual(await open(t, 'alm_env_flagr_prod_nobody'), [false, true, 401]);
  });
});

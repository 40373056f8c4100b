// The manual's Node service and Express route, with real axios and Express.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { manualServerToken, serverToken, serverUrl } from './support/environment.mjs';
import { startProxy } from './support/proxy.mjs';

const require = createRequire(import.meta.url);
const premium = { userId: '123', plan: 'premium' };

describe('FeatureConfigService', () => {
  const FeatureConfigService = require('./manual/services/FeatureConfigService.js');

  const makeService = async (t, token = serverToken) => {
    const proxy = await startProxy(t, serverUrl);
    return { proxy, service: new FeatureConfigService(token, proxy.api) };
  };

  test('answers values, and defaults where there is none', async (t) => {
    const { service } = await makeService(t);
    const features = await service.getFeatures('shop', 'prod', premium);
    assert.equal(features.premium_banner.value, true);
    assert.equal(features.dashboard_max_items.type, 'NUMBER');
    assert.equal(await service.getFeature('shop', 'prod', 'dashboard_max_items', 10, premium), 50);
    assert.equal(await service.getFeature('shop', 'prod', 'dashboard_max_items', 10), 20);
    assert.equal(await service.getFeature('shop', 'prod', 'no_such_feature', 10, premium), 10);
    assert.equal(await service.getFeature('shop', 'prod', 'retired_text', 'Hello!', premium), 'Hello!');
    assert.equal(await service.isFeatureEnabled('shop', 'prod', 'premium_banner', premium), true);
    assert.equal(await service.isFeatureEnabled('shop', 'prod', 'premium_banner', {}), false);
    assert.equal(await service.isFeatureEnabled('shop', 'prod', 'truthy_text', premium), false);
  });

  test('asks once in five minutes', async (t) => {
    const { proxy, service } = await makeService(t);
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    await service.getFeatures('shop', 'prod', premium);
    await service.isFeatureEnabled('shop', 'prod', 'premium_banner', premium);
    t.mock.timers.tick(299_999);
    await service.getFeatures('shop', 'prod', premium);
    assert.equal(proxy.requests.length, 1);
    t.mock.timers.tick(1);
    await service.getFeatures('shop', 'prod', premium);
    assert.equal(proxy.requests.length, 2);
  });

  test('answers defaults when the server is away or refuses', async (t) => {
    const errors = t.mock.method(console, 'error', () => {}).mock;
    const { proxy, service } = await makeService(t);
    proxy.mode = 'down';
    assert.deepEqual(await service.getFeatures('shop', 'prod', premium), {});
    const { service: refused } = await makeService(t, 'alm_env_shop_prod_wrong');
    assert.equal(await refused.getFeature('shop', 'prod', 'welcome_message', 'Hello!', premium), 'Hello!');
    assert.equal(errors.callCount(), 2);
    assert.equal(errors.calls[1].arguments[1].response.status, 401);
  });
});

describe('the dashboard route', () => {
  // The route makes its service from the environment and the manual's own address: the token is set before it is
  // loaded, and an interceptor on axios sends the requests to where `api` says.
  process.env.FEATURE_CONFIG_TOKEN = manualServerToken;
  const routes = require('./manual/routes/api.js');
  const express = require('express');
  let api = `${serverUrl}/api/v1`;
  require('axios').interceptors.request.use((config) => ({
    ...config,
    url: config.url.replace('https://features.almiro.se/api/v1', api),
  }));

  /** Serves the route to one signed-in user (or none); answers the text of the dashboard. */
  async function dashboardOf(t, user) {
    const app = express();
    app.set('views', fileURLToPath(new URL('views', import.meta.url)));
    app.set('view engine', 'html');
    app.engine('html', (path, { maxItems }, done) => {
      readFile(path, 'utf8').then((html) => done(null, html.replace('{maxItems}', maxItems)), done);
    });
    app.use((request, reply, next) => {
      request.user = user;
      next();
    });
    app.use(routes);
    const server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => void server.close());
    const reply = await fetch(`http://127.0.0.1:${server.address().port}/dashboard`);
    assert.equal(reply.status, 200);
    return (await reply.text()).trim();
  }

  test('shows the new dashboard to those who pay', async (t) => {
    const dashboard = await dashboardOf(t, { id: '123', plan: 'premium', country: 'SE' });
    assert.equal(dashboard, '<h1>New dashboard</h1><p>50 items</p>');
  });

  test('shows the old one to the others, signed in or not', async (t) => {
    const old = '<h1>Dashboard</h1><p>20 items</p>';
    assert.equal(await dashboardOf(t, { id: '456', plan: 'free' }), old);
    assert.equal(await dashboardOf(t, undefined), old);
  });

  test('shows the old one with its own default while the server is away', async (t) => {
    t.mock.method(console, 'error', () => {});
    const proxy = await startProxy(t, serverUrl);
    proxy.mode = 'down';
    api = proxy.api;
    t.after(() => (api = `${serverUrl}/api/v1`));
    const dashboard = await dashboardOf(t, { id: '789', plan: 'premium' });
    assert.equal(dashboard, '<h1>Dashboard</h1><p>10 items</p>');
  });
});

// The JavaScript client while its server stops, changes behind its back and comes back. It has a server of its own.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { asset } from './support/assets.mjs';
import { binary } from './support/environment.mjs';
import { makeListener } from './support/listener.mjs';
import { makeDatabase, serve } from './support/server.mjs';

const FeatureConfigClient = createRequire(import.meta.url)(asset('feature-config.js'));

/** A running server that the test may stop and start again, on the same address. */
async function startOwn(t) {
  const database = await makeDatabase(binary);
  const [token, personalToken] = [await database.token('shop', 'client'), await database.personalToken()];
  let server = await serve(binary, database.db);
  const { host, href } = new URL(server.url);
  t.after(async () => {
    await server?.stop();
    await database.remove();
  });
  return {
    async stop() {
      await server.stop();
      server = undefined;
    },
    async start() {
      server = await serve(binary, database.db, host);
    },
    client: (options) =>
      new FeatureConfigClient({ apiToken: token, baseUrl: `${href}api/v1`, analytics: false, timeout: 60_000, ...options }), // a busy machine answers late
    async patch(path, body) {
      const reply = await fetch(`${href}api/v1/sites/shop/environments/prod${path}`, {
        method: 'PATCH',
        headers: { Authorization: `Bearer ${personalToken}`, 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      });
      assert.equal(reply.status, 200, await reply.text());
    },
  };
}

test('a stopped server costs no value, and a subscription finds it again', async (t) => {
  t.mock.method(console, 'warn', () => {});
  const server = await startOwn(t);
  const client = server.client({ cacheTtl: 0 });
  const greet = () => client.getFeature('shop', 'prod', 'welcome_message', 'Hello!', {});
  assert.equal(await greet(), 'Welcome to our shop!');
  const listener = makeListener();
  t.after(client.subscribe('shop', 'prod', {}, listener));
  await listener.next();

  await server.stop();
  assert.equal(await greet(), 'Welcome to our shop!');

  await server.start();
  await server.patch('/features/welcome_message', { defaultValue: 'Welcome again!' });
  const { features } = await listener.next();
  assert.equal(features.welcome_message.value, 'Welcome again!');
  assert.equal(await greet(), 'Welcome again!');
});

test('maintenance is told to listeners; values stay until it is over', async (t) => {
  const warnings = t.mock.method(console, 'warn', () => {}).mock;
  const server = await startOwn(t);
  const client = server.client({ cacheTtl: 0 });
  const greet = () => client.getFeature('shop', 'prod', 'welcome_message', 'Hello!', {});
  const listener = makeListener();
  t.after(client.subscribe('shop', 'prod', {}, listener));
  await listener.next();

  await server.patch('', { status: 'maintenance' });
  const left = await listener.next();
  assert.deepEqual(left.change, { type: 'status', keys: [], status: 'maintenance' });
  assert.equal(left.features.welcome_message.value, 'Welcome to our shop!');
  assert.equal(await greet(), 'Welcome to our shop!');
  assert.ok(warnings.callCount() > 0, 'the 503 was noticed');
  await server.patch('/features/welcome_message', { defaultValue: 'Welcome again!' });

  await server.patch('', { status: 'active' });
  const told = [await listener.next(), await listener.next()];
  assert.deepEqual(told.map(({ change }) => change.type).toSorted(), ['status', 'update']);
  assert.equal(told.find(({ change }) => change.type === 'status').change.status, 'active');
  assert.equal(told.at(-1).features.welcome_message.value, 'Welcome again!');
  assert.equal(await greet(), 'Welcome again!');
});

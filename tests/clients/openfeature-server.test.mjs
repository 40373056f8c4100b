// OpenFeature's SDK for servers with its OFREP provider: every type, every reason, errors, live change.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature } from '@openfeature/server-sdk';
import { serverUrl } from './support/environment.mjs';
import { changeLive, ruleVariant, slowToken, token } from './support/openfeature.mjs';

/** A client of its own provider; every call under its own domain. */
async function connect(domain, headers) {
  await OpenFeature.setProviderAndWait(domain, new OFREPProvider({ baseUrl: serverUrl, headers }));
  return OpenFeature.getClient(domain);
}
const client = await connect('bearer', [['Authorization', `Bearer ${token}`]]);
after(() => OpenFeature.close());

const user = (attributes) => ({ targetingKey: 'u1', ...attributes });
const told = ({ value, reason, variant, errorCode }) => ({ value, reason, variant, errorCode });
const answer = (value, reason, variant) => ({ value, reason, variant, errorCode: undefined });
const error = (value, errorCode) => ({ value, reason: 'ERROR', variant: undefined, errorCode });

test('every type', async () => {
  assert.equal(await client.getBooleanValue('bool-on', false), true);
  assert.equal(await client.getStringValue('text', '', user()), 'grey');
  assert.equal(await client.getNumberValue('int', 0, user()), 5);
  assert.equal(await client.getNumberValue('float', 0, user()), 2.5);
  assert.deepEqual(await client.getObjectValue('object', {}), { theme: 'dark', sizes: [1, 2], deep: { on: true } });
  assert.deepEqual(await client.getObjectValue('list', []), [1, 'two', true]);
});

test('every reason, with its variant', async () => {
  const boolean = async (key, context) => told(await client.getBooleanDetails(key, true, context));
  const text = async (key, context) => told(await client.getStringDetails(key, 'code', context));
  assert.deepEqual(await boolean('bool-on'), answer(true, 'STATIC', 'default'));
  assert.deepEqual(await boolean('bool-off', user()), answer(false, 'DISABLED', 'disabled'));
  const premium = answer('gold', 'TARGETING_MATCH', await ruleVariant('text'));
  assert.deepEqual(await text('text', user({ plan: 'premium' })), premium);
  const large = answer('teal', 'TARGETING_MATCH', await ruleVariant('text', 1));
  assert.deepEqual(await text('text', user({ cart: { total: 12.5 } })), large);
  assert.deepEqual(await text('text', user({ plan: 'free' })), answer('grey', 'DEFAULT', 'default'));
  const split = await text('split', user());
  assert.deepEqual(split, answer({ red: '#f00', blue: '#00f' }[split.variant], 'SPLIT', split.variant));
  assert.deepEqual(await boolean('share', user()), answer(true, 'SPLIT', await ruleVariant('share')));
  assert.deepEqual(await boolean('share', {}), answer(false, 'DEFAULT', 'default'), 'nobody is in no rollout');
});

test('a stored Context and the override decide, and say so', async () => {
  const decided = async (key, context) => {
    const { value, reason, variant, flagMetadata } = await client.getStringDetails(key, 'code', context);
    return { value, reason, variant, source: flagMetadata.source };
  };
  const stored = { value: 'platinum', reason: 'TARGETING_MATCH', variant: 'context', source: 'CONTEXT' };
  assert.deepEqual(await decided('text', { targetingKey: 'vip', plan: 'premium' }), stored);
  const forced = { value: 'taken', reason: 'STATIC', variant: 'override', source: 'OVERRIDE' };
  assert.deepEqual(await decided('forced', user()), forced);
});

test('a flag without a value leaves the one in the code', async () => {
  assert.equal(await client.getStringValue('text-off', 'code', user()), 'code');
});

test('errors, each with its code', async () => {
  const boolean = async (key, from = client) => told(await from.getBooleanDetails(key, true, user()));
  assert.deepEqual(await boolean('gone'), error(true, 'FLAG_NOT_FOUND'));
  assert.deepEqual(await boolean('team/gone'), error(true, 'FLAG_NOT_FOUND'));
  assert.deepEqual(await boolean('int'), error(true, 'TYPE_MISMATCH'));
  const stranger = await connect('stranger', [['Authorization', 'Bearer alm_env_openfeature_prod_unknown']]);
  assert.deepEqual(await boolean('bool-on', stranger), error(true, 'GENERAL'));
  let deep = {};
  for (let level = 0; level < 200; level++) deep = { deep };
  assert.deepEqual(told(await client.getBooleanDetails('bool-on', true, user({ deep }))), error(true, 'INVALID_CONTEXT'));
  const slow = await connect('slow', [['Authorization', `Bearer ${slowToken}`]]);
  await boolean('bool-on', slow);
  assert.deepEqual(await boolean('bool-on', slow), error(true, 'GENERAL'), 'over its limit');
});

test('a key with a slash, and the token in X-API-Key', async () => {
  const other = await connect('api-key', [['X-API-Key', token]]);
  assert.equal(await other.getBooleanValue('team/new-nav', false, user()), true);
});

test('a change is seen by the next evaluation', async (t) => {
  assert.equal(await client.getStringValue('live', '', user()), 'before');
  await changeLive(t, 'after');
  assert.equal(await client.getStringValue('live', '', user()), 'after');
});

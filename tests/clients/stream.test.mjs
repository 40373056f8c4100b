// The JavaScript client against a scripted stream: what a real server seldom does, but the protocol allows.
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { asset } from './support/assets.mjs';
import { makeListener } from './support/listener.mjs';
import { holdTimers, SILENCE } from './support/timers.mjs';

const FeatureConfigClient = createRequire(import.meta.url)(asset('feature-config.js'));

const feature = (value) => ({ value, type: 'STRING', enabled: true, reason: 'STATIC', version: 1 });

/** A server of nothing but streams; `connection()` takes the oldest one not taken yet, as `{request, reply}`. */
async function startStreams(t) {
  const arrived = [];
  const events = new EventEmitter();
  const server = http.createServer((request, reply) => {
    arrived.push({ request, reply });
    events.emit('arrived');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  return {
    client: new FeatureConfigClient({ apiToken: 't', baseUrl: `http://127.0.0.1:${server.address().port}`, analytics: false }),
    async connection() {
      if (!arrived.length) await once(events, 'arrived');
      return arrived.shift();
    },
  };
}

/** Subscribes, and unsubscribes before the server of the test is closed. */
function subscribe(t, client) {
  const listener = makeListener();
  const unsubscribe = client.subscribe('shop', 'prod', {}, listener);
  t.after(unsubscribe);
  return { listener, unsubscribe };
}

const open = (reply) => reply.writeHead(200, { 'Content-Type': 'text/event-stream' });

test('events may arrive in any pieces, with CRLF, comments, unknown fields and several data lines', async (t) => {
  const { client, connection } = await startStreams(t);
  const { listener } = subscribe(t, client);
  const { reply } = await connection();
  open(reply);
  const text = [
    ': hello',
    '',
    'id: 7',
    'event:snapshot',
    'note: what is this',
    `data: {"revision":7,"features":{"city":${JSON.stringify(feature('Malmö 東京 🎉'))},`,
    `data: "other":${JSON.stringify(feature('x'))}}}`,
    '',
    '',
  ].join('\r\n');
  for (const byte of Buffer.from(text)) {
    // One byte in each packet.
    await new Promise((sent) => reply.write(Buffer.of(byte), sent));
    await new Promise(setImmediate);
  }
  const { features, change } = await listener.next();
  assert.equal(features.city.value, 'Malmö 東京 🎉');
  assert.equal(features.other.value, 'x');
  assert.equal(change.type, 'snapshot');
});

test('many events in one piece are told one by one', async (t) => {
  const { client, connection } = await startStreams(t);
  const { listener } = subscribe(t, client);
  const { reply } = await connection();
  open(reply).write(
    `event: snapshot\ndata: ${JSON.stringify({ features: { a: feature('1') } })}\n\n` +
      `event: update\ndata: ${JSON.stringify({ features: { b: feature('2') } })}\n\n` +
      `event: delete\ndata: {"keys":["a"]}\n\n`,
  );
  assert.deepEqual(Object.keys((await listener.next()).features), ['a']);
  assert.deepEqual(Object.keys((await listener.next()).features), ['a', 'b']);
  assert.deepEqual(Object.keys((await listener.next()).features), ['b']);
});

test('a change of status is told and leaves the features as they were', async (t) => {
  const { client, connection } = await startStreams(t);
  const { listener } = subscribe(t, client);
  const { reply } = await connection();
  open(reply).write('event: status\ndata: {"status":"maintenance"}\n\n');
  assert.deepEqual(await listener.next(), { features: {}, change: { type: 'status', keys: [], status: 'maintenance' } });

  // Nothing is known yet: a question is still for the server to answer.
  const asked = client.getFeature('shop', 'prod', 'a', '', {});
  (await connection()).reply.end(JSON.stringify({ features: { a: feature('0') } }));
  assert.equal(await asked, '0');

  reply.write(`event: snapshot\ndata: ${JSON.stringify({ features: { a: feature('1') } })}\n\n`);
  await listener.next();
  reply.write('event: status\ndata: {"status":"archived"}\n\n');
  const { features, change } = await listener.next();
  assert.deepEqual(Object.keys(features), ['a']);
  assert.equal(change.status, 'archived');
});

test('listeners of a new connection are told what it says, not what the last one said', async (t) => {
  const { mock: warnings } = t.mock.method(console, 'warn', () => {});
  const { client, connection } = await startStreams(t);
  const snapshot = (features) => `event: snapshot\ndata: ${JSON.stringify({ features })}\n\n`;
  const first = subscribe(t, client);
  open((await connection()).reply).write(snapshot({ a: feature('old'), gone: feature('x') }));
  await first.listener.next();
  first.unsubscribe();

  const both = [subscribe(t, client), subscribe(t, client)];
  open((await connection()).reply).write(snapshot({ a: feature('new') }));
  for (const { listener } of both) assert.deepEqual((await listener.next()).features, { a: feature('new') });
  assert.equal(warnings.callCount(), 0, 'to unsubscribe is no failure');
});

test('a heartbeat keeps what is cached fresh', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const { mock: fetches } = t.mock.method(globalThis, 'fetch');
  const timers = holdTimers(t);
  const { client, connection } = await startStreams(t);
  const features = JSON.stringify({ features: { a: feature('1') } });
  const asked = client.getFeature('shop', 'prod', 'a', '', {});
  (await connection()).reply.end(features);
  assert.equal(await asked, '1');
  const { listener } = subscribe(t, client);
  const { reply } = await connection();
  open(reply).write(`event: snapshot\ndata: ${features}\n\n`);
  await listener.next();
  await timers.take((delay) => delay === SILENCE); // set for the connection
  await timers.take((delay) => delay === SILENCE); // set when the snapshot was heard

  t.mock.timers.tick(300_000);
  reply.write(': heartbeat\n\n');
  await timers.take((delay) => delay === SILENCE); // set when the heartbeat was heard
  assert.equal(await client.getFeature('shop', 'prod', 'a', '', {}), '1');
  assert.equal(fetches.callCount(), 2);
});

test('an event that came after the request answers for it', async (t) => {
  // The stream says `new` while an older answer is still on its way; the older answer must not win.
  const { client, connection } = await startStreams(t);
  const asked = client.getFeature('shop', 'prod', 'a', '', {});
  const { reply: late } = await connection();
  const { listener } = subscribe(t, client);
  const { reply } = await connection();
  open(reply).write(`event: snapshot\ndata: ${JSON.stringify({ features: { a: feature('new') } })}\n\n`);
  await listener.next();
  late.writeHead(200, { 'Content-Type': 'application/json', ETag: '"old"' });
  late.end(JSON.stringify({ features: { a: feature('old') } }));
  assert.equal(await asked, 'new');
  assert.equal(await client.getFeature('shop', 'prod', 'a', '', {}), 'new');
});

test('`retry` sets the pause, and pauses grow while there is no stream to be had', async (t) => {
  const { mock: warnings } = t.mock.method(console, 'warn', () => {});
  t.mock.method(Math, 'random', () => 0); // a pause is taken between a half and one and a half times; here: a half
  const timers = holdTimers(t);
  const { client, connection } = await startStreams(t);
  subscribe(t, client);

  /** Ends a connection and lets the pause after it pass; answers its milliseconds. */
  const pauseAfter = async (end) => {
    end((await connection()).reply);
    const { delay, run } = await timers.take((delay) => delay !== SILENCE);
    run();
    return delay * 2;
  };
  const refuse = (reply) => reply.writeHead(503).end();
  for (const pause of [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
    assert.equal(await pauseAfter(refuse), pause);
  }
  assert.equal(warnings.callCount(), 7);
  assert.equal(warnings.calls[0].arguments[1].message, '503');
  assert.equal(await pauseAfter((reply) => open(reply).end('retry: 500\n\n')), 500);
  assert.equal(await pauseAfter(refuse), 1_000);
});

test('a heartbeat does not lose the id of the last event', async (t) => {
  const timers = holdTimers(t);
  const { client, connection } = await startStreams(t);
  const { listener } = subscribe(t, client);
  const { request, reply } = await connection();
  assert.equal(request.headers['last-event-id'], undefined);
  open(reply).end('id: 7\nevent: snapshot\ndata: {"features":{}}\n\n: heartbeat\n\n');
  await listener.next();
  (await timers.take((delay) => delay !== SILENCE)).run();
  assert.equal((await connection()).request.headers['last-event-id'], '7');
});

test('a connection that has been silent for three heartbeats is taken for dead', async (t) => {
  t.mock.method(console, 'warn', () => {});
  const timers = holdTimers(t);
  const { client, connection } = await startStreams(t);
  subscribe(t, client);
  const { reply } = await connection();
  open(reply).write(': heartbeat\n\n');
  const first = await timers.take((delay) => delay === SILENCE); // set for the connection
  const silence = await timers.take((delay) => delay === SILENCE); // set anew when something was heard
  assert.ok(first.cleared && !silence.cleared);
  silence.run();
  await once(reply, 'close');
  const pause = await timers.take((delay) => delay !== SILENCE);
  assert.ok(silence.cleared, 'nothing is watched between two connections');
  pause.run();
  await connection();
});

test('unsubscribing between two connections ends the attempts', async (t) => {
  t.mock.method(console, 'warn', () => {});
  const { mock: fetches } = t.mock.method(globalThis, 'fetch');
  const timers = holdTimers(t);
  const { client, connection } = await startStreams(t);
  const { unsubscribe } = subscribe(t, client);
  const { reply: refusal } = await connection();
  refusal.writeHead(503).write('an answer without an end');
  const pause = await timers.take((delay) => delay !== SILENCE);
  await once(refusal, 'close'); // what is refused is not left open
  unsubscribe();
  pause.run();

  // Subscribing again connects once: the old attempts do not come back to life beside the new one.
  const { listener } = subscribe(t, client);
  const { reply } = await connection();
  open(reply).write('event: snapshot\ndata: {"features":{}}\n\n');
  await listener.next();
  assert.equal(fetches.callCount(), 2);
});

// A server of our own for FeatureHub's SDKs: keys of both kinds, and the person who changes things.
import { once } from 'node:events';
import { binary } from './environment.mjs';
import { makeDatabase, serve } from './server.mjs';

const PROD = '/sites/shop/environments/prod';

/** Everything a suite needs; gone after it. `stop` and `start` keep the address. `more`: options of the server. */
export async function startHub(t, more = []) {
  const database = await makeDatabase(binary);
  const person = await database.personalToken();
  let server = await serve(binary, database.db, undefined, more);
  const { host, href } = new URL(server.url);
  t.after(async () => {
    await server?.stop();
    await database.remove();
  });
  const api = async (method, path, body) => {
    const reply = await fetch(`${href}api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${person}`, 'Content-Type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${method} ${path} answered ${reply.status}: ${text}`);
    return text ? JSON.parse(text) : undefined;
  };
  const key = async (kind, permissions = []) => {
    const body = { description: `hub ${kind}`, kind, permissions, rateLimit: 0 };
    return (await api('POST', `${PROD}/tokens`, body)).featurehubKey;
  };
  return {
    url: href.replace(/\/$/, ''),
    api,
    /** A key whose clients evaluate by themselves. */
    clientKey: (permissions) => key('server', permissions),
    /** A key that is told values. */
    serverKey: (permissions) => key('client', permissions),
    make: (feature) => api('POST', `${PROD}/features`, feature),
    change: (name, changes) => api('PATCH', `${PROD}/features/${name}`, changes),
    remove: (name) => api('DELETE', `${PROD}/features/${name}`),
    environment: (changes) => api('PATCH', PROD, changes),
    compatibility: async () => (await api('GET', `${PROD}/compatibility`)).items,
    async stop() {
      await server.stop();
      server = undefined;
    },
    async start() {
      server = await serve(binary, database.db, host, more);
    },
  };
}

/** Waits until a check gives something true; the reason for waiting stands in the error. */
export async function until(what, check, millis = 30_000) {
  const end = Date.now() + millis;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Resolves with the next event of that name. */
export const next = async (emitter, name) => (await once(emitter, name))[0];

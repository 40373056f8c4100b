// Stands between a client and the server: writes down what passes, and fails on demand.
import { EventEmitter, once } from 'node:events';
import http from 'node:http';

/**
 * A proxy on a free port in front of `target`.
 *
 * - `requests`: what came, oldest first: `{method, path, query, headers, body, status, answer}`; `status` once answered,
 *   `answer` the text that has come back so far.
 * - `mode`: `pass`; `hang` takes requests and never answers; `down` breaks every connection; `away` answers 503.
 * - `seen(match)`: resolves with the first answered request, past or future, that matches.
 * - `closed(match)`: resolves when a matching request's connection has been closed by the client.
 * - `cut()`: breaks all connections that are open.
 */
export async function startProxy(test, target) {
  const requests = [];
  const events = new EventEmitter().setMaxListeners(0);
  const proxy = { requests, mode: 'pass' };

  const server = http.createServer(async (incoming, outgoing) => {
    const { pathname, searchParams } = new URL(incoming.url, target);
    const request = { method: incoming.method, path: pathname, query: searchParams, headers: incoming.headers };
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    request.body = body.toString();
    requests.push(request);
    events.emit('request', request);
    outgoing.on('close', () => {
      request.closed = true;
      events.emit('closed', request);
    });
    if (proxy.mode === 'down') return incoming.socket.destroy();
    if (proxy.mode === 'hang') return;
    if (proxy.mode === 'away') return outgoing.writeHead(503, { 'Retry-After': '1' }).end();

    const headers = { ...incoming.headers, host: new URL(target).host, connection: 'close' };
    const upstream = http.request(target + incoming.url, { method: incoming.method, headers, agent: false });
    upstream.on('response', (answer) => {
      const { connection, 'keep-alive': keepAlive, 'transfer-encoding': encoding, ...passed } = answer.headers;
      outgoing.writeHead(answer.statusCode, passed);
      outgoing.flushHeaders();
      answer.on('error', () => outgoing.destroy());
      answer.pipe(outgoing);
      request.answer = '';
      answer.on('data', (chunk) => (request.answer += chunk));
      request.status = answer.statusCode;
      events.emit('answered', request);
    });
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    upstream.end(body);
  });

  const first = (event, already, match) =>
    new Promise((resolve) => {
      const past = requests.find((request) => already(request) && match(request));
      if (past) return resolve(past);
      const look = (request) => {
        if (!match(request)) return;
        events.off(event, look);
        resolve(request);
      };
      events.on(event, look);
    });

  proxy.received = (match) => first('request', () => true, match);
  proxy.seen = (match) => first('answered', (request) => request.status, match);
  proxy.closed = (match) => first('closed', (request) => request.closed, match);
  proxy.cut = () => server.closeAllConnections();

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // What is still open then is the client's to close: a suite that leaks a connection does not end.
  test.after(() => void server.close());
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  proxy.api = `${proxy.url}/api/v1`;
  return proxy;
}

/** Matchers for the requests of one kind. */
export const isFeatures = ({ method, path }) => method === 'GET' && path.endsWith('/features');
export const isStream = ({ method, path }) => method === 'GET' && path.endsWith('/stream');
export const isAnalytics = ({ method, path }) => method === 'POST' && path.endsWith('/analytics/evaluations');

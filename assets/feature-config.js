/*
 * Feature Config: the JavaScript client. No dependencies; browsers and Node 18 or later.
 *
 *   const client = new FeatureConfigClient({ apiToken: 'alm_env_…', baseUrl: 'https://…/api/v1' });
 *   await client.isFeatureEnabled('shop', 'prod', 'new_ui', { userId: '123' });
 *
 * One file, three ways in: <script src>, `import` (named or default) and `require`. The last line makes it so.
 * Types and the meaning of every option: feature-config.d.ts. `feature-config.min.js` is made from this file by
 * `npm run minify` in tests/clients.
 */
var FeatureConfigClient = (() => {
  const BATCH_SIZE = 20; // evaluations
  const BATCH_AGE = 60e3; // ms
  const CACHE_SIZE = 1000; // contexts; a server that asks for each of its users must not grow for ever
  const SILENCE = 45e3; // ms: three of the stream's heartbeats missed means that the connection is dead
  const RETRY = 2e3; // ms before the first reconnection, until the server says otherwise
  const RETRY_MAX = 60e3; // ms

  const encode = encodeURIComponent;
  const warn = (error) => console.warn('FeatureConfigClient:', error);

  /** setTimeout that does not keep a Node process alive. */
  const later = (run, delay) => {
    const timer = setTimeout(run, delay);
    timer.unref?.();
    return timer;
  };

  return class FeatureConfigClient {
    constructor({ apiToken, baseUrl, cacheTtl = 300e3, timeout = 5e3, analytics = true }) {
      const base = baseUrl.replace(/\/+$/, '');
      const headers = { Authorization: 'Bearer ' + apiToken };
      const analyticsUrl = base + '/analytics/evaluations';

      /** What is known of one context, by URL, least recently used first. */
      const entries = new Map();
      /** Evaluations that the server has not seen, the same ones counted together. */
      const batch = new Map();
      let evaluations = 0; // since the last flush, also those the server has counted by itself
      let batchTimer;

      const entryFor = (siteId, environmentId, context) => {
        const path = `${base}/sites/${encode(siteId)}/environments/${encode(environmentId)}/`;
        const query = '?context=' + encode(JSON.stringify(context || {}));
        const id = path + query;
        const entry = entries.get(id) || {
          url: path + 'features' + query,
          streamUrl: path + 'stream' + query,
          userId: context?.userId?.toString(),
          changes: 0, // by the stream
          listeners: new Set(),
        };
        entries.delete(id);
        entries.set(id, entry);
        if (entries.size > CACHE_SIZE) entries.delete(entries.keys().next().value);
        return entry;
      };

      /**
       * Asks the server. Whatever goes wrong leaves the entry as it was: stale, or empty. The browser's own cache is
       * kept out of it: a 304 that it swallows would be a use that neither side counts (see `record`).
       */
      const load = async (entry) => {
        const { changes, etag } = entry;
        try {
          const reply = await fetch(entry.url, {
            headers: etag ? { ...headers, 'If-None-Match': etag } : headers,
            cache: 'no-store',
            signal: AbortSignal.timeout(timeout),
          });
          if (reply.status != 304) {
            const body = await reply.json();
            if (!body.features) throw Error(body.error?.message || reply.status);
            // What the stream said meanwhile is newer than this answer.
            if (entry.changes == changes) {
              entry.features = body.features;
              entry.etag = reply.headers.get('ETag');
              entry.counted = new Set();
            }
          }
          entry.checkedAt = Date.now();
        } catch (error) {
          warn(error);
        }
        entry.pending = 0;
      };

      /** The entry with its features loaded and fresh, as far as the server could be reached. */
      const ready = async (...scope) => {
        const entry = entryFor(...scope);
        if (!entry.features || Date.now() - entry.checkedAt >= cacheTtl) {
          await (entry.pending ||= load(entry));
        }
        return entry;
      };

      /** Sends the batch: by a beacon when the page is leaving, else by fetch. Lost is lost. */
      const flush = async (leaving) => {
        const body = JSON.stringify({ evaluations: [...batch.values()] });
        clearTimeout(batchTimer);
        batchTimer = evaluations = 0;
        if (!batch.size) return;
        // A beacon sets no headers and has a size limit; what it refuses waits for the next flush.
        if (leaving && !navigator.sendBeacon?.(analyticsUrl + '?apiKey=' + encode(apiToken), body)) return;
        batch.clear();
        if (leaving) return;
        try {
          const reply = await fetch(analyticsUrl, {
            method: 'POST',
            headers: { ...headers, 'Content-Type': 'application/json' },
            body,
            signal: AbortSignal.timeout(timeout),
          });
          await reply.text();
        } catch {}
      };

      /**
       * Notes that a value was used. The server counts each feature of an answer once by itself,
       * so the first use after an answer is not reported, the others are.
       */
      const record = (entry, featureKey, { value, ruleId, variant }) => {
        if (entry.counted?.has(featureKey) ?? true) {
          const id = JSON.stringify([entry.url, featureKey, value, ruleId, variant]);
          const evaluation = batch.get(id) || {
            featureKey,
            value,
            ruleId: ruleId || undefined,
            variant: variant || undefined,
            userId: entry.userId,
            count: 0,
          };
          evaluation.count++;
          batch.set(id, evaluation);
          batchTimer ||= later(flush, BATCH_AGE);
        } else entry.counted.add(featureKey);
        if (++evaluations >= BATCH_SIZE) flush();
      };

      const tell = (entry, listener, change) => {
        try {
          listener(entry.features || {}, change);
        } catch (error) {
          warn(error);
        }
      };

      /** Takes one event of the stream into the cache and tells the listeners. */
      const apply = (entry, type, { features = {}, keys = Object.keys(features), status }) => {
        if (!status) {
          entry.features = { ...(type != 'snapshot' && entry.features), ...features };
          if (type == 'delete') keys.forEach((key) => delete entry.features[key]);
          entry.changes++;
          entry.etag = ''; // it named the features before this change
          entry.streamed = true;
        }
        entry.listeners.forEach((own) => tell(entry, own.listener, { type, keys, status }));
      };

      /** Holds the stream of an entry open, reconnecting with growing pauses, until `entry.stop()`. */
      const stream = async (entry) => {
        let running = true;
        let retry = RETRY;
        let pause = retry;
        let connection, silence, lastEventId;
        entry.stop = () => {
          running = entry.stop = entry.streamed = undefined;
          connection.abort();
        };
        while (running) {
          connection = new AbortController();
          const heard = () => {
            clearTimeout(silence);
            silence = later(() => connection.abort(), SILENCE);
          };
          try {
            heard();
            const reply = await fetch(entry.streamUrl, {
              headers: lastEventId ? { ...headers, 'Last-Event-ID': lastEventId } : headers,
              cache: 'no-store',
              signal: connection.signal,
            });
            if (!reply.ok) throw Error(reply.status);
            const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
            for (let text = '', chunk; !(chunk = await reader.read()).done; ) {
              heard();
              const blocks = (text + chunk.value).split(/\r?\n\r?\n/);
              text = blocks.pop();
              for (const block of blocks) {
                const event = { data: '' };
                for (const [, name, value] of block.matchAll(/^(\w+): ?(.*)$/gm)) {
                  event[name] = name == 'data' ? event.data + value : value;
                }
                if (event.retry) retry = +event.retry;
                if (event.data) apply(entry, event.event, JSON.parse(event.data));
                if (event.id) lastEventId = event.id;
                pause = retry;
              }
              if (entry.streamed) entry.checkedAt = Date.now(); // a heartbeat, too, says that nothing else changed
            }
          } catch (error) {
            if (running) warn(error);
          }
          clearTimeout(silence);
          connection.abort();
          if (running) await new Promise((done) => later(done, pause * (0.5 + Math.random())));
          pause = Math.min(pause * 2, RETRY_MAX);
        }
      };

      this.getFeatures = async (...scope) => (await ready(...scope)).features || {};

      this.getFeature = async (siteId, environmentId, key, defaultValue = null, context) => {
        const entry = await ready(siteId, environmentId, context);
        const feature = entry.features?.[key];
        if (analytics && feature?.type) record(entry, key, feature);
        return feature?.value ?? defaultValue;
      };

      this.isFeatureEnabled = async (siteId, environmentId, key, context) =>
        (await this.getFeature(siteId, environmentId, key, false, context)) === true;

      this.subscribe = (siteId, environmentId, context, listener) => {
        const entry = entryFor(siteId, environmentId, context);
        const own = { listener };
        entry.listeners.add(own);
        if (!entry.stop) stream(entry);
        else if (entry.streamed) {
          // The stream has told its snapshot already; a listener that comes later is told what is known.
          const change = { type: 'snapshot', keys: Object.keys(entry.features) };
          Promise.resolve().then(() => entry.listeners.has(own) && tell(entry, listener, change));
        }
        return () => {
          entry.listeners.delete(own);
          if (!entry.listeners.size) entry.stop?.();
        };
      };

      this.flush = () => flush();

      if (analytics && globalThis.document) {
        addEventListener('pagehide', () => flush(true));
        document.addEventListener('visibilitychange', () => document.hidden && flush(true));
      }
    }
  };
})();

if (typeof module == 'object' && module.exports) {
  module.exports = FeatureConfigClient.FeatureConfigClient = FeatureConfigClient.default = FeatureConfigClient;
}

// `await` is a name in a script and an operator in a module. So a script reads the next line as `await / 0` and
// a comment, a module as `await /0/ / 1` and an export. (For a bundle without top-level await, delete the line.)
typeof await/0//1;export{FeatureConfigClient,FeatureConfigClient as default}

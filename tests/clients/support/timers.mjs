// The client's own timers, held until a test lets them run. Those of others (Node's fetch has some) run as ever.
import { EventEmitter, once } from 'node:events';

/** The delay of the timer that watches for a silent stream, in milliseconds. */
export const SILENCE = 45_000;

/**
 * Takes over `setTimeout` for calls from feature-config.js.
 * `take(match)` resolves with the oldest timer not taken yet whose delay matches: `{delay, run, cleared}`.
 */
export function holdTimers(t) {
  const held = [];
  const events = new EventEmitter();
  const { clearTimeout, setTimeout } = globalThis;
  t.mock.method(globalThis, 'setTimeout', (run, delay, ...rest) => {
    if (!new Error().stack.includes('/feature-config')) return setTimeout(run, delay, ...rest);
    const timer = { delay, run, cleared: false };
    held.push(timer);
    events.emit('held');
    return timer;
  });
  t.mock.method(globalThis, 'clearTimeout', (timer) => {
    if (timer && 'cleared' in timer) timer.cleared = true;
    else clearTimeout(timer);
  });
  return {
    async take(match) {
      for (;;) {
        const index = held.findIndex(({ delay }) => match(delay));
        if (index >= 0) return held.splice(index, 1)[0];
        await once(events, 'held');
      }
    },
  };
}

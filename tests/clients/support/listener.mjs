// A listener that a test can wait on.

/** Collects what `subscribe` tells, in order; `next()` takes the oldest one not taken yet, waiting if need be. */
export function makeListener() {
  const told = [];
  const waiting = [];
  const listener = (features, change) => {
    const call = { features, change };
    const resolve = waiting.shift();
    if (resolve) resolve(call);
    else told.push(call);
  };
  listener.next = () => (told.length ? Promise.resolve(told.shift()) : new Promise((resolve) => waiting.push(resolve)));
  /** Calls that nobody has taken. */
  listener.untaken = told;
  return listener;
}

// The site of the OpenFeature suites: its key, and the person who changes its flags.
import { admin } from './admin.mjs';

/** An environment token of openfeature/prod for clients. */
export const token = process.env.FEATURED_OPENFEATURE_TOKEN;
if (!token) throw new Error('FEATURED_OPENFEATURE_TOKEN is not set: start the suites with tests/clients/run.sh');

/** One that may ask once a minute. */
export const slowToken = process.env.FEATURED_OPENFEATURE_SLOW_TOKEN;

const feature = (key) => `/sites/openfeature/environments/prod/features/${key}`;

/** Gives the flag `live` another value, until the test is over. */
export async function changeLive(test, value) {
  test.after(() => admin('PATCH', feature('live'), { defaultValue: 'before' }));
  await admin('PATCH', feature('live'), { defaultValue: value });
}

/** The name of the rule that decided, as answers give it: `rule-` and its id. */
export async function ruleVariant(key, at = 0) {
  const { rules } = await admin('GET', feature(key));
  return `rule-${rules[at].id}`;
}

/** Calls until the answer passes; rejects after 20 s. */
export async function eventually(ask, passes) {
  for (const end = Date.now() + 20_000; ; ) {
    const answer = await ask();
    if (passes(answer)) return answer;
    if (Date.now() > end) throw new Error(`still ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

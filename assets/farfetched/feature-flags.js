// Feature flags for the whole application, evaluated by the server's Flagr door.
import { combine, createEffect, createEvent, createStore, sample } from 'effector';
import { cache, createJsonQuery, declareParams, exponentialDelay, retry } from '@farfetched/core';
import { runtypeContract } from '@farfetched/runtypes';
import { Array, Optional, Record, String, Unknown } from 'runtypes';

// One row for each key that was asked for, also when the flag is unknown or off: then without a variant.
const flagrResponse = Record({
  evaluationResults: Array(
    Record({ flagKey: String, variantKey: Optional(String), variantAttachment: Optional(Unknown) }),
  ),
});

/**
 * `url`: https://featured.example/flagr/api/v1/evaluation/batch; `token`: a client token of the environment.
 * `context`: stores whose values the flags' constraints may read, such as { userId: $userId, language: $language };
 * `userId` also decides which users are in a rollout, and may be null for as long as nobody has signed in.
 */
export function createFeatureFlags({ url, token, context, retries = 3, retryDelay = 200, staleAfter }) {
  const registerNewKey = createEvent();
  const performRequest = createEvent();
  const $context = combine(context);
  const $requiredKeys = createStore([]).on(registerNewKey, (keys, key) => (keys.includes(key) ? keys : [...keys, key]));

  const featureFlagsQuery = createJsonQuery({
    initialData: [],
    params: declareParams(),
    request: {
      method: 'POST',
      url,
      headers: { Authorization: `Bearer ${token}` },
      body: {
        source: $context,
        fn: ({ flagKeys }, context) => ({
          entities: [{ entityID: context.userId, entityContext: context }],
          flagKeys,
        }),
      },
    },
    response: {
      contract: runtypeContract(flagrResponse),
      mapData: ({ result }) => result.evaluationResults,
    },
  });
  if (retries > 0) retry(featureFlagsQuery, { times: retries, delay: exponentialDelay(retryDelay) });
  if (staleAfter) cache(featureFlagsQuery, { staleAfter });

  // Several flags may ask on the same event. Their keys are gathered first; then one request leaves with all of them.
  const gatherFx = createEffect(() => Promise.resolve());
  sample({ clock: performRequest, source: gatherFx.pending, filter: (pending) => !pending, target: gatherFx });
  sample({ clock: gatherFx.done, source: $requiredKeys, fn: (flagKeys) => ({ flagKeys }), target: featureFlagsQuery.start });

  /**
   * `key`: of the flag. `fetchOn`: an event, or a list of events. `contract`: what the value has to be.
   * The value is what the variant's attachment has as `value`: {"value": true}.
   */
  function createFlag({ key, fetchOn, defaultValue, contract }) {
    sample({ clock: fetchOn, fn: () => key, target: registerNewKey });
    sample({ clock: fetchOn, fn: () => undefined, target: performRequest });

    const $given = featureFlagsQuery.$data.map((rows) => {
      const value = rows.find((row) => row.flagKey === key)?.variantAttachment?.value;
      return contract.isData(value) ? { value } : { problems: value === undefined ? [] : contract.getErrorMessages(value) };
    });
    return {
      $value: $given.map((given) => ('value' in given ? given.value : defaultValue)),
      // Whether the value is the default one, since nothing else was given or what was given does not fit.
      $isDefault: $given.map((given) => !('value' in given)),
      $problems: $given.map((given) => given.problems ?? []),
    };
  }

  return {
    createFlag,
    $pending: featureFlagsQuery.$pending,
    $error: featureFlagsQuery.$error,
    query: featureFlagsQuery,
  };
}

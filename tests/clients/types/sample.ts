// Type-checked by packaging.test.mjs, never run: what users of the client may write, and what they may not.
import FeatureConfigDefault, { FeatureConfigClient, type Change, type Feature, type Features } from './feature-config.js';

const client: FeatureConfigClient = new FeatureConfigClient({ apiToken: 'alm_env_…', baseUrl: '/api/v1' });
new FeatureConfigDefault({ apiToken: 't', baseUrl: 'u', cacheTtl: 60_000, timeout: 2_000, analytics: false });

export const all: Promise<Features> = client.getFeatures('shop', 'prod', { userId: '123', tags: ['a'], nested: { x: 1 } });
export const text: Promise<string> = client.getFeature('shop', 'prod', 'welcome_message', 'Hello!', { userId: '123' });
export const count: Promise<number> = client.getFeature('shop', 'prod', 'dashboard_max_items', 10);
export const theme: Promise<{ layout: string }> = client.getFeature('shop', 'prod', 'theme', { layout: 'plain' });
export const nullable: Promise<number | null> = client.getFeature<number>('shop', 'prod', 'dashboard_max_items');
export const enabled: Promise<boolean> = client.isFeatureEnabled('shop', 'prod', 'new_ui', null);
export const flushed: Promise<void> = client.flush();

const unsubscribe: () => void = client.subscribe('shop', 'prod', {}, (features: Features, change: Change) => {
  const feature: Feature | undefined = features['new_ui'];
  if (change.type === 'delete') console.log(change.keys.join(), feature?.variant ?? '');
});
unsubscribe();

// @ts-expect-error: without a base URL there is nobody to ask
new FeatureConfigClient({ apiToken: 't' });
// @ts-expect-error: no such option
new FeatureConfigClient({ apiToken: 't', baseUrl: 'u', cacheTTL: 1 });
// @ts-expect-error: without a default the value may be null
export const wrong: Promise<number> = client.getFeature<number>('shop', 'prod', 'dashboard_max_items');
// @ts-expect-error: a context is an object
client.getFeatures('shop', 'prod', 'user-123');
// @ts-expect-error: the features belong to the cache
client.subscribe('shop', 'prod', {}, (features) => { features['new_ui'] = undefined; });
// @ts-expect-error: a listener is needed
client.subscribe('shop', 'prod', {});

/// <reference path="./feature-config.d.ts" />
// The same class from a script tag: no import, a global.
const globalClient: FeatureConfigClient = new FeatureConfigClient({ apiToken: 't', baseUrl: 'u' });

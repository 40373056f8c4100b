// The same class by `require`.
import FeatureConfigClient = require('./feature-config.js');

export const client: FeatureConfigClient = new FeatureConfigClient({ apiToken: 't', baseUrl: 'u' });
export const options: FeatureConfigClient.Options = { apiToken: 't', baseUrl: 'u' };

// services/FeatureConfigService.js
const axios = require('axios');

class FeatureConfigService {
  constructor(apiToken, baseUrl = 'https://features.almiro.se/api/v1') {
    this.apiToken = apiToken;
    this.baseUrl = baseUrl;
    this.cache = new Map();
    this.cacheTimeout = 5 * 60 * 1000; // 5 minutes
  }

  async getFeatures(siteId, environmentId, context = {}) {
    const cacheKey = `${siteId}:${environmentId}:${JSON.stringify(context)}`;
    const cached = this.cache.get(cacheKey);

    if (cached && Date.now() - cached.timestamp < this.cacheTimeout) {
      return cached.data;
    }

    try {
      const response = await axios.post(`${this.baseUrl}/evaluate`, {
        siteId,
        environmentId,
        context
      }, {
        headers: {
          'Authorization': `Bearer ${this.apiToken}`,
          'Content-Type': 'application/json'
        }
      });

      const features = response.data.features || {};

      // Cache the result
      this.cache.set(cacheKey, {
        data: features,
        timestamp: Date.now()
      });

      return features;
    } catch (error) {
      console.error('Failed to fetch features:', error);
      return {};
    }
  }

  async getFeature(siteId, environmentId, key, defaultValue = null, context = {}) {
    const features = await this.getFeatures(siteId, environmentId, context);
    return features[key]?.value ?? defaultValue;
  }

  async isFeatureEnabled(siteId, environmentId, key, context = {}) {
    return await this.getFeature(siteId, environmentId, key, false, context) === true;
  }
}

module.exports = FeatureConfigService;

// hooks/useFeatureConfig.js
import { useState, useEffect } from 'react';
import axios from 'axios';

const API_BASE = 'https://features.almiro.se/api/v1';
const API_TOKEN = process.env.REACT_APP_FEATURE_CONFIG_TOKEN;

export const useFeatureConfig = (siteId, environmentId, context = {}) => {
  const [features, setFeatures] = useState({});
  const [loading, setLoading] = useState(true);
  const [error, setError] = useState(null);

  useEffect(() => {
    const fetchFeatures = async () => {
      try {
        setLoading(true);
        const response = await axios.post(`${API_BASE}/evaluate`, {
          siteId,
          environmentId,
          context
        }, {
          headers: {
            'Authorization': `Bearer ${API_TOKEN}`,
            'Content-Type': 'application/json'
          }
        });

        setFeatures(response.data.features || {});
        setError(null);
      } catch (err) {
        setError(err.message);
        console.error('Failed to fetch features:', err);
      } finally {
        setLoading(false);
      }
    };

    fetchFeatures();
  }, [siteId, environmentId, JSON.stringify(context)]);

  const getFeature = (key, defaultValue = null) => {
    return features[key]?.value ?? defaultValue;
  };

  const isFeatureEnabled = (key) => {
    return getFeature(key, false) === true;
  };

  return { features, loading, error, getFeature, isFeatureEnabled };
};

# feature_config.py
import requests
import json
import time
from typing import Dict, Any

class FeatureConfigClient:
    def __init__(self, api_token: str, base_url: str = "https://features.almiro.se/api/v1"):
        self.api_token = api_token
        self.base_url = base_url
        self.cache = {}
        self.cache_timeout = 300 # 5 minutes

    def get_features(self, site_id: str, environment_id: str, context: Dict[str, Any] = None) -> Dict[str, Any]:
        if context is None:
            context = {}

        cache_key = f"{site_id}:{environment_id}:{json.dumps(context, sort_keys=True)}"

        if cache_key in self.cache:
            cached = self.cache[cache_key]
            if time.time() - cached['timestamp'] < self.cache_timeout:
                return cached['data']

        try:
            response = requests.post(
                f"{self.base_url}/evaluate",
                json={"siteId": site_id, "environmentId": environment_id, "context": context},
                headers={
                    "Authorization": f"Bearer {self.api_token}",
                    "Content-Type": "application/json"
                },
                timeout=5
            )
            response.raise_for_status()
            features = response.json().get('features', {})

            self.cache[cache_key] = {
                'data': features,
                'timestamp': time.time()
            }

            return features
        except Exception as e:
            print(f"Failed to fetch features: {e}")
            return {}

    def get_feature(self, site_id: str, environment_id: str, key: str, default_value: Any = None, context: Dict[str, Any] = None) -> Any:
        features = self.get_features(site_id, environment_id, context)
        return features.get(key, {}).get('value', default_value)

    def is_feature_enabled(self, site_id: str, environment_id: str, key: str, context: Dict[str, Any] = None) -> bool:
        return self.get_feature(site_id, environment_id, key, False, context) is True

# Usage example
if __name__ == "__main__":
    client = FeatureConfigClient(api_token="your-token-here")
    context = {"userId": "123", "plan": "premium"}
    enabled = client.is_feature_enabled("site-id", "prod", "new_feature", context)
    print(f"New feature enabled: {enabled}")

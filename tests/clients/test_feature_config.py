"""The manual's Python client, with real requests, against the running server."""

import contextlib
import io
import os
import sys
import time
import unittest
from pathlib import Path
from unittest import mock

import requests

sys.path.insert(0, str(Path(__file__).parent / "manual"))
from feature_config import FeatureConfigClient  # noqa: E402

API = os.environ["FEATURED_URL"] + "/api/v1"
TOKEN = os.environ["FEATURED_SERVER_TOKEN"]
PREMIUM = {"userId": "123", "plan": "premium"}


class FeatureConfigTest(unittest.TestCase):
    def setUp(self):
        self.client = FeatureConfigClient(api_token=TOKEN, base_url=API)

    def test_features_come_by_key_with_their_evaluation(self):
        features = self.client.get_features("shop", "prod", PREMIUM)
        self.assertIs(features["premium_banner"]["value"], True)
        self.assertEqual(features["premium_banner"]["reason"], "TARGETING_MATCH")
        self.assertEqual(features["checkout_theme"]["type"], "JSON")

    def test_values_follow_the_context(self):
        def greet(context=None):
            return self.client.get_feature("shop", "prod", "welcome_message", "Hello!", context)

        self.assertEqual(greet(PREMIUM), "Welcome back, premium member!")
        self.assertEqual(greet({"country": "SE"}), "Välkommen till butiken!")
        self.assertEqual(greet(), "Welcome to our shop!")
        self.assertEqual(self.client.get_feature("shop", "prod", "dashboard_max_items", 10, PREMIUM), 50)

    def test_the_default_stands_in_for_an_unknown_feature(self):
        self.assertEqual(self.client.get_feature("shop", "prod", "no_such_feature", "Hello!", PREMIUM), "Hello!")

    def test_enabled_means_exactly_true(self):
        def enabled(key, context=PREMIUM):
            return self.client.is_feature_enabled("shop", "prod", key, context)

        self.assertIs(enabled("premium_banner"), True)
        self.assertIs(enabled("premium_banner", {}), False)
        self.assertIs(enabled("retired_banner"), False)
        self.assertIs(enabled("truthy_text"), False)
        self.assertIs(enabled("no_such_feature"), False)

    def test_one_request_serves_five_minutes(self):
        start = time.time()
        with mock.patch.object(requests, "post", wraps=requests.post) as post:
            with mock.patch.object(time, "time", return_value=start):
                self.client.get_features("shop", "prod", PREMIUM)
                self.client.get_feature("shop", "prod", "welcome_message", "", PREMIUM)
            with mock.patch.object(time, "time", return_value=start + 299.9):
                self.client.get_features("shop", "prod", PREMIUM)
            self.assertEqual(post.call_count, 1)
            with mock.patch.object(time, "time", return_value=start + 300.1):
                self.client.get_features("shop", "prod", PREMIUM)
            self.assertEqual(post.call_count, 2)

    def test_a_refusal_gives_the_default_and_is_printed(self):
        stranger = FeatureConfigClient(api_token="alm_env_shop_prod_wrong", base_url=API)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.assertEqual(stranger.get_feature("shop", "prod", "welcome_message", "Hello!", PREMIUM), "Hello!")
        self.assertIn("401", printed.getvalue())

    def test_a_server_that_is_away_gives_the_default(self):
        nowhere = FeatureConfigClient(api_token=TOKEN, base_url="http://127.0.0.1:1/api/v1")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.assertIs(nowhere.is_feature_enabled("shop", "prod", "premium_banner", PREMIUM), False)
        self.assertIn("Failed to fetch features", printed.getvalue())


if __name__ == "__main__":
    unittest.main()

"""OpenFeature's Python SDK with its OFREP provider: every type, every reason, errors, live change."""

import os
import unittest

import requests
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

URL = os.environ["FEATURED_URL"]
TOKEN = os.environ["FEATURED_OPENFEATURE_TOKEN"]
FEATURE = f"{URL}/api/v1/sites/openfeature/environments/prod/features/"
PERSON = {"Authorization": f"Bearer {os.environ['FEATURED_PAT']}"}


def connect(domain, headers):
    """A client of a provider of its own."""
    api.set_provider(OFREPProvider(URL, headers_factory=lambda: headers), domain)
    return api.get_client(domain)


def user(**attributes):
    return EvaluationContext("u1", attributes)


def rule(key, at=0):
    found = requests.get(FEATURE + key, headers=PERSON, timeout=20)
    found.raise_for_status()
    return "rule-" + found.json()["rules"][at]["id"]


class OpenFeature(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = connect("bearer", {"Authorization": f"Bearer {TOKEN}"})

    def told(self, details):
        self.assertIsNone(details.error_code, details.error_message)
        return details.value, details.reason, details.variant

    def test_every_type(self):
        client = self.client
        self.assertIs(client.get_boolean_value("bool-on", False), True)
        self.assertEqual(client.get_string_value("text", "", user()), "grey")
        whole = client.get_integer_value("int", 0, user())
        self.assertEqual((whole, type(whole)), (5, int))
        fraction = client.get_float_value("float", 0.0, user())
        self.assertEqual((fraction, type(fraction)), (2.5, float))
        found = client.get_object_value("object", {}, user())
        self.assertEqual(found, {"theme": "dark", "sizes": [1, 2], "deep": {"on": True}})
        self.assertEqual(client.get_object_value("list", [], user()), [1, "two", True])

    def test_every_reason_with_its_variant(self):
        boolean = lambda key, who=None: self.told(self.client.get_boolean_details(key, True, who))
        text = lambda key, who=None: self.told(self.client.get_string_details(key, "code", who))
        self.assertEqual(boolean("bool-on"), (True, Reason.STATIC, "default"))
        self.assertEqual(boolean("bool-off", user()), (False, Reason.DISABLED, "disabled"))
        premium = text("text", user(plan="premium"))
        self.assertEqual(premium, ("gold", Reason.TARGETING_MATCH, rule("text")))
        large = text("text", user(cart={"total": 12.5}))
        self.assertEqual(large, ("teal", Reason.TARGETING_MATCH, rule("text", 1)))
        self.assertEqual(text("text", user(plan="free")), ("grey", Reason.DEFAULT, "default"))
        value, reason, variant = text("split", user())
        self.assertEqual((value, reason), ({"red": "#f00", "blue": "#00f"}[variant], Reason.SPLIT))
        self.assertEqual(boolean("share", user()), (True, Reason.SPLIT, rule("share")))
        self.assertEqual(boolean("share"), (False, Reason.DEFAULT, "default"))

    def test_a_stored_context_and_the_override_decide_and_say_so(self):
        def decided(key, who):
            details = self.client.get_string_details(key, "code", who)
            return *self.told(details), details.flag_metadata.get("source")

        vip = EvaluationContext("vip", {"plan": "premium"})
        self.assertEqual(decided("text", vip), ("platinum", Reason.TARGETING_MATCH, "context", "CONTEXT"))
        self.assertEqual(decided("forced", user()), ("taken", Reason.STATIC, "override", "OVERRIDE"))

    def test_a_flag_without_a_value_leaves_the_one_in_the_code(self):
        found = self.client.get_string_details("text-off", "code", user())
        self.assertEqual(self.told(found), ("code", Reason.DISABLED, "disabled"))

    def test_errors_each_with_its_code(self):
        def code(key, client=self.client, who=user()):
            details = client.get_boolean_details(key, True, who)
            self.assertEqual((details.value, details.reason), (True, Reason.ERROR))
            return details.error_code

        self.assertEqual(code("gone"), ErrorCode.FLAG_NOT_FOUND)
        self.assertEqual(code("team/gone"), ErrorCode.FLAG_NOT_FOUND)
        self.assertEqual(code("int"), ErrorCode.TYPE_MISMATCH)
        stranger = connect("stranger", {"X-API-Key": "alm_env_openfeature_prod_unknown"})
        self.assertEqual(code("bool-on", stranger), ErrorCode.GENERAL)
        deep = {}
        for _ in range(200):
            deep = {"deep": deep}
        self.assertEqual(code("bool-on", who=user(deep=deep)), ErrorCode.INVALID_CONTEXT)
        slow = connect("slow", {"Authorization": f"Bearer {os.environ['FEATURED_OPENFEATURE_SLOW_TOKEN']}"})
        slow.get_boolean_details("bool-on", True, user())
        self.assertEqual(code("bool-on", slow), ErrorCode.GENERAL, "over its limit")

    def test_a_key_with_a_slash_and_the_token_in_the_other_header(self):
        other = connect("api-key", {"X-API-Key": TOKEN})
        self.assertIs(other.get_boolean_value("team/new-nav", False, user()), True)

    def test_a_change_is_seen_by_the_next_evaluation(self):
        def change(value):
            answer = requests.patch(FEATURE + "live", json={"defaultValue": value}, headers=PERSON, timeout=20)
            answer.raise_for_status()

        live = lambda: self.client.get_string_value("live", "", user())
        self.assertEqual(live(), "before")
        self.addCleanup(change, "before")
        change("after")
        self.assertEqual(live(), "after")


if __name__ == "__main__":
    unittest.main()

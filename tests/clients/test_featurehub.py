"""FeatureHub's own Python SDK against the running server: streaming and polling, with keys of both kinds."""

import asyncio
import json
import os
import subprocess
import tempfile
import time
import unittest
import uuid

import requests
from featurehub_sdk.featurehub_config import FeatureHubConfig
from featurehub_sdk.interceptors import InterceptorValue, ValueInterceptor

URL = os.environ["FEATURED_URL"]
PROD = URL + "/api/v1/sites/shop/environments/prod"
ADMIN = {"Authorization": "Bearer " + os.environ["FEATURED_PAT"]}
# Of this id the SDK puts fred into 218878, mary into 551984, of a million.
BUCKETS = "6b1f3c52-0d3e-4b8e-9a51-2f0c6f2b7a10"


def admin(method, path, body=None):
    reply = requests.request(method, PROD + path, json=body, headers=ADMIN, timeout=20)
    assert reply.ok, f"{method} {path}: {reply.status_code} {reply.text}"
    return reply.json() if reply.text else None


def key(kind, permissions=()):
    body = {"description": "python", "kind": kind, "permissions": list(permissions), "rateLimit": 0}
    return admin("POST", "/tokens", body)["featurehubKey"]


def until(what, check):
    end = time.monotonic() + 30
    while not check():
        if time.monotonic() > end:
            raise AssertionError("waited in vain: " + what)
        time.sleep(0.02)


def equals(attribute, value):
    return {"attribute": attribute, "operator": "equals", "value": value}


class Own:
    """A server of one's own, that can be stopped and started on one address."""

    def __init__(self, test, *options):
        self.folder, self.options, self.listen = tempfile.TemporaryDirectory(), options, "127.0.0.1:0"
        test.addCleanup(self.folder.cleanup)
        document = {"version": 1, "site": {"slug": "own", "name": "Own"}, "environments": [
            {"name": "prod", "features": [{"key": "TEXT", "type": "STRING", "defaultValue": "before"}]}]}
        self.run("import", "-", input=json.dumps(document))
        self.run("user", "add", "ana", "--email", "ana@own.example", "--role", "admin", "--password-stdin",
                 input="a quiet harbour")
        self.admin = {"Authorization": "Bearer " + self.run("user", "pat", "ana", "--description", "t").split()[-1]}
        # Before it serves: what a command makes beside a server is known there a moment later.
        self.keys = {kind: self.key(kind) for kind in ("server", "client")}
        test.addCleanup(self.stop)
        self.start()

    def run(self, *words, input=None):
        command = [os.environ["FEATURED_BIN"], *words, "--db", self.folder.name + "/flags.db"]
        return subprocess.run(command, input=input, capture_output=True, text=True, check=True).stdout

    def key(self, kind):
        words = ("token", "add", "--site", "own", "--env", "prod", "--kind", kind, "--description", "t")
        return json.loads(self.run(*words, "--rate-limit", "0", "--json"))["featurehubKey"]

    def start(self):
        command = [os.environ["FEATURED_BIN"], "--db", self.folder.name + "/flags.db", "--listen", self.listen]
        self.process = subprocess.Popen([*command, *self.options], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://"), line
        self.url = line.split()[-1]
        self.listen = self.url.removeprefix("http://")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(60) == 0
        self.process.stdout.close()

    def change(self, value):
        path = self.url + "/api/v1/sites/own/environments/prod/features/TEXT"
        reply = requests.patch(path, json={"defaultValue": value}, headers=self.admin, timeout=20)
        assert reply.ok, reply.text


class FeatureHubTest(unittest.TestCase):
    def setUp(self):
        self.prefix = "PY_" + uuid.uuid4().hex[:12]
        self.flag = self.make(
            "FLAG", type="BOOLEAN", defaultValue=False,
            rules=[
                {"name": "user", "when": equals("userId", "ana"), "outcome": {"value": True}},
                {"name": "country", "when": equals("country", "turkey"), "outcome": {"value": True}},
                {"name": "version", "outcome": {"value": True},
                 "when": {"attribute": "version", "operator": "semver_gte", "value": "2.1"}},
            ],
        )
        self.text = self.make("TEXT", type="STRING", defaultValue="hello")
        self.count = self.make("COUNT", type="NUMBER", defaultValue=17.5)
        self.limits = self.make("LIMITS", type="JSON", defaultValue={"max": 5})
        self.unset = self.make("UNSET", type="STRING")
        self.half = self.make(
            "HALF", type="STRING", defaultValue="out", bucketing="murmur3", bucketingId=BUCKETS,
            rules=[{"name": "half", "rollout": {"percentage": 53.5}, "outcome": {"value": "in"}}],
        )

    def make(self, name, **feature):
        name = f"{self.prefix}_{name}"
        admin("POST", "/features", {"key": name, **feature})
        self.addCleanup(lambda: requests.delete(f"{PROD}/features/{name}", headers=ADMIN, timeout=20))
        return name

    def client(self, api_key, interval=None):
        config = FeatureHubConfig(URL, [api_key])
        if interval is not None:
            config.use_polling_edge_service(interval)
            # A stream ends with the program: closing it waits until the server says something.
            self.addCleanup(config.close)
        asyncio.run(config.init())
        until("ready", config.repository().is_ready)
        return config

    def kinds(self):
        for kind in ("server", "client"):
            yield f"polling, {kind} token", self.client(key(kind), 1)
        # This SDK streams strategies only: it sends no context along.
        yield "streaming", self.client(key("server"))
        yield "three parts", self.client("default/" + key("server"))

    def test_values_strategies_and_changes_of_context(self):
        for name, config in self.kinds():
            with self.subTest(name):
                context = config.new_context()
                context.user_key("nobody").build_sync()
                self.assertEqual(context.get_string(self.text), "hello")
                self.assertEqual(context.get_number(self.count), 17.5)
                self.assertEqual(context.get_json(self.limits), {"max": 5})
                self.assertFalse(context.is_set(self.unset))
                self.assertTrue(context.exists(self.text))
                self.assertFalse(context.feature(self.text).locked)
                for attributes, flag, half in [
                    ({"userkey": "fred"}, False, "in"),
                    ({"userkey": "mary", "country": "greece"}, False, "out"),
                    ({"userkey": "mary", "session": "fred"}, False, "in"),
                    ({"userkey": "ana"}, True, None),
                    ({"userkey": "mary", "country": "turkey"}, True, "out"),
                    ({"userkey": "mary", "version": "2.0.9"}, False, "out"),
                    ({"userkey": "mary", "version": "2.10.0"}, True, "out"),
                ]:
                    context.clear()
                    for attribute, value in attributes.items():
                        context.attribute_values(attribute, [value])
                    context.build_sync()
                    self.assertEqual(context.get_flag(self.flag), flag, (name, attributes))
                    if half:
                        self.assertEqual(context.get_string(self.half), half, (name, attributes))

    def test_live_updates_strategies_alone_among_them(self):
        for name, config in self.kinds():
            with self.subTest(name):
                live = self.make("LIVE_" + uuid.uuid4().hex[:6], type="STRING", defaultValue="1")
                context = config.new_context().user_key("ana").build_sync()
                until("made", lambda: context.get_string(live) == "1")
                admin("PATCH", "/features/" + live, {"defaultValue": "2"})
                until("changed", lambda: context.get_string(live) == "2")
                admin("PATCH", "/features/" + live, {"locked": True})
                until("locked", lambda: config.repository().feature(live).locked)
                admin("PATCH", "/features/" + live, {"locked": False})
                rule = {"name": "r", "when": equals("userId", "ana"), "outcome": {"value": "hers"}}
                admin("PATCH", "/features/" + live, {"rules": [rule]})
                until("strategies", lambda: context.get_string(live) == "hers")
                if "polling" not in name:
                    # What is missing in a list that was polled this SDK keeps; a stream tells it.
                    admin("PATCH", "/features/" + live, {"retired": True})
                    until("retired", lambda: not config.repository().feature(live).exists)
                    admin("PATCH", "/features/" + live, {"retired": False})
                    until("back", lambda: context.get_string(live) == "hers")
                    admin("DELETE", "/features/" + live)
                    until("deleted", lambda: not config.repository().feature(live).exists)

    def test_unknown_keys_stop_the_poller_and_never_make_ready(self):
        unknown = key("server")[:-3] + "xyz"
        config = FeatureHubConfig(URL, [unknown])
        config.use_polling_edge_service(1)
        self.addCleanup(config.close)
        asyncio.run(config.init())
        self.assertFalse(config.repository().is_ready())
        self.assertTrue(config.get_or_create_edge_service().cancelled)

    def test_values_stay_while_the_server_is_gone_and_are_new_when_it_is_back(self):
        own = Own(self)
        for kind in ("server", "client"):
            with self.subTest(kind):
                own.change("before")
                config = FeatureHubConfig(own.url, [own.keys[kind]])
                # By hand: the timer of this SDK does not outlive one connection that is refused.
                config.use_polling_edge_service(0)
                asyncio.run(config.init())
                self.assertTrue(config.repository().is_ready())
                edge = config.get_or_create_edge_service()
                own.stop()
                with self.assertRaises(Exception):
                    asyncio.run(edge.poll())
                self.assertTrue(config.repository().is_ready())
                self.assertEqual(config.repository().feature("TEXT").get_string, "before")
                own.start()
                own.change("after")
                asyncio.run(edge.poll())
                self.assertEqual(config.repository().feature("TEXT").get_string, "after")

    def test_a_stream_that_the_server_closes_in_time_goes_on(self):
        own = Own(self, "--featurehub-drop-after", "1")
        config = FeatureHubConfig(own.url, [own.keys["server"]])
        asyncio.run(config.init())
        until("ready", config.repository().is_ready)
        end = time.monotonic() + 3
        at = 0
        while time.monotonic() < end:
            at += 1
            own.change(str(at))
            until("the change", lambda: config.repository().feature("TEXT").get_string == str(at))
            self.assertTrue(config.repository().is_ready())
        # The stream's thread ends with the program; without this it would ask a server that is gone.
        config.get_or_create_edge_service()._streaming_thread.cancel()

    def test_interceptors_stop_at_the_lock(self):
        class Mine(ValueInterceptor):
            def intercepted_value(self, feature_key):
                return InterceptorValue("mine")

        config = self.client(key("server"))
        config.repository().register_interceptor(Mine())
        self.assertEqual(config.repository().feature(self.text).get_string, "mine")
        admin("PATCH", "/features/" + self.text, {"locked": True})
        until("locked", lambda: config.repository().feature(self.text).locked)
        self.assertEqual(config.repository().feature(self.text).get_string, "hello")
        admin("PATCH", "/features/" + self.text, {"locked": False})


if __name__ == "__main__":
    unittest.main()

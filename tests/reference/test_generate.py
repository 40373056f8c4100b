"""What generate.py makes is valid by native-api.md's limits, reaches everything, and does not vary for one seed."""

import collections
import itertools
import json
import pathlib
import re
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import evaluate  # noqa: E402
import flagr  # noqa: E402
import generate  # noqa: E402

KEY = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")
FITS = {"BOOLEAN": lambda v: isinstance(v, bool), "STRING": lambda v: isinstance(v, str),
        "NUMBER": evaluate.is_number, "JSON": lambda v: v is not None}


class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        generator = generate.Generator(7)
        cls.jobs = [(generator.document(n), [generator.context() for _ in range(20)]) for n in range(250)]

    def features(self):
        for document, _ in self.jobs:
            for feature in document["environments"][0]["features"]:
                yield document, feature

    def conditions(self):
        for document, feature in self.features():
            for rule in feature["rules"]:
                if rule.get("when"):
                    yield document, rule["when"]
        for document, _ in self.jobs:
            for segment in document["segments"]:
                yield document, segment["conditions"]

    def leaves(self, condition):
        negated = [condition["not"]] if "not" in condition else []
        for part in condition.get("all", []) + condition.get("any", []) + negated:
            yield from self.leaves(part)
        if not {"all", "any", "not"} & set(condition):
            yield condition

    def test_keys_are_unique_and_well_formed(self):
        for document, _ in self.jobs:
            here = document["environments"][0]
            for things in (here["features"], document["segments"], here["contexts"]):
                keys = [thing["key"] for thing in things]
                self.assertEqual(len(keys), len(set(keys)))
            ids = [f["bucketingId"] for f in here["features"] if "bucketingId" in f]
            self.assertEqual(len(ids), len(set(ids)))
            for feature in here["features"]:
                self.assertEqual("bucketingId" in feature, feature["bucketing"] != "sha256")
                names = [rule["name"] for rule in feature["rules"]]
                self.assertEqual(len(names), len(set(names)))
                for key in [feature["key"]] + [v["key"] for v in feature["variants"]]:
                    self.assertTrue(KEY.fullmatch(key))

    def test_every_value_fits_its_type(self):
        for _, feature in self.features():
            fits = FITS[feature["type"]]
            values = [v["value"] for v in feature["variants"]]
            values += [r["outcome"]["value"] for r in feature["rules"] if "value" in r["outcome"]]
            if feature.get("defaultValue") is not None:
                values.append(feature["defaultValue"])
            self.assertTrue(all(fits(value) for value in values), feature)
        for document, _ in self.jobs:
            here = document["environments"][0]
            kinds = {f["key"]: f["type"] for f in here["features"]}
            for stored in here["contexts"]:
                for key, raw in stored["features"].items():
                    self.assertTrue(FITS[kinds[key]](evaluate.stored_value(kinds[key], raw)))

    def test_rollouts_and_splits(self):
        for _, feature in self.features():
            scheme, pure = feature["bucketing"], 0
            for rule in feature["rules"]:
                rollout = rule.get("rollout") or {"percentage": 100}
                digits = {"sha256": 2, "murmur3": 4, "crc32": 0}[scheme]
                self.assertEqual(round(rollout["percentage"], digits), rollout["percentage"])
                self.assertTrue(0 <= rollout["percentage"] <= 100)
                self.assertTrue(scheme == "sha256" or "salt" not in rollout)
                self.assertTrue(scheme == "murmur3" or not isinstance(rollout.get("by"), list))
                if rule.get("when") is None and rollout["percentage"] < 100:
                    pure += evaluate.millionths(rollout["percentage"])
                arms = rule["outcome"].get("split", [])
                if arms:
                    weights = [evaluate.millionths(arm["weight"]) for arm in arms]
                    self.assertEqual(sum(weights), evaluate.ALL)
                    step = 10_000 if scheme == "crc32" else 100
                    self.assertTrue(all(weight % step == 0 for weight in weights))
                    names = [arm["variant"] for arm in arms]
                    self.assertTrue(set(names) <= {v["key"] for v in feature["variants"]})
                    self.assertEqual(len(names), len(set(names)))
                    self.assertFalse(scheme == "murmur3" and len(arms) > 1 and rollout["percentage"] < 100)
            self.assertTrue(scheme != "murmur3" or pure <= evaluate.ALL)

    def test_conditions(self):
        for document, condition in self.conditions():
            known = {s["key"]: s["conditions"] for s in document["segments"]}
            depth, leaves = generate.measure(condition, known)  # ends: segments hold no cycle
            self.assertTrue(depth <= 8 and leaves <= 500)
            for leaf in self.leaves(condition):
                if "flagr" in leaf:
                    c = leaf["flagr"]
                    flagr.flagr_parse(c["property"], c["operator"], c["value"])
                elif "segment" not in leaf:
                    wanted = leaf.get("values", [leaf["value"]] if "value" in leaf else [])
                    self.assertLessEqual(not wanted, leaf["operator"] in ("exists", "not_exists", "in", "not_in"))
                    if leaf["operator"] in generate.SEMVER_OPERATORS:
                        self.assertTrue(all(evaluate.version(w) for w in wanted))
                    if leaf["operator"] in ("before", "after"):
                        self.assertTrue(all(evaluate.instant(w) for w in wanted))
                    if leaf["operator"] in generate.TEXT_OPERATORS + ["matches", "ip_in"]:
                        self.assertTrue(all(isinstance(w, str) for w in wanted))

    def test_stored_contexts_have_no_cycle_and_nothing_dangles(self):
        diamonds = 0
        for document, _ in self.jobs:
            stored = {c["key"]: c["prototypes"] for c in document["environments"][0]["contexts"]}

            def paths(key, seen=()):
                self.assertNotIn(key, seen)
                yield key
                for prototype in stored[key]:
                    self.assertNotIn(prototype, ("override", "default"))
                    yield from paths(prototype, seen + (key,))
            for key in stored:
                reached = list(paths(key))
                diamonds += len(reached) > len(set(reached))
        self.assertGreater(diamonds, 100)

    def test_everything_is_reached(self):
        reasons = collections.Counter()
        generate.Watched.counts.clear()
        for document, contexts in self.jobs:
            evaluator = generate.Watched(document, "prod", generate.NOWS[0])
            for context in contexts:
                reasons.update(answer["reason"] for answer in evaluator.evaluate(context).values())
        for reason in "OVERRIDE DISABLED CONTEXT TARGETING_MATCH SPLIT DEFAULT STATIC".split():
            self.assertGreater(reasons[reason], 500, reason)
        for operator, answer in itertools.product(generate.OPERATORS, (True, False)):
            self.assertGreater(generate.Watched.counts["operator"][operator, answer], 20, operator)
        for operator, answer in itertools.product(flagr.FLAGR_OPERATORS, (True, False)):
            self.assertGreater(generate.Watched.counts["operator"]["flagr " + operator, answer], 0, operator)

    def test_one_seed_gives_one_document(self):
        first, second = (json.dumps(generate.Generator(3).document(0)) for _ in range(2))
        self.assertEqual(first, second)


if __name__ == "__main__":
    unittest.main()

"""The evaluator against the golden vectors in tests/spec and the worked examples of featuresd.md §3.9.

Run: python3 -m unittest discover -s tests/reference -p 'test_*.py'
"""

import json
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import evaluate  # noqa: E402
import flagr  # noqa: E402

NOW = "2026-01-02T03:04:05.678Z"


def vectors(name):
    return json.loads((HERE.parent / "spec" / f"{name}.json").read_text(encoding="utf-8"))


NATIVE, FEATUREHUB, FLAGR = vectors("native"), vectors("featurehub"), vectors("flagr")


def site(features, contexts=(), segments=()):
    return {"version": 1, "site": {"slug": "s", "name": "S"}, "segments": list(segments),
            "environments": [{"name": "prod", "features": features, "contexts": list(contexts)}]}


def one(feature, context, **kwargs):
    answer = evaluate.Evaluator(site([feature], **kwargs), "prod", NOW).evaluate(context)
    return answer[feature["key"]]


def holds(condition, context, **kwargs):
    return evaluate.Evaluator(site([], **kwargs), "prod", NOW).holds(condition, context)


class Native(unittest.TestCase):
    def test_buckets(self):
        for row in NATIVE["buckets"]:
            self.assertEqual(evaluate.sha256_buckets(row["salt"], row["key"], row["feature"]),
                             (row["rollout"], row["split"]), row)

    def test_buckets_decide_at_their_edge(self):
        """In at percentage > bucket, out at percentage = bucket."""
        for row in NATIVE["buckets"]:
            if not row["key"]:
                continue
            for step, included in ((0, False), (1, True)):
                feature = {"key": row["feature"], "type": "BOOLEAN", "defaultValue": False, "rules": [
                    {"name": "r", "outcome": {"value": True},
                     "rollout": {"percentage": (row["rollout"] + step) / 100, "salt": row["salt"]}}]}
                self.assertEqual(one(feature, {"userId": row["key"]})["value"], included, row)

    def test_split_uses_the_second_bucket(self):
        for row in NATIVE["buckets"]:
            if not row["key"] or row["salt"]:
                continue
            edge = row["split"] + 1
            feature = {"key": row["feature"], "type": "STRING", "variants": [{"key": "a", "value": "A"},
                                                                             {"key": "b", "value": "B"}],
                       "rules": [{"name": "r", "outcome": {"split": [
                           {"variant": "b", "weight": edge / 100},
                           {"variant": "a", "weight": (10_000 - edge) / 100}]}}]}
            self.assertEqual(one(feature, {"userId": row["key"]})["variant"], "b")
            feature["rules"][0]["outcome"]["split"][0]["weight"] = (edge - 1) / 100
            feature["rules"][0]["outcome"]["split"][1]["weight"] = (10_001 - edge) / 100
            self.assertEqual(one(feature, {"userId": row["key"]})["variant"], "a")

    def test_ten_percent_of_100000(self):
        users = (evaluate.sha256_buckets("", f"user-{i}", "gradual_rollout")[0] for i in range(100_000))
        self.assertEqual(sum(bucket < 1000 for bucket in users),
                         NATIVE["of_100000_users_user-0..user-99999_in_10_percent_of_gradual_rollout"])


class FeatureHub(unittest.TestCase):
    """The tables of featurehub.md §12 read backwards, with strict leaves."""

    NAMES = {
        "EQUALS": "equals", "NOT_EQUALS": "not_equals", "INCLUDES": "contains", "EXCLUDES": "not_contains",
        "STARTS_WITH": "starts_with", "ENDS_WITH": "ends_with", "GREATER": "greater_than",
        "GREATER_EQUALS": "greater_or_equal", "LESS": "less_than", "LESS_EQUALS": "less_or_equal"}
    SEMVER = {"EQUALS": "semver_eq", "GREATER": "semver_gt", "GREATER_EQUALS": "semver_gte",
              "LESS": "semver_lt", "LESS_EQUALS": "semver_lte", "INCLUDES": "semver_eq"}

    def leaf(self, kind, conditional, values, name="x"):
        """The native leaf that says the same, or None where native words have no such test on text."""
        operator = None
        texts = [v if isinstance(v, str) else json.dumps(v) for v in values]
        if conditional == "REGEX" and kind != "SEMANTIC_VERSION":
            return {"attribute": name, "operator": "matches", "values": [rf"^(?:{text})$" for text in texts]}
        if kind == "NUMBER" and conditional in ("STARTS_WITH", "ENDS_WITH"):
            operator, values = self.NAMES[conditional], texts
        elif kind == "NUMBER":
            values = [json.loads(v) if isinstance(v, str) else v for v in values]
            operator = self.NAMES[{"INCLUDES": "EQUALS", "EXCLUDES": "NOT_EQUALS"}.get(conditional, conditional)]
        elif kind == "STRING":
            operator, values = self.NAMES[conditional], texts
        elif kind == "SEMANTIC_VERSION":
            operator = self.SEMVER.get(conditional)
        elif kind in ("DATE", "DATETIME"):
            operator = {"GREATER": "after", "LESS": "before", "STARTS_WITH": "starts_with",
                        "ENDS_WITH": "ends_with"}.get(conditional)
        elif kind == "IP_ADDRESS":
            operator = {"EQUALS": "ip_in", "INCLUDES": "ip_in"}.get(conditional)
        return operator and {"attribute": name, "operator": operator, "values": values, "strict": True}

    def test_buckets(self):
        for row in FEATUREHUB["percentage"]:
            self.assertEqual(evaluate.murmur3_bucket(row["key"], row["id"]), row["bucket"], row)

    def test_matchers(self):
        tested = 0
        for row in FEATUREHUB["matchers"]:
            leaf = self.leaf(row["type"], row["conditional"], row["values"])
            if leaf:
                tested += 1
                self.assertEqual(holds(leaf, {"x": row["supplied"]}), row["expect"], row)
        self.assertGreater(tested, 130)

    def test_apply(self):
        tested = 0
        for row in FEATUREHUB["apply"]:
            if row["name"] == "list-valued attribute with NOT_EQUALS, any value may match":
                continue  # natively every element must differ (§12, last list)
            attributes = dict(row["context"])
            context = {name: values[0] if len(values) == 1 else values for name, values in attributes.items()}
            target = (attributes.get("session") or attributes.get("userkey") or [None])[0]
            context["userId"] = target
            rules = []
            for strategy in row["strategies"]:
                percentage = strategy.get("percentage")
                rule = {"name": strategy["id"], "outcome": {"value": strategy["value"]}}
                if strategy["attributes"]:
                    rule["when"] = {"all": [self.leaf(a["type"], a["conditional"], a["values"], a["fieldName"])
                                            for a in strategy["attributes"]]}
                if percentage:  # 0 beside attributes is FeatureHub's way to write none at all
                    rule["rollout"] = {"percentage": percentage / 10_000}
                    if strategy.get("percentageAttributes"):
                        rule["rollout"]["by"] = strategy["percentageAttributes"]
                rules.append(rule)
            feature = {"key": "f", "type": "STRING", "defaultValue": "own", "bucketing": "murmur3",
                       "bucketingId": row["featureId"], "rules": rules}
            self.assertEqual(one(feature, context)["rule"], row["expect"], row["name"])
            tested += 1
        self.assertEqual(tested, len(FEATUREHUB["apply"]) - 1)

    def test_split_without_conditions_is_consecutive_bands(self):
        def pick(bucket_user, rules):
            feature = {"key": "f", "type": "STRING", "bucketing": "murmur3", "bucketingId": ID, "rules": rules,
                       "variants": [{"key": k, "value": k} for k in "abc"]}
            answer = one(feature, {"userId": bucket_user, "plan": "pro"})
            return answer["variant"] or answer["value"]
        ID = "6b1f3c52-0d3e-4b8e-9a51-2f0c6f2b7a10"  # fred 218878, mary 551984, Zoë 521043, a 665732
        split = {"name": "s", "outcome": {"split": [{"variant": "a", "weight": 30}, {"variant": "b", "weight": 20},
                                                    {"variant": "c", "weight": 50}]}}
        self.assertEqual([pick(u, [split]) for u in ("fred", "mary", "a")], ["a", "c", "c"])
        before = {"name": "p", "rollout": {"percentage": 10}, "outcome": {"value": "first"}}
        self.assertEqual([pick(u, [before, split]) for u in ("fred", "mary", "a")], ["a", "b", "c"])
        within = {"attribute": "plan", "operator": "equals", "value": "pro"}
        self.assertEqual([pick(u, [before, {**split, "when": within}]) for u in ("fred", "mary", "a")],
                         ["a", "c", "c"])


class Flagr(unittest.TestCase):
    def feature(self, flag, segments):
        """flagr.md §12: a flag as a feature. Segments by rank, then id; variants by number."""
        arms = [d for s in segments for d in s["distributions"]]
        variants = {d["variantID"]: d["variantKey"] for d in arms}
        rules = []
        for segment in sorted(segments, key=lambda s: (s["rank"], s["id"])):
            split = [{"variant": d["variantKey"], "weight": d["percent"]} for d in segment["distributions"]]
            rule = {"name": str(segment["id"]), "outcome": {"split": split} if split else {"value": ""},
                    "rollout": {"percentage": segment["rolloutPercent"], "otherwise": "stop"}}
            if segment["constraints"]:
                rule["when"] = {"all": [{"flagr": c} for c in segment["constraints"]]}
            rules.append(rule)
        return {"key": "f", "type": "STRING", "defaultValue": "", "bucketing": "crc32", "bucketingId": str(flag),
                "variants": [{"key": variants[n], "value": variants[n]} for n in sorted(variants)], "rules": rules}

    def distribution(self, row, sent="distributions"):
        return self.feature(row["flagID"], [{"id": 1, "rank": 0, "rolloutPercent": row["rolloutPercent"],
                                             "constraints": [], "distributions": row[sent]}])

    def test_hash(self):
        for row in FLAGR["hash"]:
            self.assertEqual(evaluate.crc32_bucket(row["flagID"], row["entityID"]), row["bucket"], row)
        for note in FLAGR["hash_notes"]:
            for row in note["pairs"]:
                self.assertEqual(evaluate.crc32_bucket(row["flagID"], row["entityID"]), row["bucket"], row)

    def test_bucket_lookup(self):
        for row in FLAGR["bucket_lookup"]:
            weights = [percent * 10_000 for percent in row["percents"]]
            self.assertEqual(evaluate.by_crc32(row["bucket"], weights, evaluate.ALL), row["index"], row)

    def test_rollout_rule(self):
        for row in FLAGR["rollout_rule"]:
            weights = [row["low"] * 1000, (row["high"] - row["low"]) * 1000]
            arm = evaluate.by_crc32(row["bucket"], weights, row["rolloutPercent"] * 10_000)
            self.assertEqual(arm == 1, row["in"], row)

    def test_distributions(self):
        for row in FLAGR["distribution"]:
            feature = self.distribution(row)
            for entity, expected in row["expect"].items():
                if entity:
                    self.assertEqual(one(feature, {"userId": entity})["variant"], expected, (row["name"], entity))

    def test_distribution_order(self):
        row = FLAGR["distribution_order"]
        feature = self.distribution(row, "distributions_sent")
        for entity, expected in row["expect"].items():
            self.assertEqual(one(feature, {"userId": entity})["variant"], expected, entity)

    def test_distribution_counts(self):
        for row in FLAGR["distribution_counts"]:
            counts = {}
            evaluator = evaluate.Evaluator(site([self.distribution(row)]))
            for i in range(10_000):
                variant = evaluator.evaluate({"userId": f"user-{i}"})["f"]["variant"] or ""
                counts[variant] = counts.get(variant, 0) + 1
            self.assertEqual(counts, row["counts"], row["name"])

    def test_constraints(self):
        for row in FLAGR["constraints"]:
            try:
                outcome = "match" if flagr.flagr_constraint(row, row["context"]) else "no-match"
            except flagr.FlagrError:
                outcome = "error"
            self.assertEqual(outcome, row["outcome"], row)

    def test_constraint_leaves_in_a_rule(self):
        for row in FLAGR["constraints"]:
            if isinstance(row["context"], dict):
                constraint = {name: row[name] for name in ("property", "operator", "value")}
                self.assertEqual(holds({"flagr": constraint}, row["context"]), row["outcome"] == "match", row)

    def test_constraint_sets(self):
        for row in FLAGR["constraint_sets"]:
            condition = {"all": [{"flagr": c} for c in row["constraints"]]}
            self.assertEqual(holds(condition, row["context"]), row["outcome"] == "match", row)

    def test_constraints_that_do_not_parse(self):
        for row in FLAGR["constraint_syntax_invalid"]:
            with self.assertRaises(flagr.FlagrError, msg=row):
                flagr.flagr_parse(row["property"], row["operator"], row["value"])

    def test_segment_walk(self):
        for row in FLAGR["segment_walk"]:
            feature = self.feature(row["flagID"], row["segments"])
            answer = one(feature, {"userId": row["entity"]["entityID"], **row["entity"]["entityContext"]})
            self.assertEqual(answer["variant"], row["expect"]["variantKey"], row["name"])
            if answer["variant"]:
                self.assertEqual(answer["rule"], str(row["expect"]["segmentID"]), row["name"])


class StoredContexts(unittest.TestCase):
    """featuresd.md §3.9. Row 7 is a refused write and has no evaluation."""

    FEATURES = [{"key": "banner", "type": "STRING", "defaultValue": "Welcome"},
                {"key": "beta_ui", "type": "BOOLEAN", "defaultValue": False},
                {"key": "seats", "type": "NUMBER", "defaultValue": 3},
                {"key": "ratio", "type": "NUMBER"}]
    CONTEXTS = {"override": ([], {}), "org-nordic": ([], {"seats": "50", "banner": "Hej"}),
                "pilots": ([], {"beta_ui": "yes", "banner": "Pilot"}),
                "team-blue": (["org-nordic"], {"ratio": "0.25"}),
                "mia": (["team-blue", "pilots"], {}), "mia-phone": (["mia"], {"banner": ""})}

    def evaluator(self, **changes):
        contexts = {**self.CONTEXTS, **changes}
        return evaluate.Evaluator(site(self.FEATURES, [{"key": key, "prototypes": prototypes, "features": features}
                                                       for key, (prototypes, features) in contexts.items()]))

    def check(self, evaluator, context, order, values):
        answer = evaluator.evaluate(context)
        self.assertEqual(evaluator.chain(context), order)
        self.assertEqual([answer[f["key"]]["value"] for f in self.FEATURES], values)
        return [answer[f["key"]]["reason"] for f in self.FEATURES]

    MIA = ["mia", "team-blue", "org-nordic", "pilots"]

    def test_1_prototypes_in_pre_order(self):
        reasons = self.check(self.evaluator(), {"userId": "mia"}, self.MIA, ["Hej", True, 50, 0.25])
        self.assertEqual(reasons, ["CONTEXT"] * 4)

    def test_2_an_empty_text_is_an_entry(self):
        self.check(self.evaluator(), {"userId": "mia-phone"}, ["mia-phone"] + self.MIA, ["", True, 50, 0.25])

    def test_3_override_wins(self):
        evaluator = self.evaluator(override=([], {"beta_ui": "no"}))
        reasons = self.check(evaluator, {"contextKey": "mia", "userId": "x"}, self.MIA, ["Hej", False, 50, 0.25])
        self.assertEqual(reasons, ["CONTEXT", "OVERRIDE", "CONTEXT", "CONTEXT"])

    def test_4_list_order_counts(self):
        self.check(self.evaluator(mia=(["pilots", "team-blue"], {})), {"userId": "mia"},
                   ["mia", "pilots", "team-blue", "org-nordic"], ["Pilot", True, 50, 0.25])

    def test_5_a_key_that_is_not_stored(self):
        reasons = self.check(self.evaluator(), {"userId": "nobody"}, [], ["Welcome", False, 3, None])
        self.assertEqual(reasons, ["STATIC"] * 4)

    def test_6_virtual_prototypes(self):
        self.check(self.evaluator(), {"userId": "nobody", "contextPrototypes": ["pilots"]}, ["pilots"],
                   ["Pilot", True, 3, None])
        self.check(self.evaluator(), {"userId": "mia", "contextPrototypes": ["pilots", "mia-phone"]},
                   self.MIA + ["mia-phone"], ["Hej", True, 50, 0.25])

    def test_8_and_9_the_special_contexts_by_name(self):
        for key in ("default", "override"):
            self.check(self.evaluator(), {"userId": key}, [], ["Welcome", False, 3, None])

    def test_10_a_diamond(self):
        evaluator = self.evaluator(A=(["B", "C"], {}), B=(["D"], {}), C=(["D"], {"banner": "C"}),
                                   D=([], {"banner": "D"}))
        self.check(evaluator, {"userId": "A"}, ["A", "B", "D", "C"], ["D", False, 3, None])

    def test_a_cycle_from_elsewhere_ends(self):
        evaluator = self.evaluator(A=(["B"], {}), B=(["A", "pilots", "gone"], {}))
        self.assertEqual(evaluator.chain({"userId": "A"}), ["A", "B", "pilots"])


class Conditions(unittest.TestCase):
    """Each row: leaf, attribute's value (or MISSING), expected."""

    MISSING = object()

    def rows(self, rows):
        for operator, want, have, expected, *more in rows:
            leaf = {"attribute": "x", "operator": operator, **(more[0] if more else {})}
            if want is not None:
                leaf["values" if isinstance(want, list) else "value"] = want
            context = {} if have is self.MISSING else {"x": have}
            self.assertEqual(holds(leaf, context), expected, (leaf, have))

    def test_typed_comparison(self):
        self.rows([
            ("equals", 30, "30", True), ("equals", "30", 30, True), ("equals", 30, "30.0", True),
            ("equals", "30", "30.0", False), ("equals", 30, "030", False), ("equals", 30, " 30", False),
            ("equals", 1, True, False), ("equals", True, "true", False), ("equals", True, True, True),
            ("equals", 9007199254740993, 9007199254740992, False), ("greater_than", "b", "c", True),
            ("greater_than", 5, "10", True), ("greater_than", "5", "10", False), ("less_than", "\uff61", "😀", False),
            ("in", [1, "SE"], "1", True), ("contains", "1", 151, False), ("semver_gt", "150", 151, False)])

    def test_missing_null_and_lists(self):
        missing = self.MISSING
        strict = {"strict": True}
        self.rows([
            ("equals", "a", missing, False), ("not_equals", "a", missing, True), ("not_equals", "a", None, True),
            ("not_equals", "a", missing, False, strict), ("not_equals", "a", None, False, strict),
            ("not_equals", "a", 5, True), ("not_equals", "a", 5, False, strict), ("not_in", ["a"], "b", True, strict),
            ("equals", "a", ["b", "a"], True), ("not_equals", "a", ["b", "a"], False), ("not_equals", "a", [], True),
            ("not_equals", "a", [], False, strict), ("not_equals", "a", ["b", 5], False, strict),
            ("not_in", [5, "a"], ["b", 6], True, strict), ("not_contains", "a", ["b", None], False, strict),
            ("exists", None, missing, False), ("exists", None, None, False), ("exists", None, [], True),
            ("exists", None, False, True), ("not_exists", None, None, True), ("not_exists", None, "", False)])

    def test_versions(self):
        order = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
                 "1.0.0-rc.1", "1.0.0", "1.0.0.1", "1.0.1", "143.1.87.77", "143.1.87.78", "143.1.88"]
        for low, high in zip(order, order[1:]):
            self.rows([("semver_lt", high, low, True), ("semver_gte", high, low, False),
                       ("semver_gt", low, high, True), ("semver_eq", low, high, False)])
        self.rows([("semver_eq", "1", "1.0.0.0.0.0", True), ("semver_eq", "1.0.0+a", "1.0.0+b", True),
                   ("semver_eq", "1", "1.0.0.0.0.0.0", False), ("semver_lte", "9", "v1", False)])

    def test_times(self):
        self.rows([("before", "2026-01-02", "2026-01-01T23:59:59.999999999Z", True),
                   ("before", "2026-01-02", "2026-01-02T00:00:00Z", False),
                   ("before", "2026-01-02T00:00:00Z", "2026-01-02T00:30:00+01:00", True),
                   ("after", "2026-01-02T00:00:00Z", "2026-01-01T23:30:00-01:00", True),
                   ("after", "2026-01-01", "2026-02-30T00:00:00Z", False),
                   ("after", "2026-01-01", "2026-01-02T00:00:00", False)])
        leaf = {"attribute": "now", "operator": "after", "value": "2026-01-02T03:04:05.677Z"}
        self.assertTrue(holds(leaf, {}))
        self.assertFalse(holds({**leaf, "value": NOW}, {}))
        self.assertFalse(holds(leaf, {"now": "2025-01-01"}))

    def test_paths(self):
        leaf = {"attribute": "a.b.c", "operator": "equals", "value": 1}
        for context, expected in (({"a.b.c": 1}, True), ({"a": {"b.c": 1}}, True), ({"a": {"b": {"c": 1}}}, True),
                                  ({"a.b": {"c": 1}}, False), ({"a.b.c": 2, "a": {"b": {"c": 1}}}, False),
                                  ({"a": {"b.c": None, "b": {"c": 1}}}, False), ({"a": [{"b": {"c": 1}}]}, False)):
            self.assertEqual(holds(leaf, context), expected, context)

    def test_addresses(self):
        self.rows([("ip_in", "10.2.3.4/24", "10.2.3.9", True), ("ip_in", "10.0.0.0/8", "11.0.0.1", False),
                   ("ip_in", "::/0", "10.0.0.1", False), ("ip_in", "2001:db8::/32", "2001:DB8::1", True)])


class Keys(unittest.TestCase):
    def test_texts(self):
        for value, text in ((17, "17"), (17.0, "17"), (1e2, "100"), (1.5, "1.5"), (-3, "-3"), (-0.0, "0"),
                            (0.00001, "0.00001"), (1e-7, "1e-7"), (1e21, "1e+21"), (9007199254740993,
                            "9007199254740993"), (True, "true"), (False, "false"), ("x", "x"), ("", None),
                            (None, None), ([], None), (["a"], None), ({}, None)):
            self.assertEqual(evaluate.key_text(value), text)

    def test_murmur3_lists_and_missing(self):
        by = {"by": ["company", "country"]}
        for context, text in (({}, "<none>$<none>"), ({"company": "acme"}, "acme$<none>"),
                              ({"company": ["a", 17.0], "country": "nz"}, "a$17$nz"),
                              ({"company": [], "country": ""}, "<none>$<none>")):
            self.assertEqual(evaluate.bucketing_key("murmur3", by, context), text)
        self.assertIsNone(evaluate.bucketing_key("murmur3", {}, {}))
        self.assertIsNone(evaluate.bucketing_key("sha256", {"by": "company"}, {"userId": "u"}))


if __name__ == "__main__":
    unittest.main()

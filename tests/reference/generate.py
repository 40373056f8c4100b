"""Random valid site documents with adversarial contexts, as JSON Lines for evaluate.py and for the Rust engine.

    python3 generate.py --seed 1 --documents 200 --contexts 50 > jobs.jsonl

Values come from small pools, so that conditions really hold. What was reached is reported on stderr.
Left out on purpose, since the specification does not decide them: see README.md.
"""

import argparse
import collections
import json
import random
import sys
import uuid

import evaluate

NOWS = ["2026-01-02T03:04:05.678Z", "2026-01-02T00:00:00Z", "2025-12-31T23:59:59.999Z", "2030-06-01T12:00:00.000Z"]
TIMES = ["2026-01-02T03:04:05.678Z", "2026-01-02T04:04:05.678+01:00", "2026-01-02", "2026-01-02T00:00:00Z",
         "2026-01-01T23:30:00-00:30", "2025-12-31T23:59:59.999999999Z", "2024-02-29", "2027-01-01T00:00:00.5Z"]
VERSIONS = ["1.2.3", "1.2.4", "2", "2.0.0", "2.0.0-rc.2", "2.0.0-rc.11", "2.0.0-alpha", "2.0.0-alpha.beta",
            "2.0.0-1", "2.0.0+build.5", "10.0.0", "143.1.87.77", "143.1.87.78", "143.1.88", "151", "1.2.3.4.5.6", "0", "22.04", "22.4.1"]
NETWORKS = ["10.0.0.0/8", "10.2.3.4/24", "192.168.4.7", "192.168.4.7/32", "172.16.0.0/12", "0.0.0.0/0",
            "2001:db8::/32", "::1", "::/0", "::ffff:10.0.0.0/104"]
PATTERNS = [r"^u[0-9]+$", r"premium|gold", r"@shop\.example$", r"^(mia|bo)", r"[a-c]{2,3}", r"é|ë", r"pro-?plus",
            r"^$", r".*", r"x+y", r"^\d+$", r"(?i)PRE", r"e.m", r"^[^@]+@", r"\.", r"^.$", r"日"]

# attribute → what contexts hold. The first values are the ordinary ones, which rules also compare with.
POOLS = {
    "country": (["SE", "NO", "DK", "DE"], ["se", "S", "", 5, True]),
    "plan": (["free", "pro", "premium", "pro-plus"], ["Premium", "PRO", "pre", "gold"]),
    "email": (["mia@shop.example", "bo@shop.example", "x@other.test", "staff+1@shop.example"],
              ["Bo@Shop.Example", "@shop.example", "shop.example"]),
    "name": (["Zoë", "日本", "a", "b", "abc", "😀"],
             ["zoë", "ZOË", "\uff61", "line 1\nline 2", "a\\db", "B", "", " "]),
    "age": ([17, 18, 30, 65, 18.5], [18.0, "18", "30", "30.0", "3e1", "030", " 30", "+30", "9", "100",
                                     "abc", -1, 0, True, 9007199254740992, 9007199254740993, "9007199254740993",
                                     18446744073709551615, -9223372036854775808, 1e300, "1e400"]),
    "score": ([0.1, 0.25, 1.5, 2, 9007199254740993], [2.0, "0.1", "1.50", "1.5", 0.3, 0.30000000000000004, -0.25,
                                                      9007199254740992, 9007199254740994]),
    "beta": ([True, False], ["true", "false", "yes", 0, 1]),
    "appVersion": (VERSIONS, ["2.0.0-rc.1", "2.0.0-rc.01", "v1.2.3", "1.2.3.4.5.6.7", "1..2", "", "abc", "2.0.0-",
                              " 1.2.3", 2, 151, 1.2]),
    "signup": (TIMES, ["2026-02-30T00:00:00Z", "2026-01-02t03:04:05.678z", "2026-01-02T03:04:05", "yesterday",
                       "2026-13-01", "2026-01-02T25:00:00Z", 1767323045, ""]),
    "ip": (["10.2.3.9", "10.255.1.1", "192.168.4.7", "172.32.0.0", "2001:db8::1", "::1"],
           ["2001:DB8:0::1", "::ffff:10.0.0.1", "256.1.1.1", "junk", "", "10.0.0.0/8", 10]),
    "tags": (["beta", "gold", "new", "staff"], ["Gold", "be"]),
    "user.plan": (["free", "pro", "premium"], ["Pro", 5]),
    "user.address.city": (["Oslo", "Umeå", "Zürich"], ["oslo", "UMEÅ", ""]),
    "org.id": (["acme", "globex", 17], [17.0, "17", True]),
}
COMPANIES = ["acme", "globex", "c1", "c2", "c3", "c4", 17, 17.0, "17", 1.5, True, "", None, ["acme", "nz"],
             ["a", 17.0, True], [], {"id": 1}, "日本-7"]
CONTEXT_KEYS = ["mia", "bo", "team:blue", "org-nordic", "pilots", "17", "true", "u1", "u2", "u3", "1.5", "Ann@x~y"]
ODD_USERS = [17, 17.0, "17", 1.5, True, False, "", None, [], ["u1"], {}, {"id": "u1"}, "ö", "日本-7", "😀", " ", -3, 0,
             9007199254740993, "default", "override", "MIA"]
FEATURE_KEYS = ["new_checkout", "manage/plugins", "a.b:c", "x", "läge".replace("ä", "a"), "Group.1/flag_1", "banner",
                "seats", "ratio", "theme", "limit-2", "config", "dark_mode", "promo", "search", "beta_ui"]
VALUES = {
    "BOOLEAN": [True, False],
    "STRING": ["", "a", "b", "Hej", "日本", "yes", "8", "null", "a \"b\" \\ \n"],
    "NUMBER": [0, 1, -1, 8, 1.5, 0.1, 1e-7, 1e22, 9007199254740993, 18446744073709551615,
               123456789012345678901234567890],
    "JSON": [{"a": 1}, [], {}, [1, "x", None], "text", "", 5, False, {"n": {"m": [1.5, True]}}, {"é": "ü"}],
}
TEXT_OPERATORS = ["contains", "not_contains", "starts_with", "ends_with"]
ORDER_OPERATORS = ["greater_than", "greater_or_equal", "less_than", "less_or_equal"]
SET_OPERATORS = ["equals", "not_equals", "in", "not_in"]
SEMVER_OPERATORS = ["semver_eq", "semver_gt", "semver_gte", "semver_lt", "semver_lte"]
OPERATORS = (TEXT_OPERATORS + ORDER_OPERATORS + SET_OPERATORS + SEMVER_OPERATORS
             + ["matches", "exists", "not_exists", "before", "after", "ip_in"])
FITTING = {  # attribute → operators that suit it; anything else gets them now and then too
    "age": SET_OPERATORS + ORDER_OPERATORS, "score": SET_OPERATORS + ORDER_OPERATORS,
    "beta": SET_OPERATORS, "appVersion": SEMVER_OPERATORS, "signup": ["before", "after"], "now": ["before", "after"],
    "ip": ["ip_in"], "userId": SET_OPERATORS + ["starts_with", "matches"]}
TEXTUAL = TEXT_OPERATORS + SET_OPERATORS + ORDER_OPERATORS + ["matches"]


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def chance(self, p):
        return self.r.random() < p

    # -- conditions

    def leaf(self):
        r = self.r
        attribute = r.choice(list(POOLS) + ["appVersion", "appVersion", "tags", "userId", "now", "companyId", "nosuch"])
        operators = FITTING.get(attribute, TEXTUAL)
        operator = r.choice(OPERATORS if self.chance(0.12) else operators)
        if self.chance(0.06):
            operator = r.choice(["exists", "not_exists"])
        leaf = {"attribute": attribute, "operator": operator}
        if operator in ("exists", "not_exists"):
            if self.chance(0.25):
                leaf["strict"] = True
            return leaf
        wanted = [self.operand(attribute, operator) for _ in range(r.choice([1, 1, 1, 2, 3]))]
        if operator in ("in", "not_in") and self.chance(0.04):
            wanted = []
        if len(wanted) > 1 or operator in ("in", "not_in") or self.chance(0.1):
            leaf["values"] = wanted
        else:
            leaf["value"] = wanted[0]
        if operator in SET_OPERATORS + TEXT_OPERATORS + ORDER_OPERATORS + ["matches"]:
            if self.chance(0.2):
                leaf["ignoreCase"] = self.chance(0.85)
        if self.chance(0.25):
            leaf["strict"] = self.chance(0.9)
        return leaf

    def operand(self, attribute, operator):
        r = self.r
        if operator in SEMVER_OPERATORS:
            return r.choice(VERSIONS)
        if operator in ("before", "after"):
            return r.choice(TIMES)
        if operator == "ip_in":
            return r.choice(NETWORKS)
        if operator == "matches":
            return r.choice(PATTERNS)
        ordinary, odd = POOLS.get(attribute, (["u1", "u2", "acme"], [17, "17", True]))
        value = r.choice(odd if self.chance(0.25) else ordinary)
        if operator in TEXT_OPERATORS:
            value = value if isinstance(value, str) and value else r.choice(["pro", "a", "shop", "S", "ë", "be"])
            cut = r.randrange(len(value))
            return {"starts_with": value[:cut + 1], "ends_with": value[cut:]}.get(operator, value[cut:cut + 3])
        if operator in ORDER_OPERATORS and isinstance(value, bool):
            return 1
        return value

    def condition(self, depth, segments):
        r = self.r
        if depth <= 1 or self.chance(0.3):
            if segments and self.chance(0.15):
                return {"segment": r.choice(segments)}
            return self.leaf()
        kind = r.choice(["all", "all", "any", "any", "any", "not"])
        if kind == "not":
            return {"not": self.condition(depth - 1, segments)}
        size = r.choice([1, 2, 2, 3] if kind == "all" else [1, 2, 3, 4])
        if self.chance(0.04):
            size = 0
        return {kind: [self.condition(depth - 1, segments) for _ in range(size)]}

    def rule_condition(self, segments, known):
        while True:
            condition = self.condition(self.r.choice([1, 2, 2, 3, 3, 4, 5]), segments)
            depth, leaves = measure(condition, known)
            if depth <= 8 and leaves <= 500:
                return condition

    def make_segments(self):
        keys = [f"seg-{i}" for i in range(self.r.randrange(5))]
        self.r.shuffle(keys)
        known = {}
        for key in keys:  # each may use those made before it, so there is no cycle
            while True:
                condition = self.condition(self.r.choice([1, 2, 3]), list(known))
                if measure(condition, known)[0] <= 4:
                    break
            known[key] = condition
        return known

    # -- features

    def weights(self, count, step):
        """`count` weights that add up to exactly 100; step 1: two decimals, step 100: whole."""
        units = 10_000 // step
        cuts = sorted(self.r.choice([0, units, self.r.randint(0, units), self.r.randint(0, units)])
                      for _ in range(count - 1))
        parts = [(b - a) * step for a, b in zip([0] + cuts, cuts + [units])]
        assert sum(parts) == 10_000
        return [part // 100 if part % 100 == 0 else part / 100 for part in parts]

    def percentage(self, feature, salt=""):
        r, scheme = self.r, feature["bucketing"]
        if self.chance(0.25) and scheme != "crc32":  # just where some user is in or out
            user, step = f"u{r.randrange(40)}", r.choice([0, 0, 1])
            if scheme == "sha256":
                return (evaluate.sha256_buckets(salt, user, feature["key"])[0] + step) / 100
            return max(evaluate.murmur3_bucket(user, feature["bucketingId"]) - step, 0) / 10_000
        digits = {"sha256": 2, "murmur3": 4, "crc32": 0}[scheme]
        edge = {"sha256": [0.01, 99.99, 25.5], "murmur3": [0.0001, 99.9999, 12.3456], "crc32": [1, 99, 33]}[scheme]
        whole = r.choice([0, 100, 50, 50, 20, 80, *edge])
        free = r.randint(0, 100 * 10 ** digits) / 10 ** digits if digits else r.randint(0, 100)
        return r.choice([whole, whole, free])

    def rollout(self, scheme, feature):
        r = self.r
        salt = r.choice(["", "s1", "ä$", "2026"]) if scheme == "sha256" and self.chance(0.35) else None
        rollout = {"percentage": self.percentage(feature, salt or "")}
        if salt is not None:
            rollout["salt"] = salt
        if self.chance(0.35):
            names = ["companyId", "userId", "org.id", "nosuch"] if scheme == "murmur3" else ["companyId", "org.id"]
            rollout["by"] = r.choice(names)
            if scheme == "murmur3" and self.chance(0.6):
                rollout["by"] = r.sample(names, r.choice([1, 2, 2, 3]))
        if scheme == "crc32":
            if self.chance(0.5):
                rollout["otherwise"] = r.choice(["next", "next", "stop"])
        elif self.chance(0.15):
            rollout["otherwise"] = "stop"
        return rollout

    def split(self, feature, several):
        r = self.r
        keys = [v["key"] for v in feature["variants"]]
        count = 1 if not several else r.randint(1, len(keys))
        arms = r.sample(keys, count)
        weights = self.weights(count, 100 if feature["bucketing"] == "crc32" else 1)
        if count == 2 and feature["bucketing"] == "sha256" and self.chance(0.4):  # an edge at some user's bucket
            edge = evaluate.sha256_buckets("", f"u{r.randrange(40)}", feature["key"])[1] + r.choice([0, 1])
            weights = [edge / 100, (10_000 - edge) / 100]
        if count == 2 and feature["bucketing"] == "crc32" and self.chance(0.6):  # a user at the start of a range
            buckets = [evaluate.crc32_bucket(feature["bucketingId"], f"u{n}") for n in range(40)]
            edge = r.choice([b // 10 for b in buckets if b % 10 == 0] or [50])
            arms.sort(key=keys.index)
            weights = [edge, 100 - edge]
        return [{"variant": key, "weight": weight} for key, weight in zip(arms, weights)]

    def feature(self, key, segments, known):
        r = self.r
        kind = r.choice(["BOOLEAN", "STRING", "NUMBER", "JSON"])
        scheme = r.choice(["sha256", "sha256", "sha256", "murmur3", "murmur3", "crc32"])
        feature = {"key": key, "type": kind, "enabled": self.chance(0.88), "description": "", "tags": ["t"],
                   "bucketing": scheme, "variants": [], "rules": []}
        if not self.chance(0.1):
            feature["defaultValue"] = None if self.chance(0.05) else r.choice(VALUES[kind])
        self.identify(feature)
        names = r.sample(["on", "off", "blue", "control", "a.b/c:1", "Z"], r.choice([0, 2, 3, 4]))
        for name in names:
            variant = {"key": name, "value": r.choice(VALUES[kind])}
            if self.chance(0.2):
                variant["attachment"] = {"color": "teal"}
            feature["variants"].append(variant)
        pure = 0  # under murmur3 the rules without conditions take at most 100 percent together
        banded = scheme == "murmur3" and self.chance(0.4)  # mostly such rules
        for i in range(r.choice([0, 1, 1, 2, 3, 4, 6])):
            rule = {"name": f"r{i} {r.choice(['Ä', 'x', 'beta'])}"}
            if not self.chance(0.15):
                rule["priority"] = r.choice([50, 50, 10, 90, 1, 100, r.randint(1, 100)])
            if self.chance(0.15):
                rule["enabled"] = self.chance(0.2)
            if self.chance(0.15 if banded else 0.65):
                rule["when"] = self.rule_condition(segments, known)
            elif self.chance(0.1):
                rule["when"] = None
            if self.chance(0.85 if banded else 0.45):
                rule["rollout"] = self.rollout(scheme, feature)
                if scheme == "murmur3" and rule.get("when") is None and rule["rollout"]["percentage"] < 100:
                    share = evaluate.millionths(rule["rollout"]["percentage"])
                    share = min(share // r.choice([1, 1, 2, 3] if banded else [1]), evaluate.ALL - pure)
                    rule["rollout"]["percentage"] = share / 10_000
                    pure += share
            elif self.chance(0.05):
                rule["rollout"] = None
            if feature["variants"] and self.chance(0.5):
                below = (rule.get("rollout") or {}).get("percentage", 100) < 100
                rule["outcome"] = {"split": self.split(feature, not (scheme == "murmur3" and below))}
            else:
                rule["outcome"] = {"value": r.choice(VALUES[kind])}
            feature["rules"].append(rule)
        return feature

    def identify(self, feature):
        if feature["bucketing"] == "murmur3":
            feature["bucketingId"] = str(uuid.UUID(int=self.r.getrandbits(128), version=4))
        elif feature["bucketing"] == "crc32":
            self.flag_number += self.r.choice([1, 1, 7, 100])
            feature["bucketingId"] = str(self.flag_number)

    # -- flags as the Flagr door makes them (flagr.md §12)

    def constraint(self):
        r = self.r
        prop, operators, values = r.choice([
            ("age", ["EQ", "NEQ", "LT", "LTE", "GT", "GTE"], ["18", "30", "18.5", " 17 ", "1.8e1", "{score}", '"18"']),
            ("score", ["EQ", "NEQ", "LT", "GTE"], ["0.1", "0.3", "2", "{age}", "1.5000001"]),
            ("age", ["IN", "NOTIN"], ["[17,18]", "[ 30 , 65.0 ]", "{tags}"]),
            ("country", ["EQ", "NEQ"], ['"SE"', '"NO"', '"se"', "{plan}", "true"]),
            ("country", ["IN", "NOTIN"], ['["SE","NO"]', '["DK"]', '[1]', "{tags}"]),
            ("beta", ["EQ", "NEQ"], ["true", "FALSE", '"true"']),
            ("email", ["EREG", "NEREG"], [r'"@shop\.example$"', r'"^(mia|bo)@"', r'"(?i)SHOP"', '/^x/', r'"["']),
            ("tags", ["CONTAINS", "NOTCONTAINS"], ['"gold"', '"beta"', "5", '["gold"]', "{plan}"]),
            ("tags[0]", ["EQ", "NEQ"], ['"gold"', '"beta"']), ("tags[-1]", ["EQ"], ['"staff"', '"new"']),
            ("user.plan", ["EQ", "NEQ", "IN"], ['"pro"', '["pro","free"]', '"premium"']),
            ("name", ["EQ", "NEQ"], ['"Zoë"', r'"\u65e5\u672c"', r'"a\db"', '"a"'])])
        return {"flagr": {"property": prop, "operator": r.choice(operators), "value": r.choice(values)}}

    def flagr_feature(self, key):
        r = self.r
        names = r.sample(["on", "off", "blue", "control", "new"], r.choice([1, 2, 3, 4]))
        feature = {"key": key, "type": "STRING", "enabled": self.chance(0.92), "defaultValue": "", "bucketing": "crc32",
                   "variants": [{"key": name, "value": name, "attachment": {}} for name in names], "rules": []}
        self.identify(feature)
        for i in range(r.choice([0, 1, 2, 2, 3])):
            rule = {"name": f"segment {i}", "rollout": {"percentage": self.percentage(feature), "otherwise": "stop"},
                    "outcome": {"split": self.split(feature, True)} if self.chance(0.92) else {"value": ""}}
            if self.chance(0.8):
                rule["when"] = {"all": [self.constraint() for _ in range(r.choice([1, 1, 2, 3]))]}
            feature["rules"].append(rule)
        return feature

    # -- stored Contexts

    def stored(self, feature):
        """An entry, as text (the stored form) or as the natural JSON value."""
        value = self.r.choice(VALUES[feature["type"]])
        if feature["type"] == "STRING":
            return value
        if feature["type"] == "BOOLEAN":
            return self.r.choice([value, "yes" if value else "no", "true" if value else "false", "yes"])
        if feature["type"] == "JSON":
            return value if isinstance(value, (dict, list)) and self.chance(0.4) else json.dumps(value)
        return value if self.chance(0.3) else json.dumps(value)

    def contexts(self, features):
        r = self.r
        keys = r.sample(CONTEXT_KEYS, r.choice([0, 2, 4, 6, 9]))
        made = []
        for i, key in enumerate(keys):
            earlier = keys[:i]  # no cycles, many diamonds
            prototypes = r.sample(earlier, r.randint(0, min(3, len(earlier)))) if self.chance(0.8) else []
            chosen = [f for f in features if self.chance(0.2)]
            made.append({"key": key, "prototypes": prototypes, "features": {f["key"]: self.stored(f) for f in chosen}})
        if self.chance(0.4):
            chosen = r.sample(features, r.choice([0, 1, 1, 2]))
            made.append({"key": "override", "prototypes": [], "features": {f["key"]: self.stored(f) for f in chosen}})
        return sorted(made, key=lambda c: c["key"])

    def document(self, number):
        r = self.r
        self.flag_number = 0
        known = self.make_segments()
        keys = r.sample(FEATURE_KEYS, r.randint(4, 12))
        features = [self.flagr_feature(key) if self.chance(0.12) else self.feature(key, list(known), known)
                    for key in keys]
        return {"version": 1, "site": {"slug": f"site-{number}", "name": f"Site {number}", "description": ""},
                "segments": [{"key": key, "name": key, "conditions": known[key]} for key in sorted(known)],
                "environments": [{"name": "prod", "description": "", "tags": [], "status": "active",
                                  "features": features, "contexts": self.contexts(features)}]}

    # -- request contexts

    def value(self, name):
        r = self.r
        ordinary, odd = POOLS[name]
        one = lambda: r.choice(odd if self.chance(0.25) else ordinary)  # noqa: E731
        if name == "tags" and self.chance(0.8) or self.chance(0.1):
            items = [one() for _ in range(r.choice([0, 1, 2, 3]))]
            if self.chance(0.1):
                items.insert(0, r.choice([None, 5, True, "x", [one()], {"a": one()}]))
            return items
        return r.choice([None, {}, {"x": one()}]) if self.chance(0.05) else one()

    def put(self, context, path, value):
        """A dotted attribute as a flat member, as nested objects, or half of each."""
        head, dot, rest = path.partition(".")
        if not dot or self.chance(0.35):
            context[path] = value
        elif isinstance(context.setdefault(head, {}), dict):
            self.put(context[head], rest, value)

    def context(self):
        r = self.r
        context = {}
        if self.chance(0.93):
            pick = self.r.random()
            context["userId"] = (f"u{r.randrange(40)}" if pick < 0.62 else r.choice(CONTEXT_KEYS) if pick < 0.8
                                 else r.choice(ODD_USERS))
        if self.chance(0.75):
            context["companyId"] = r.choice(COMPANIES)
        for name in POOLS:
            if self.chance(0.75):
                self.put(context, name, self.value(name))
                if "." in name and self.chance(0.15):
                    self.put(context, name, self.value(name))
        if self.chance(0.12):
            context["now"] = r.choice(TIMES + ["soon", None, 5])
        if self.chance(0.15):
            context["contextKey"] = r.choice(CONTEXT_KEYS + ODD_USERS + ["nobody"])
        if self.chance(0.12):
            context["contextPrototypes"] = r.sample(CONTEXT_KEYS + ["nobody"], r.choice([0, 1, 2, 3]))
        items = list(context.items())
        r.shuffle(items)
        return dict(items)


def measure(condition, known):
    """(depth, leaves) with segments written out."""
    if "segment" in condition:
        depth, leaves = measure(known[condition["segment"]], known)
        return depth + 1, leaves
    below = condition.get("all", condition.get("any"))
    if "not" in condition:
        below = [condition["not"]]
    if below is None:
        return 1, 1
    sizes = [measure(c, known) for c in below]
    return 1 + max((d for d, _ in sizes), default=0), sum(n for _, n in sizes)


class Watched(evaluate.Evaluator):
    """The evaluator, counting what it meets."""

    counts = collections.defaultdict(collections.Counter)

    def leaf(self, leaf, context):
        answer = super().leaf(leaf, context)
        name = "flagr " + leaf["flagr"]["operator"] if "flagr" in leaf else leaf["operator"]
        for tag in ("", " +ignoreCase", " +strict"):
            if not tag or leaf.get(tag[2:]):
                self.counts["operator"][name + tag, answer] += 1
        return answer

    def allocate(self, feature, rule, context, base):
        earlier = bool(base)
        included, arm = super().allocate(feature, rule, context, base)
        percentage = (rule.get("rollout") or {}).get("percentage", 100)
        arms = rule["outcome"].get("split") or []
        if percentage < 100 or len(arms) > 1:
            what = [feature.get("bucketing", "sha256"),
                    "rollout" if percentage < 100 else "", "split" if len(arms) > 1 else "",
                    "after earlier bands" if earlier else "", "when" if rule.get("when") else "",
                    "by" if (rule.get("rollout") or {}).get("by") else ""]
            self.counts["allocation"][" ".join(filter(None, what)), included] += 1
            if not included and self.stops(feature, rule):
                self.counts["stops"][feature.get("bucketing", "sha256"), True] += 1
        return included, arm


def report(reasons, out=sys.stderr):
    total = sum(reasons.values())
    print(f"{total} evaluations", file=out)
    for reason, count in reasons.most_common():
        print(f"  {reason:<18}{count:>9} {100 * count / total:6.2f} %", file=out)
    for title, counter in Watched.counts.items():
        print(f"{title:<42}{'true/in':>10}{'false/out':>10}", file=out)
        for name in sorted({name for name, _ in counter}):
            print(f"  {name:<40}{counter[name, True]:>10}{counter[name, False]:>10}", file=out)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--documents", type=int, default=100)
    arguments.add_argument("--contexts", type=int, default=50)
    arguments.add_argument("--quiet", action="store_true", help="no report on stderr (several times faster)")
    options = arguments.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")
    generator, reasons = Generator(options.seed), collections.Counter()
    for number in range(options.documents):
        document = generator.document(number)
        contexts = [generator.context() for _ in range(options.contexts)]
        now = generator.r.choice(NOWS)
        print(json.dumps({"document": document, "environment": "prod", "contexts": contexts, "now": now},
                         ensure_ascii=False))
        if not options.quiet:
            evaluator = Watched(document, "prod", now)
            for context in contexts:
                reasons.update(answer["reason"] for answer in evaluator.evaluate(context).values())
    if not options.quiet:
        report(reasons)


if __name__ == "__main__":
    main()

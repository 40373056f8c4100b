"""A second evaluator, written from the specification alone, to catch bugs in the Rust engine.

Reads JSON Lines: {"document": SITE_DOCUMENT, "environment": "prod", "contexts": [...], "now": RFC3339}
Writes JSON Lines: {"results": [{KEY: {value, type, enabled, reason, rule, variant}, ...}, ...]}

Sections cited: FC = feature-config.md, FD = featuresd.md, FH = featurehub.md, FL = flagr.md, NA = native-api.md.
Where the specification is silent, see README.md beside this file.
"""

import datetime
import functools
import hashlib
import ipaddress
import json
import math
import re
import sys
import zlib
from decimal import Decimal
from fractions import Fraction

from flagr import FlagrError, flagr_constraint, is_number, regex

ALL = 1_000_000  # 100 percent, counted in millionths as murmur3 does


# ---------------------------------------------------------------- values

JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


def as_number(x):
    """A number, or a string that is a JSON number; else None. Whole numbers stay exact, the rest are doubles."""
    if is_number(x):
        return x
    if not isinstance(x, str) or not JSON_NUMBER.fullmatch(x):
        return None
    if re.fullmatch(r"-?[0-9]+", x, re.ASCII):
        return int(x)
    return float(x) if math.isfinite(float(x)) else None


def key_text(x):
    """The text a value has as a bucketing or context key (FC §2); None if it is no key."""
    if isinstance(x, bool):
        return "true" if x else "false"
    if isinstance(x, str):
        return x or None
    if isinstance(x, int):
        return str(x)
    if isinstance(x, float):  # as JSON.stringify writes it (RFC 8785)
        if x.is_integer() and abs(x) < 1e21:
            return str(int(x))
        if 1e-6 <= abs(x) < 1e21:
            return format(Decimal(repr(x)), "f")
        digits, exponent = repr(x).split("e")
        return f"{digits}e{int(exponent):+d}"
    return None  # missing, null, list, object


def lookup(context, path):
    """At each object the exact remaining path wins; else descend by what stands before the first dot."""
    if not isinstance(context, dict):
        return None
    if path in context:
        return context[path]
    head, dot, rest = path.partition(".")
    return lookup(context.get(head), rest) if dot else None


def stored_value(kind, raw):
    """A Context's entry as the native value (FD §2.1, §2.2)."""
    if isinstance(raw, str):
        if kind == "BOOLEAN":
            return {"yes": True, "true": True, "no": False, "false": False}[raw]
        if kind in ("NUMBER", "JSON"):
            return json.loads(raw)
    return raw


# ---------------------------------------------------------------- one comparison: have OPERATOR want
# Each answers True or False, or None where the two cannot be compared.

def equals(have, want, fold):
    if isinstance(have, bool) or isinstance(want, bool):
        return have is want if isinstance(have, bool) and isinstance(want, bool) else None
    if isinstance(have, str) and isinstance(want, str):
        return fold(have) == fold(want)
    sign = order(have, want, fold)
    return None if sign is None else sign == 0


def order(have, want, fold):
    """-1, 0 or 1; None if the two have no order. Python's str order is by code point."""
    if isinstance(have, bool) or isinstance(want, bool):
        return None
    if isinstance(have, str) and isinstance(want, str):
        have, want = fold(have), fold(want)
    else:
        have, want = as_number(have), as_number(want)
        if have is None or want is None:
            return None
    return (have > want) - (have < want)


SEMVER = re.compile(
    r"(?P<core>[0-9]+(?:\.[0-9]+){0,5})"
    r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?", re.ASCII)


@functools.cache
def version(text):
    """A sort key by SemVer 2.0 precedence with one to six numeric parts; None if it is no version."""
    found = SEMVER.fullmatch(text)
    if not found:
        return None
    core = [int(part) for part in found["core"].split(".")]
    core += [0] * (6 - len(core))
    if found["pre"] is None:
        return (core, 1, [])  # a release is above each of its pre-releases
    pre = []
    for part in found["pre"].split("."):
        if part.isdigit():
            if part != "0" and part.startswith("0"):
                return None
            pre.append((0, int(part), ""))
        else:
            pre.append((1, 0, part))
    return (core, 0, pre)


DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d)))?", re.ASCII)


@functools.cache
def instant(text):
    """Seconds since year 1 UTC, exact, of an RFC 3339 date-time or full-date; None if it is neither."""
    found = DATE_TIME.fullmatch(text)
    if not found:
        return None
    day, hour, minute, second, fraction, sign, off_hour, off_minute = found.groups()
    try:
        seconds = Fraction(datetime.date.fromisoformat(day).toordinal() * 86400)
    except ValueError:
        return None
    if hour is None:
        return seconds
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59 or int(off_hour or 0) > 23 or int(off_minute or 0) > 59:
        return None
    seconds += int(hour) * 3600 + int(minute) * 60 + int(second)
    if fraction:
        seconds += Fraction(int(fraction), 10 ** len(fraction))
    offset = int(off_hour or 0) * 3600 + int(off_minute or 0) * 60
    return seconds + offset if sign == "-" else seconds - offset


def address_in(have, want):
    if not isinstance(have, str) or not isinstance(want, str) or "%" in have:
        return None
    try:
        network = ipaddress.ip_network(want, strict=False)  # host bits are masked
        address = ipaddress.ip_address(have)
    except ValueError:
        return None
    as_v4 = getattr(address, "ipv4_mapped", None) or address  # one IPv4 address in two spellings
    if network.version == 6 and network.prefixlen >= 96 and network.network_address.ipv4_mapped:
        network = ipaddress.ip_network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return address in network or as_v4 in network  # False across families


def without_case(text):
    """Lower case letter by letter: str.lower() would make a sigma another letter at the end of a word."""
    return "".join(letter.lower() for letter in text).replace("ς", "σ")


def text_test(test):
    def run(have, want, fold):
        if not isinstance(have, str) or not isinstance(want, str):
            return None
        return test(have, want, fold)
    return run


def both(parse, test):
    """Parse both sides of two strings; a side that does not parse cannot be compared."""
    def run(have, want, fold):
        if not isinstance(have, str) or not isinstance(want, str):
            return None
        have, want = parse(have), parse(want)
        return None if have is None or want is None else test(have, want)
    return run


def by_order(test):
    def run(have, want, fold):
        sign = order(have, want, fold)
        return None if sign is None else test(sign)
    return run


POSITIVE = {
    "equals": equals,
    "in": equals,
    "contains": text_test(lambda have, want, fold: fold(want) in fold(have)),
    "starts_with": text_test(lambda have, want, fold: fold(have).startswith(fold(want))),
    "ends_with": text_test(lambda have, want, fold: fold(have).endswith(fold(want))),
    "matches": text_test(lambda have, want, fold:
                         bool(regex(want, re.I if fold is without_case else 0).search(have))),
    "greater_than": by_order(lambda sign: sign > 0),
    "greater_or_equal": by_order(lambda sign: sign >= 0),
    "less_than": by_order(lambda sign: sign < 0),
    "less_or_equal": by_order(lambda sign: sign <= 0),
    "semver_eq": both(version, lambda have, want: have == want),
    "semver_gt": both(version, lambda have, want: have > want),
    "semver_gte": both(version, lambda have, want: have >= want),
    "semver_lt": both(version, lambda have, want: have < want),
    "semver_lte": both(version, lambda have, want: have <= want),
    "before": both(instant, lambda have, want: have < want),
    "after": both(instant, lambda have, want: have > want),
    "ip_in": lambda have, want, fold: address_in(have, want),
}
NEGATIVE = {"not_equals": "equals", "not_in": "in", "not_contains": "contains"}


# ---------------------------------------------------------------- buckets

def sha256_buckets(salt, key, feature_key):
    """(rollout, split), each 0–9999 (FC §2)."""
    digest = hashlib.sha256((salt + key + feature_key).encode()).digest()
    return tuple(int.from_bytes(digest[at:at + 8], "big") % 10_000 for at in (0, 8))


def murmur3_bucket(key, feature_id):
    """0–999999 (FH §5.2)."""
    return murmur3_32((key + feature_id).encode()) * ALL >> 32


def crc32_bucket(flag_id, key):
    """0–999 (FL §5)."""
    return zlib.crc32((str(flag_id) + key).encode()) % 1000


def murmur3_32(data, seed=0):
    def rotate(x, bits):
        return (x << bits | x >> 32 - bits) & 0xFFFFFFFF

    def mix(k):
        return rotate(k * 0xCC9E2D51 & 0xFFFFFFFF, 15) * 0x1B873593 & 0xFFFFFFFF

    h, whole = seed, len(data) // 4 * 4
    for i in range(0, whole, 4):
        h = rotate(h ^ mix(int.from_bytes(data[i:i + 4], "little")), 13) * 5 + 0xE6546B64 & 0xFFFFFFFF
    if data[whole:]:
        h ^= mix(int.from_bytes(data[whole:], "little"))
    h ^= len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = (h ^ h >> shift) * factor & 0xFFFFFFFF
    return h ^ h >> 16


def millionths(percent):
    return round(percent * 10_000)


def bucketing_key(scheme, rollout, context):
    by = rollout.get("by")
    if not by:
        return key_text(context.get("userId"))
    if scheme != "murmur3":
        return key_text(lookup(context, by))
    parts = []  # FH §5.2: every named field, all values of a list, "<none>" for a missing one
    for name in [by] if isinstance(by, str) else by:
        have = lookup(context, name)
        texts = [key_text(item) for item in (have if isinstance(have, list) else [have])]
        parts += [text for text in texts if text is not None] or ["<none>"]
    return "$".join(parts)


def by_crc32(bucket, weights, percentage):
    """The index of the arm, or None. Weights and percentage in millionths (FL §5)."""
    low = 0
    for arm, weight in enumerate(weights):
        high = low + weight // 1000
        if high > bucket:
            inside = ALL * (bucket - low) <= max(high - low - 1, 0) * percentage
            return arm if inside and percentage > 0 else None
        low = high
    return None


def by_sha256(split_bucket, weights):
    total = 0
    for arm, weight in enumerate(weights):
        total += weight
        if split_bucket * 100 < total:
            return arm
    return None


# ---------------------------------------------------------------- evaluation

class Evaluator:
    def __init__(self, document, environment=None, now=None):
        environments = document["environments"]
        here = next(e for e in environments if environment in (None, e["name"]))
        self.features = here.get("features") or []
        self.segments = {s["key"]: s["conditions"] for s in document.get("segments") or []}
        self.contexts = {c["key"]: c for c in here.get("contexts") or []}
        self.now = now

    def evaluate(self, context):
        chain = self.chain(context)
        return {f["key"]: self.feature(f, context, chain) for f in self.features}

    # -- stored Contexts (FD §3)

    def chain(self, context):
        key = key_text(context.get("contextKey")) or key_text(context.get("userId"))
        virtual = context.get("contextPrototypes")
        virtual = [key_text(item) for item in virtual] if isinstance(virtual, list) else []
        return self.visiting_order([key] + virtual)

    def visiting_order(self, roots):
        """Pre-order, each Context once at its first position; the two special ones have places of their own."""
        order = []

        def visit(key):
            if key in order or key in ("override", "default") or key not in self.contexts:
                return
            order.append(key)
            for prototype in self.contexts[key].get("prototypes") or []:
                visit(prototype)

        for root in roots:
            visit(root)
        return order

    def entry(self, context_key, feature):
        """(value,) or None, so that an entry of false, 0 or "" is still an entry."""
        values = self.contexts.get(context_key, {}).get("features") or {}
        return (stored_value(feature["type"], values[feature["key"]]),) if feature["key"] in values else None

    # -- one feature (FC §2)

    def feature(self, feature, context, chain):
        value, reason, rule, variant = self.decide(feature, context, chain)
        return {"value": value, "type": feature["type"], "enabled": feature.get("enabled", True),
                "reason": reason, "rule": rule, "variant": variant}

    def decide(self, feature, context, chain):
        override = self.entry("override", feature)
        if override:
            return override[0], "OVERRIDE", None, None
        if not feature.get("enabled", True):
            return (False if feature["type"] == "BOOLEAN" else None), "DISABLED", None, None
        for key in chain:
            stored = self.entry(key, feature)
            if stored:
                return stored[0], "CONTEXT", None, None

        rules = sorted(feature.get("rules") or [], key=lambda r: -r.get("priority", 50))  # stable
        base = {}  # murmur3: what the rules without conditions have taken already, per key
        for rule in rules:
            if not rule.get("enabled", True):
                continue
            if rule.get("when") is not None and not self.holds(rule["when"], context):
                continue
            included, arm = self.allocate(feature, rule, context, base)
            if included:
                return self.outcome(feature, rule, arm)
            if self.stops(feature, rule):
                return feature.get("defaultValue"), "DEFAULT", None, None
        return feature.get("defaultValue"), "DEFAULT" if rules else "STATIC", None, None

    def stops(self, feature, rule):
        scheme_says = "stop" if feature.get("bucketing") == "crc32" else "next"
        return ((rule.get("rollout") or {}).get("otherwise") or scheme_says) == "stop"

    def outcome(self, feature, rule, arm):
        arms = rule["outcome"].get("split")
        percentage = (rule.get("rollout") or {}).get("percentage", 100)
        reason = "SPLIT" if percentage < 100 or (arms and len(arms) > 1) else "TARGETING_MATCH"
        if not arms:
            return rule["outcome"]["value"], reason, rule.get("name"), None
        variant = next(v for v in feature["variants"] if v["key"] == arms[arm]["variant"])
        return variant["value"], reason, rule.get("name"), variant["key"]

    def allocate(self, feature, rule, context, base):
        """(included, index of the arm in the rule's split)."""
        rollout = rule.get("rollout") or {}
        percentage = millionths(rollout.get("percentage", 100))
        arms = rule["outcome"].get("split") or []
        if percentage == ALL and len(arms) <= 1:
            return True, 0  # needs no key
        scheme = feature.get("bucketing") or "sha256"
        key = bucketing_key(scheme, rollout, context)
        if percentage == 0 or key is None:
            return False, None
        weights = [millionths(arm["weight"]) for arm in arms] or [ALL]

        if scheme == "sha256":
            rollout_bucket, split_bucket = sha256_buckets(rollout.get("salt") or "", key, feature["key"])
            return rollout_bucket * 100 < percentage, by_sha256(split_bucket, weights)

        if scheme == "crc32":  # ranges lie in the order of the variants' numbers, not of the split
            variants = [v["key"] for v in feature.get("variants") or []]
            ranked = sorted(range(len(arms)), key=lambda i: variants.index(arms[i]["variant"])) or [0]
            at = by_crc32(crc32_bucket(feature["bucketingId"], key), [weights[i] for i in ranked], percentage)
            return (False, None) if at is None else (True, ranked[at])

        bucket = murmur3_bucket(key, feature["bucketingId"].lower())
        accumulates = self.constant(rule.get("when") or {"all": []}) is True
        shares = [percentage] if len(arms) <= 1 else weights  # a split is as many percentages as it has arms
        taken = base.get(key, 0) if accumulates else 0
        for arm, share in enumerate(shares):
            taken += share
            if share > 0 and bucket <= taken:
                return True, arm
        if accumulates:
            base[key] = taken
        return False, None

    # -- conditions

    def holds(self, condition, context):
        if "all" in condition:
            return all(self.holds(c, context) for c in condition["all"])
        if "any" in condition:
            return any(self.holds(c, context) for c in condition["any"])
        if "not" in condition:
            return not self.holds(condition["not"], context)
        if "segment" in condition:
            return self.holds(self.segments[condition["segment"]], context)
        return self.leaf(condition, context)

    def constant(self, condition):
        """True or False where no context makes a difference, as for {"all": []}; else None."""
        if "not" in condition:
            inner = self.constant(condition["not"])
            return None if inner is None else not inner
        if "segment" in condition:
            return self.constant(self.segments[condition["segment"]])
        for group, deciding in (("all", False), ("any", True)):
            if group in condition:
                parts = [self.constant(part) for part in condition[group]]
                return deciding if deciding in parts else None if None in parts else not deciding
        return None

    def leaf(self, leaf, context):
        if "flagr" in leaf:
            try:
                return flagr_constraint(leaf["flagr"], context)
            except FlagrError:
                return False
        operator, strict = leaf["operator"], leaf.get("strict", False)
        have = lookup(context, leaf["attribute"])
        if operator == "exists":
            return have is not None
        if operator == "not_exists":
            return have is None and not strict
        if have is None and leaf["attribute"] == "now" and operator in ("before", "after"):
            have = self.now
        elements = have if isinstance(have, list) else [] if have is None else [have]
        wanted = leaf["values"] if "values" in leaf else [leaf["value"]]
        test = POSITIVE[NEGATIVE.get(operator, operator)]
        fold = without_case if leaf.get("ignoreCase") else lambda text: text
        answers = [[test(element, want, fold) for want in wanted] for element in elements]
        found = any(True in row for row in answers)
        if operator not in NEGATIVE:
            return found
        if not wanted:  # nothing that a scalar could not be compared with
            answers = [[None if isinstance(element, (dict, list, type(None))) else False] for element in elements]
        comparable = bool(answers) and all(any(a is not None for a in row) for row in answers)
        return not found and (comparable or not strict)


def main():
    for line in sys.stdin:
        if not line.strip():
            continue
        job = json.loads(line)
        evaluator = Evaluator(job["document"], job.get("environment"), job.get("now"))
        results = [evaluator.evaluate(context) for context in job["contexts"]]
        print(json.dumps({"results": results}, ensure_ascii=False))


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8")
    sys.stdout.reconfigure(encoding="utf-8")
    main()

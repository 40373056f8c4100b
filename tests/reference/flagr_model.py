"""A small Flagr: generates flags and entities by chance, and says what Flagr answers (flagr.md §5, §6).

    python3 flagr_model.py --seed 1 --flags 200 --entities 500 > expected.jsonl

The first line is an export of Flagr's eval cache with the flags. Each further line is a batch: {"entities": [...],
"flagIDs": [...], "rows": [[variantKey, segmentID], ...]}, rows as the batch answers them; null is the blank answer. What
was reached goes to stderr.
"""

import argparse
import collections
import json
import random
import sys
import zlib

from flagr import FlagrError, flagr_constraint

PROPERTIES = ["country", "age", "plan", "tags", "nums", "user.plan", "user.tags[0]", "tags[-1]", "beta", "user-id", "other", "@ts", "score"]
CONSTRAINTS = {
    "EQ": ['"DE"', "18", "1e1", "true", '"18"', "{other}", '"a\\"b"', "-0.5", '"\\d"', " \"FR\" "],
    "NEQ": ['"DE"', "18", "false", "{country}", '""'],
    "LT": ["18", "1e3", "{score}", "-1"],
    "LTE": ["18", "18.0000001", "{age}"],
    "GT": ["18", "0", "{score}", "-3.5"],
    "GTE": ["18", "17.9999999", "{age}"],
    "EREG": ['"^D"', '"E$"', "/^[A-F]/", '"\\d+"', '"(?i)de"', '"^.{2}$"', '"a|b"'],
    "NEREG": ['"^D"', '"\\d"', '"pro"'],
    "IN": ['["DE","FR"]', "[1,18,2.5]", '["pro"]', '["a", "b","c"]', "[18]"],
    "NOTIN": ['["DE","FR"]', "[1,18]", '["pro","free"]'],
    "CONTAINS": ['"a"', "18", '"web"', "{country}"],
    "NOTCONTAINS": ['"a"', "2", '"web"'],
}
TEXTS = ["DE", "FR", "de", "a", "b", "pro", "free", "", "18", "D1", "a\"b", "\\d", "web", "Ünï", "日本"]
NUMBERS = [18, 17, 18.0000001, 18.5, 0, -0.5, 10, 1, 2, 2.5, 1000, -1, 1e3, 99]


# What an operator is likely to be asked of, so that not every constraint ends in an error.
SUITED = {
    **dict.fromkeys(["EQ", "NEQ", "EREG", "NEREG", "IN", "NOTIN"], ["country", "plan", "other"]),
    **dict.fromkeys(["LT", "LTE", "GT", "GTE"], ["age", "score"]),
    **dict.fromkeys(["CONTAINS", "NOTCONTAINS"], ["tags", "tags", "nums"]),
}


class Model:
    """What Flagr does with one flag."""

    def __init__(self, flag):
        self.flag = flag
        self.segments = sorted(flag["Segments"], key=lambda one: (one["Rank"], one["ID"]))

    def evaluate(self, entity, reached):
        if not self.flag["Enabled"]:
            reached["disabled"] += 1
            return None, None
        for segment in self.segments:
            if not self.holds(segment, entity.get("entityContext"), reached):
                continue
            variant = self.rollout(segment, entity["entityID"], reached)
            return (variant["VariantKey"], segment["ID"]) if variant else (None, None)
        reached["no segment holds"] += 1
        return None, None

    @staticmethod
    def holds(segment, context, reached):
        if not segment["Constraints"]:
            return True
        if not isinstance(context, dict):
            reached["context is no object"] += 1
            return False
        try:
            # All are joined by AND; an error anywhere before the first miss is a miss too.
            for one in segment["Constraints"]:
                sent = {"property": one["Property"], "operator": one["Operator"], "value": one["Value"]}
                if not flagr_constraint(sent, context):
                    reached[f"{one['Operator']} misses"] += 1
                    return False
                reached[f"{one['Operator']} holds"] += 1
        except FlagrError:
            reached["error"] += 1
            return False
        return True

    def rollout(self, segment, entity, reached):
        percent = segment["RolloutPercent"]
        shares = sorted(segment["Distributions"], key=lambda one: one["VariantID"])
        if percent == 0 or not shares:
            reached["rollout 0 or no distribution"] += 1
            return None
        bucket = zlib.crc32(f"{self.flag['ID']}{entity}".encode()) % 1000
        low = 0
        for share in shares:
            high = low + share["Percent"] * 10
            if bucket < high:
                within = percent == 100 or 100 * (bucket - low) <= max(high - low - 1, 0) * percent
                reached["rollout yes" if within else "rollout no"] += 1
                return share if within else None
            low = high
        raise AssertionError("distributions do not add up to 100")


def split(rng, parts):
    """Whole percentages that add up to 100, some of them 0."""
    cuts = sorted(rng.choice([0, 100, rng.randint(0, 100)]) for _ in range(parts - 1))
    return [b - a for a, b in zip([0] + cuts, cuts + [100])]


def make_flag(rng, number, count):
    def fresh(kind):
        count[kind] += 1
        return count[kind]

    variants = [{"ID": fresh("variant"), "Key": f"v{at}", "Attachment": {}} for at in range(rng.randint(1, 4))]
    segments = []
    for _ in range(rng.choice([0, 1, 1, 2, 2, 3, 4])):
        constraints = []
        for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
            operator = rng.choice(list(CONSTRAINTS))
            constraints.append(
                {"ID": fresh("constraint"), "Operator": operator,
                 "Property": rng.choice(SUITED[operator] if rng.random() < 0.75 else PROPERTIES),
                 "Value": rng.choice(CONSTRAINTS[operator])}
            )
        some = rng.sample(variants, rng.randint(0 if rng.random() < 0.2 else 1, len(variants)))
        shares = [
            {"ID": fresh("distribution"), "VariantID": one["ID"], "VariantKey": one["Key"], "Percent": percent}
            for one, percent in zip(some, split(rng, len(some)) if some else [])
        ]
        segments.append(
            {"ID": fresh("segment"), "Description": "s", "Rank": rng.choice([0, 1, 999, 999]),
             "RolloutPercent": rng.choice([0, 1, 50, 99, 100, 100, rng.randint(0, 100), rng.randint(0, 100)]), "Constraints": constraints,
             "Distributions": shares}
        )
    return {"ID": number, "Key": f"flag-{number}", "Enabled": rng.random() < 0.95, "Variants": variants, "Segments": segments}


def make_value(rng):
    return rng.choice(
        [rng.choice(TEXTS), rng.choice(TEXTS), rng.choice(NUMBERS), rng.choice(NUMBERS), rng.random() < 0.5, None,
         rng.sample(TEXTS, rng.randint(0, 3)), rng.sample(NUMBERS, rng.randint(1, 3)), [rng.choice(TEXTS), 1], {"plan": "pro"}]
    )


def make_context(rng):
    if rng.random() < 0.05:
        return rng.choice([None, "text", 5, ["DE"], True])
    context = {}
    likely = {"country": TEXTS, "plan": TEXTS, "age": NUMBERS, "score": NUMBERS, "other": TEXTS + NUMBERS,
              "tags": [["a", "web"], ["b"], ["web"]], "nums": [[1, 18], [2.5, 2], [18]]}
    for name in ["country", "age", "plan", "tags", "nums", "beta", "user-id", "other", "@ts", "score", "user.plan"]:
        if rng.random() < 0.85:
            context[name] = rng.choice(likely[name]) if name in likely and rng.random() < 0.85 else make_value(rng)
    if rng.random() < 0.5:
        context["user"] = rng.choice([{"plan": make_value(rng), "tags": [make_value(rng)]}, {"tags": []}, make_value(rng)])
    return context


def make_entity(rng):
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-_@. Üé日😀"
    key = rng.choice([f"user-{rng.randint(0, 10**6)}", "".join(rng.choices(letters, k=rng.randint(1, 40)))])
    entity = {"entityID": key}
    context = make_context(rng)
    if context is not None or rng.random() < 0.5:
        entity["entityContext"] = context
    return entity


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--flags", type=int, default=200)
    parser.add_argument("--entities", type=int, default=500)
    parser.add_argument("--batch", type=int, default=50)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    numbers = sorted(rng.sample(range(1, 100_000), arguments.flags))
    count = collections.Counter()
    flags = [make_flag(rng, number, count) for number in numbers]
    models = [Model(flag) for flag in flags]
    reached = collections.Counter()
    print(json.dumps({"Flags": flags}))
    for start in range(0, arguments.entities, arguments.batch):
        entities = [make_entity(rng) for _ in range(min(arguments.batch, arguments.entities - start))]
        rows = [model.evaluate(entity, reached) for entity in entities for model in models]
        print(json.dumps({"entities": entities, "flagIDs": numbers, "rows": rows}))
    for what, times in sorted(reached.items()):
        print(f"{times:8} {what}", file=sys.stderr)


if __name__ == "__main__":
    main()

"""Contexts near the boundaries used in a document's rules, as JSON Lines for evaluate.py and the Rust engine.

    python3 generate_studies.py [DOCUMENT] --seed 1 --contexts 1000 > studies.jsonl

DOCUMENT is a site document in JSON, by default tests/data/browser-studies.json.
"""

import argparse
import collections
import json
import pathlib
import random
import sys

import evaluate
import generate

DEFAULT = pathlib.Path(__file__).resolve().parent.parent / "data" / "browser-studies.json"


def leaves(condition):
    if "attribute" in condition:
        yield condition
    below = condition.get("all", []) + condition.get("any", []) + ([condition["not"]] if "not" in condition else [])
    for part in below:
        yield from leaves(part)


def operands(document):
    """attribute → operator → every operand the document compares it with, repeats included."""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    conditions = [s["conditions"] for s in document.get("segments") or []]
    for environment in document["environments"]:
        for feature in environment["features"]:
            conditions += [rule["when"] for rule in feature.get("rules") or [] if rule.get("when")]
    for leaf in (leaf for condition in conditions for leaf in leaves(condition)):
        wanted = leaf["values"] if "values" in leaf else [leaf.get("value")]
        found[leaf["attribute"]][leaf["operator"]] += wanted
    return found


def near_version(r, text):
    """The version itself, one step to either side in one part, cut short, longer, or with a pre-release."""
    parts = text.split("+")[0].split("-")[0].split(".")
    kind = r.choice(["same", "same", "step", "step", "step", "cut", "longer", "pre", "build", "bad"])
    if kind == "step":
        at = r.choice([len(parts) - 1, r.randrange(len(parts))])
        parts[at] = str(max(0, int(parts[at]) + r.choice([-1, 1])))
    if kind == "cut":
        parts = parts[:r.randint(1, len(parts))]
    if kind == "longer":
        parts = (parts + [r.choice(["0", "1"])])[:6]
    tail = {"pre": r.choice(["-beta.1", "-rc", "-0"]), "build": "+b7"}.get(kind, "")
    return r.choice(["v" + text, "", "nightly", text + ".", 151]) if kind == "bad" else ".".join(parts) + tail


def near(r, by_operator):
    operator = r.choice(list(by_operator))
    operand = r.choice(by_operator[operator])
    if operator.startswith("semver_") and isinstance(operand, str):
        return near_version(r, operand)
    if evaluate.is_number(operand):
        return r.choice([operand, operand, operand + 1, operand - 1, str(operand)])
    if isinstance(operand, str) and r.random() < 0.1:
        return r.choice([operand.lower(), operand[:-1], operand + " ", ""])
    return operand


def context(r, known):
    made = {}
    if r.random() < 0.95:
        user = f"user-{r.randrange(100_000)}"
        made["userId"] = r.choice([user, user, f"{r.getrandbits(64):016x}", r.randrange(10 ** 6),
                                   r.choice(["", None, 17.0, True, "ö"])])
    for attribute, by_operator in known.items():
        roll = r.random()
        if roll < 0.92:
            made[attribute] = near(r, by_operator)
        elif roll < 0.95:
            made[attribute] = [near(r, by_operator) for _ in range(r.randint(0, 3))]
        elif roll < 0.97:
            made[attribute] = None
    return made


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("document", nargs="?", default=DEFAULT)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--contexts", type=int, default=1000)
    arguments.add_argument("--per-line", type=int, default=500, help="contexts beside each copy of the document")
    arguments.add_argument("--quiet", action="store_true", help="no report on stderr")
    options = arguments.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")
    document = json.loads(pathlib.Path(options.document).read_text(encoding="utf-8"))
    r, known, reasons = random.Random(options.seed), operands(document), collections.Counter()
    environment, now = document["environments"][0]["name"], generate.NOWS[0]
    contexts = [context(r, known) for _ in range(options.contexts)]
    for start in range(0, len(contexts), options.per_line):
        print(json.dumps({"document": document, "environment": environment, "now": now,
                          "contexts": contexts[start:start + options.per_line]}, ensure_ascii=False))
    if not options.quiet:
        evaluator = generate.Watched(document, environment, now)
        for each in contexts:
            reasons.update(answer["reason"] for answer in evaluator.evaluate(each).values())
        generate.report(reasons)


if __name__ == "__main__":
    main()

"""Flagr's constraints, {"flagr": {property, operator, value}} (flagr.md §6), and the regex both dialects share."""

import functools
import re


def is_number(x):
    return isinstance(x, (int, float)) and not isinstance(x, bool)


@functools.cache
def regex(pattern, flags=0):
    """Python's `$` also matches before a last newline; in Rust and Go it is the end of the text."""
    out, in_class, i = [], False, 0
    while i < len(pattern):
        c = pattern[i]
        if c == "\\":
            c = pattern[i:i + 2]
        elif c == "[":
            in_class = True
        elif c == "]":
            in_class = False
        i += len(c)
        out.append(r"\Z" if c == r"\z" or (c == "$" and not in_class) else c)
    return re.compile("".join(out), flags)


class FlagrError(Exception):
    """The constraint cannot be read, or cannot be evaluated for this context: no match."""


IDENTIFIER = r"[^\W\d]\w*"
FLAGR_PROPERTY = re.compile(rf"@?{IDENTIFIER}(?:-\w+)*(?:\.{IDENTIFIER}|\[-?[0-9]+\])*")
FLAGR_STRING = r'"(?:[^"\\]|\\.)*"'
FLAGR_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
FLAGR_ESCAPE = re.compile(r"\\(?:([\"\\ntrabfv])|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|([0-7]{3})|(.))", re.S)
FLAGR_OPERATORS = "EQ NEQ LT LTE GT GTE EREG NEREG IN NOTIN CONTAINS NOTCONTAINS".split()


SIMPLE_ESCAPE = dict(zip("\"\\ntrabfv", "\"\\\n\t\r\a\b\f\v"))


def flagr_unquote(quoted):
    def one(found):
        simple, hex2, hex4, octal, _ = found.groups()
        if simple:
            return SIMPLE_ESCAPE[simple]
        return chr(int(octal, 8) if octal else int(hex2 or hex4, 16))

    raw = quoted[1:-1]
    if any(found[5] is not None for found in FLAGR_ESCAPE.finditer(raw)):
        return raw  # any bad escape: the text between the quotes as it stands
    return FLAGR_ESCAPE.sub(one, raw)


@functools.cache
def flagr_parse(prop, operator, value):
    """('property', path) or ('literal', value), what the right side of the constraint is."""
    if operator not in FLAGR_OPERATORS or not FLAGR_PROPERTY.fullmatch(prop):
        raise FlagrError("operator or property")
    value = value.strip()
    if re.fullmatch(FLAGR_STRING, value, re.S):
        if operator in ("EREG", "NEREG") and "/" not in value:
            return ("literal", value[1:-1])
        return ("literal", flagr_unquote(value))
    if re.fullmatch(FLAGR_NUMBER, value, re.ASCII):
        return ("literal", float(value))
    if value.lower() in ("true", "false"):
        return ("literal", value.lower() == "true")
    if value.startswith("{") and value.endswith("}") and FLAGR_PROPERTY.fullmatch(value[1:-1]):
        return ("property", value[1:-1])
    if len(value) >= 2 and value.startswith("/") and value.endswith("/"):
        return ("literal", value[1:-1])
    for item, read in ((FLAGR_STRING, flagr_unquote), (FLAGR_NUMBER, float)):
        if re.fullmatch(rf"\[\s*{item}\s*(?:,\s*{item}\s*)*\]", value, re.S):
            return ("literal", [read(found) for found in re.findall(item, value, re.S)])
    raise FlagrError("value")


def flagr_read(context, path):
    for step in re.findall(r"\[-?[0-9]+\]|[^.\[\]]+", path):
        if step.startswith("["):
            index = int(step[1:-1])
            if not isinstance(context, list) or not -len(context) <= index < len(context):
                raise FlagrError("no such element")
            context = context[index]
        elif isinstance(context, dict) and step in context:
            context = context[step]
        else:
            raise FlagrError("no such property")
    return context


def flagr_kind(x):
    if isinstance(x, (bool, str)):
        return type(x).__name__
    if is_number(x):
        return "number"
    if isinstance(x, list) and x:
        kinds = {flagr_kind(item) for item in x}
        if kinds == {"str"} or kinds == {"number"}:
            return "list of " + kinds.pop()
    raise FlagrError("no comparable value")


def flagr_equal(a, b):
    if not is_number(a):
        return a == b
    a, b = float(a), float(b)
    difference, largest = abs(a - b), max(abs(a), abs(b))
    return a == b or (a != 0 and b != 0 and difference <= 1e-6 and difference / largest < 1e-6)


def flagr_constraint(constraint, context):
    """True, False, or FlagrError."""
    operator, prop = constraint["operator"], constraint["property"]
    source, right = flagr_parse(prop, operator, constraint["value"])
    left = flagr_read(context, prop)
    if source == "property":
        right = flagr_read(context, right)
    kinds = (flagr_kind(left), flagr_kind(right))
    negative = operator.startswith("N")
    if operator in ("EQ", "NEQ"):
        if kinds[0] != kinds[1] or kinds[0].startswith("list"):
            raise FlagrError("types differ")
        return flagr_equal(left, right) != negative
    if operator in ("EREG", "NEREG"):
        if kinds != ("str", "str"):
            raise FlagrError("text only")
        try:
            return bool(regex(right, re.ASCII).search(left)) != negative
        except re.error as error:
            raise FlagrError("bad pattern") from error
    if operator in ("IN", "NOTIN", "CONTAINS", "NOTCONTAINS"):
        if operator.endswith("CONTAINS"):
            left, right, kinds = right, left, kinds[::-1]
        if kinds[1] != "list of " + kinds[0]:
            raise FlagrError("not a list of that")
        return any(flagr_equal(left, item) for item in right) != negative
    if kinds != ("number", "number"):
        raise FlagrError("numbers only")
    left, right = float(left), float(right)
    return {"LT": left < right, "GT": left > right,
            "LTE": left < right or flagr_equal(left, right),
            "GTE": left > right or flagr_equal(left, right)}[operator]

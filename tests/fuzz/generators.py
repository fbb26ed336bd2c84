"""Inputs for fuzzing, each from a number: texts that the grammars nearly allow, and bytes that are changed."""

import json
import re
from random import Random

NAMES = (
    *("x", "y", "t1", "pi", "E", "I", "oo", "nan", "True", "sin", "exp", "log", "sqrt", "cbrt", "Abs", "factorial"),
    *("gamma", "zeta", "binomial", "besselj", "polygamma", "legendre", "hermite", "polylog", "hyper", "Piecewise"),
    *("Max", "Min", "Rational", "atan2", "uppergamma", "lowergamma", "__import__", "__class__", "lambda", "sni"),
)
NUMBERS = ("0", "1", "2", "-1", "3.5", ".5", "1e400", "1e-400", "1e401", "9999", "10000", "10001", "9" * 100, "1/3")
SIGNS = ("+", "-", "*", "/", "**", "^", "<", "<=", "==", "(", ")", "[", "]", ",", " ", "\n", ".", "=", "@", "'")
STRANGE = (
    "\x00",
    "\u202e",
    "\u200b",
    "\ufeff",
    "\u0445",
    "\uff11",
    "\ud800",
    "\x1b[2J",
    "\x7f",
    "\U0001f600",
    "é",
    "\\",
)


def number_text(chance: Random) -> str:
    """Return a number, or nearly one."""
    match chance.randrange(8):
        case 0:
            return f"{chance.randrange(-(10**6), 10**6)}"
        case 1:
            return f"{chance.randrange(10**4)}.{chance.randrange(10**6)}e{chance.randrange(-450, 450)}"
        case 2:
            return f"{chance.randrange(-99, 99)}/{chance.randrange(99)}"
        case 3:
            return f"{chance.choice((0, 1, 2, 10, 10**9))}^{chance.randrange(-1200, 1200)}"
        case 4:
            return str(chance.randrange(10)) * chance.randrange(1, 1100)
        case _:
            return chance.choice(NUMBERS)


def formula(chance: Random) -> str:
    """Return a formula, or nearly one."""
    match chance.randrange(6):
        case 0:
            text = "".join(chance.choice(chance.choice((NAMES, NUMBERS, SIGNS))) for _ in range(chance.randrange(30)))
        case 1:
            piece = chance.choice(
                ("(", "x+", "-", "sin(", "2**", "x**", "Max(x,", "1/(", "hyper([1,", "(x+x)**9999*", "3**")
            )
            text = piece * chance.randrange(1, 4000) + chance.choice(("", "x", "1"))
        case 2:
            text = "+".join([_tree(chance, chance.randrange(4))] * chance.randrange(1, 300))
        case _:
            text = _tree(chance, chance.randrange(7))
    return mutated_text(chance, text) if chance.random() < 0.5 else text


def _tree(chance: Random, depth: int) -> str:
    if depth <= 0:
        return chance.choice(("x", "x", "x", "pi", number_text(chance), chance.choice(NUMBERS)))
    below = [_tree(chance, depth - chance.randrange(1, 3)) for _ in range(2)]
    match chance.randrange(7):
        case 0:
            return f"{chance.choice(NAMES[8:])}({below[0]})"
        case 1:
            return f"{chance.choice(NAMES[8:])}({chance.choice(NUMBERS)}, {below[0]})"
        case 2:
            return f"({below[0]})**{chance.choice(('2', '(1/2)', '9999', '-3', below[1]))}"
        case 3:
            return f"Piecewise(({below[0]}, x {chance.choice(('<', '>=', '!='))} {below[1]}), (1, True))"
        case 4:
            return f"-({below[0]})"
        case _:
            return f"({below[0]}){chance.choice('+-*/')}({below[1]})"


def mutated_text(chance: Random, text: str) -> str:
    """Return a text with some places changed."""
    for _ in range(chance.randrange(1, 5)):
        place = chance.randrange(len(text) + 1)
        end = place + chance.choice((0, 1, 1, 2, 8, len(text)))
        match chance.randrange(4):
            case 0:
                new = chance.choice(STRANGE)
            case 1:
                new = text[place:end] * chance.choice((2, 2, 3, 50))
            case 2:
                new = ""
            case _:
                new = chance.choice(chance.choice((NAMES, NUMBERS, SIGNS)))
        text = (text[:place] + new + text[end:])[:200_000]
    return text


def mutated_bytes(chance: Random, data: bytes) -> bytes:
    """Return bytes with some places changed, left out, doubled or put in."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        place = chance.randrange(len(changed) + 1)
        match chance.randrange(5):
            case 0 if place < len(changed):
                changed[place] ^= 1 << chance.randrange(8)
            case 1:
                del changed[place : place + chance.choice((1, 4, 64, len(changed)))]
            case 2:
                changed[place:place] = changed[place : place + chance.choice((1, 8, 256))]
            case 3:
                changed[place : place + 4] = chance.randbytes(4)
            case _:
                changed[place:place] = chance.choice(
                    (b"\x00", b"\xff", b"\xff\xff\xff\x7f", b"9" * 30, b"[" * 3000, b"-", b'"')
                )
    return bytes(changed)


def epsilons(chance: Random) -> object:
    """Return a grid of epsilons, or nearly one: a text, a number or a list."""
    items = [_epsilon_item(chance) for _ in range(chance.choice((1, 1, 1, 2, 5)))]
    if chance.random() < 0.6:
        text = ",".join(map(str, ("" if isinstance(item, int) else item for item in items)))
        return mutated_text(chance, text) if chance.random() < 0.5 else text
    return items if chance.random() < 0.8 else items[0]


def _epsilon_item(chance: Random) -> object:
    # Most grids are small: one of a thousand values takes as long as a hundred others.
    is_wide = chance.random() < 0.1

    def end() -> str:
        if is_wide:
            return chance.choice(("1", "1e-16", "1e400", "1e-400", "2^-900", number_text(chance)))
        return chance.choice(
            ("1", "1e-1", "1e-2", ".5", "2^-3", "2^0", f"{chance.randrange(99)}/{chance.randrange(99)}")
        )

    match chance.randrange(6):
        case 0:
            return number_text(chance)
        case 1:
            return f"{end()}:{end()}"
        case 2:
            density = chance.choice((1, 2, 3, 4, 9, 0, 10**9) if chance.random() < 0.9 else (99, 999, 9999))
            return f"{end()}:{end()}:{density}/{chance.choice(('decade', 'octave', 'x'))}"
        case 3:
            return chance.choice(
                (0, 1, -1, 10**5000, 1e-300, float("inf"), float("nan"), 5e-324, True, None, [], {}, b"1")
            )
        case 4:
            return chance.random() * 10.0 ** chance.randrange(-300, 300)
        case _:
            return f" {end()} : {end()} "


SPEC = """
functions = ["exp", "lab", {{ name = "f", formula = "{formula}", points = ["{point}", 0.5], domain = "(-oo, oo)" }}]
schemes = ["central-2", "forward-1-d2", "complex-step", {{ name = "own", offsets = [-1, "1/2"], derivative = 1 }}]
epsilons = "{epsilons}"
derivatives = [1, 2]
dtypes = ["float32", "float64"]
rules = ["usual", "fixed(1e-3)"]
allow_failed = 3
time_limit = 2.5
anatomy = true
[[gate]]
function = "f*"
optimum = 2.5
reason = "fuzz"
"""
VALUES = (
    *("0", "-1", "1e308", "inf", "nan", "true", '""', "[]", "{}", '"x"', "[[]]", '[""]', "9" * 5000, "0x" + "f" * 5000),
    *(
        '"all"',
        '"standard"',
        '"../../../etc/passwd.toml"',
        "1979-05-27",
        "[1, 'a']",
        '"\\u0000"',
        '"\\u001b[2J"',
        "[" * 99,
    ),
    *(
        '"(-oo, 0)"',
        '["central-9999"]',
        '["nodes(1,2,3)"]',
        '["richardson-9(central-2)"]',
        "[1, 1]",
        "{ a = { b = 1 } }",
    ),
)
KEYS = (
    *("functions", "schemes", "epsilons", "derivatives", "dtypes", "rules", "allow_failed", "time_limit", "anatomy"),
    *(
        "gate",
        "python_objects",
        "nonsense",
        "name",
        "formula",
        "points",
        "domain",
        "tags",
        "noise",
        "printed",
        "offsets",
    ),
)


def spec(chance: Random) -> str:
    """Return a spec in TOML, or nearly one."""
    small = formula(chance)[:300].replace("\\", "").replace('"', "") if chance.random() < 0.4 else "x**2 + sin(x)"
    grid = epsilons(chance) if chance.random() < 0.3 else "1e-1:1e-3"
    if not isinstance(grid, str):
        grid = "1e-3"
    text = SPEC.format(formula=small, point=number_text(chance)[:50], epsilons=grid[:200].replace('"', ""))
    for _ in range(chance.randrange(3)):
        key, value = chance.choice(KEYS), chance.choice(VALUES)
        match chance.randrange(3):
            case 0:
                text = re.sub(rf"\b{key} = .*", lambda _, line=f"{key} = {value}": line, text, count=1)
            case 1:
                text = f"{key} = {value}\n" + text
            case _:
                lines = text.splitlines()
                del lines[chance.randrange(len(lines))]
                text = "\n".join(lines)
    return mutated_text(chance, text) if chance.random() < 0.4 else text


STRANGERS = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2**63,
        10**30,
        1.5,
        "",
        "x",
        "../../x",
        "/dev/zero",
        "1e999999999",
        "\x1b[2J",
        [],
        {},
    ),
    *([[]], [None], {"": None}, "nan", "inf", "+inf", "9" * 5000, [0] * 50, 999, "complete", "running", "2/3"),
)


def mutated_json(chance: Random, value: object) -> object:
    """Return a JSON value with one place, anywhere in it, changed."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(list(value))
        match chance.randrange(10):
            case 0:
                return {name: each for name, each in value.items() if name != key}
            case 1:
                return {**value, str(chance.choice(STRANGERS)): value[key]}
            case _:
                return {**value, key: mutated_json(chance, value[key])}
    if isinstance(value, list) and value and chance.random() < 0.9:
        place = chance.randrange(len(value))
        match chance.randrange(10):
            case 0:
                return value[:place] + value[place + 1 :]
            case 1:
                return value * 2
            case _:
                return [*value[:place], mutated_json(chance, value[place]), *value[place + 1 :]]
    return chance.choice(STRANGERS)


def mutated_object(chance: Random, data: bytes) -> bytes:
    """Return JSON with one place changed, or with changed bytes."""
    if chance.random() < 0.3:
        return mutated_bytes(chance, data)
    return json.dumps(mutated_json(chance, json.loads(data))).encode()

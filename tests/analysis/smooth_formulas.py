"""Random formulas that are smooth around a point, for comparing recommendations with an oracle. Seeded; in no suite.

A formula is a random tree of depth 2 to 4. Inner nodes are sums, products, quotients with a positive denominator, and
elementary functions of an argument inside their domain; leaves are x and linear functions of it with one decimal. The
point has three decimals in [0.5, 2.5]. Formulas whose value or derivative is not settled, 0, or outside [1e-3, 1e3] in
size are passed over, as are those that occur in a suite.
"""

import random
from collections.abc import Iterator

from diffbench import Function, exact_derivative
from diffbench.functions.suites import BUILT_IN, load_suite

SEED = 20_261_124

_UNARY = (
    "exp(-{0}**2/4)",
    "exp(sin({0}))",
    "sin({0})",
    "cos({0})",
    "log(2 + {0}**2)",
    "sqrt(1 + {0}**2)",
    "1/(1 + {0}**2)",
    "atan({0})",
    "tanh({0}/2)",
)
_BINARY = ("({0} + {1})", "({0} - {1})", "({0})*({1})", "({0})/(2 + ({1})**2)")


def smooth_functions(count: int, seed: int = SEED) -> Iterator[Function]:
    """Yield functions with one point each, no two with one formula."""
    chance = random.Random(seed)  # noqa: S311  (test data, no secret)
    seen = {function.formula.text for suite in BUILT_IN for function in load_suite(suite).functions}
    found = 0
    while found < count:
        formula, x = _tree(chance, chance.randint(2, 4)), f"{chance.uniform(0.5, 2.5):.3f}"
        if formula not in seen and _is_moderate(formula, x):
            seen.add(formula)
            found += 1
            yield Function(f"random-{found}", formula, [x])


def _tree(chance: random.Random, depth: int) -> str:
    if depth == 0:
        return chance.choice(["x", f"({chance.uniform(0.3, 3):.1f}*x + {chance.uniform(0.1, 2):.1f})"])
    if chance.random() < 0.5:
        return chance.choice(_UNARY).format(f"({_tree(chance, depth - 1)})")
    below = [_tree(chance, chance.randint(0, depth - 1)) for _ in range(2)]
    return chance.choice(_BINARY).format(*below)


def _is_moderate(formula: str, x: str) -> bool:
    if "x" not in formula:
        return False
    found = [exact_derivative(formula, x, m) for m in (0, 1)]
    return all(each.verdict == "certified" and 1e-3 <= abs(each.hi) <= 1e3 for each in found)

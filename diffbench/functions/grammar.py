"""Text to parse tree: SymPy's spelling in a closed grammar, never evaluated as Python.

The grammar, loosest binding first::

    condition  = sum [("<" | "<=" | ">" | ">=" | "==" | "!=") sum] | "True" | "False"
    sum        = product {("+" | "-") product}
    product    = signed {("*" | "/") signed}
    signed     = ("+" | "-") signed | power
    power      = atom [("**" | "^") signed]
    atom       = number | constant | variable | name "(" argument {"," argument} ")" | "(" sum ")"
    argument   = sum; in Piecewise "(" sum "," condition ")"; in hyper a list, a list and a sum
    list       = "[" items "]" | "(" items ")", items = [sum {"," sum} [","]], each sum a rational number

A minus sign binds looser than a power to its right, as in Python: ``-x**2`` is ``-(x**2)``.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import add, mul, sub, truediv
from typing import NamedTuple

from diffbench.errors import FormulaError, InputError, nearest

MAX_LENGTH = 10_000
MAX_DEPTH = 60
MAX_HEIGHT = 200
MAX_NODES = 2_000
MAX_DIGITS = 100
MAX_EXPONENT = 400
MAX_POWER = 10_000
MAX_ARGUMENT = 1_000
MAX_BITS = 20_000
MAX_ALL_BITS = 400_000
MAX_ROOT_BITS = 1_500
MAX_PARAMETER = 100
MAX_PARAMETERS = 5

CONSTANTS = ("pi", "E", "EulerGamma", "Catalan", "GoldenRatio")

ARITIES: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("exp", "expm1", "log1p", "sqrt", "cbrt", "Abs", "sign", "Heaviside"), (1, 1)),
    **dict.fromkeys(("sin", "cos", "tan", "cot", "sec", "csc", "sinc"), (1, 1)),
    **dict.fromkeys(("asin", "acos", "atan", "acot", "asec", "acsc"), (1, 1)),
    **dict.fromkeys(("sinh", "cosh", "tanh", "coth", "sech", "csch"), (1, 1)),
    **dict.fromkeys(("asinh", "acosh", "atanh", "acoth", "asech", "acsch"), (1, 1)),
    **dict.fromkeys(("gamma", "loggamma", "digamma", "factorial", "erf", "erfc", "erfi"), (1, 1)),
    **dict.fromkeys(("airyai", "airybi", "airyaiprime", "airybiprime"), (1, 1)),
    **dict.fromkeys(("Ei", "Si", "Ci", "Shi", "Chi", "fresnels", "fresnelc", "LambertW"), (1, 1)),
    **dict.fromkeys(("li", "erfinv", "erfcinv"), (1, 1)),
    **dict.fromkeys(("zeta", "elliptic_k", "elliptic_e"), (1, 1)),
    **dict.fromkeys(("besselj", "bessely", "besseli", "besselk", "polygamma", "expint"), (2, 2)),
    **dict.fromkeys(("chebyshevt", "chebyshevu", "legendre", "hermite"), (2, 2)),
    **dict.fromkeys(("atan2", "beta", "binomial", "Rational"), (2, 2)),
    **dict.fromkeys(("polylog", "uppergamma", "lowergamma"), (2, 2)),
    "hyper": (3, 3),
    "log": (1, 2),
    "Max": (2, 20),
    "Min": (2, 20),
    "Piecewise": (1, 20),
}
"""Functions of the grammar and how many arguments each takes."""

ALIASES = {
    "ln": "log",
    "abs": "Abs",
    "fabs": "Abs",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "max": "Max",
    "min": "Min",
    "psi": "digamma",
    "Gamma": "gamma",
}

INTEGER_FIRST = frozenset({"polygamma", "expint", "chebyshevt", "chebyshevu", "legendre", "hermite"})
"""Functions whose first argument must be a whole number that is not negative."""

RATIONAL_FIRST = frozenset({"polylog", "uppergamma", "lowergamma"})
"""Functions whose first argument must be a rational number of moderate size."""

RESERVED = frozenset({"I", "nan", "oo", "zoo", "inf", "True", "False", "None", *CONSTANTS, *ARITIES, *ALIASES})
"""Names that no variable may have."""

_KNOWN = (*ARITIES, *ALIASES, *CONSTANTS)

COMPARISONS = ("<=", ">=", "==", "!=", "<", ">")

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<operator>\*\*|<=|>=|==|!=|[-+*/^(),<>\[\]])"
    r"|(?P<end>$)|(?P<wrong>.))",
    re.ASCII | re.DOTALL,
)
_VARIABLE = re.compile(r"[A-Za-z][0-9]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Number:
    """A literal, exact."""

    value: Fraction
    position: int = 0


@dataclass(frozen=True, slots=True)
class Name:
    """The variable, a constant, or True and False in a condition."""

    name: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class Negative:
    """A minus sign before an operand."""

    operand: "Node"
    position: int = 0


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands and one of ``+ - * / **`` or a comparison."""

    operator: str
    left: "Node"
    right: "Node"
    position: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the table and its arguments; those of Piecewise are pairs, flattened."""

    name: str
    arguments: tuple["Node", ...]
    position: int = 0


@dataclass(frozen=True, slots=True)
class List:
    """Parameters of hyper: rational numbers, perhaps none."""

    items: tuple["Node", ...]
    position: int = 0


Node = Number | Name | Negative | Binary | Call | List


@dataclass(frozen=True)
class Formula:
    """A parsed formula, of one variable or of several that were declared.

    Attributes
    ----------
    text : str
        As it was given.
    tree : Node
        Its operations in the order in which they are written.
    variables : tuple of str
        The names of the variables; ``("x",)`` where the formula is constant.
    """

    text: str
    tree: Node
    variables: tuple[str, ...]

    @property
    def variable(self) -> str:
        """The name of the only variable.

        Raises
        ------
        InputError
            If there are several.
        """
        if len(self.variables) != 1:
            listed = ", ".join(self.variables)
            raise InputError(f"formula: {self.text[:60]!r} has the variables {listed}; only one can be had here")
        return self.variables[0]

    def __str__(self) -> str:
        return self.text

    def __hash__(self) -> int:
        # The text says it all, and a long tree takes its time.
        return hash((self.text, self.variables))


def parse_formula(text: str, variable: str | Sequence[str] | None = None) -> Formula:
    """Parse a formula of one variable, or of several that are declared.

    Parameters
    ----------
    text : str
        SymPy's spelling: ``sin(x)/x``, ``besselj(1, x)``, ``x**Rational(3, 2)``; ``^`` is ``**``.
    variable : str or sequence of str, optional
        The only variable allowed, or all that are. By default the one that occurs: a letter with optional digits.

    Raises
    ------
    FormulaError
        If the text is no formula of the grammar or passes a bound; it knows the position.

    Examples
    --------
    >>> parse_formula("1/w**2").variable
    'w'
    """
    if not isinstance(text, str):
        raise InputError(f"formula: {text!r} is not a text")
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"formula longer than {MAX_LENGTH} characters", text, MAX_LENGTH)
    parser = _Parser(text, None if variable is None else _declared(variable))
    tree = parser.parse()
    return Formula(text.strip(), tree, parser.variables or ("x",))


def _declared(variable: str | Sequence[str]) -> tuple[str, ...]:
    """Return the variables that are declared, or refuse them."""
    names = (variable,) if isinstance(variable, str) or not isinstance(variable, Sequence) else tuple(variable)
    for name in names:
        if not _is_variable(name):
            raise InputError(f"variable: {str(name)[:40]!r} is reserved or not a name")
    if not names or len(set(names)) < len(names):
        raise InputError(f"variables: {', '.join(names)[:60]!r} names none, or one twice")
    return names


def replaced(formula: Formula, given: Mapping[str, Node], variable: str, text: str) -> Formula:
    """Return the formula of one variable that is left when trees stand in the place of others.

    Parameters
    ----------
    formula : Formula
        Of several variables.
    given : mapping
        What stands in the place of variables, by name.
    variable : str
        The only one that is left.
    text : str
        What the new formula is called.

    Raises
    ------
    FormulaError
        If numbers in the place of variables make a constant that passes a bound.
    """
    tree = _Parser(formula.text, (variable,)).rebuild(formula.tree, given)
    return Formula(text, tree, (variable,))


def _is_variable(name: object) -> bool:
    return isinstance(name, str) and name.isascii() and name.isidentifier() and name not in RESERVED


def constants_only(node: Node) -> bool:
    """Return whether no variable occurs in a tree."""
    match node:
        case Number():
            return True
        case Name(name):
            return name in RESERVED
        case _:
            return all(constants_only(child) for child in children(node))


def children(node: Node) -> tuple[Node, ...]:
    """Return the operands of a node, in the order in which they are written."""
    match node:
        case Negative(operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Call(_, parts) | List(parts):
            return parts
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while True:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise FormulaError("unreadable text", text, position)
        kind = match.lastgroup
        start = match.start(kind)
        if kind == "wrong":
            raise FormulaError(f"character {match[kind]!a} has no meaning in a formula", text, start)
        yield _Token(kind, match[kind], start)
        if kind == "end":
            return
        position = match.end()


class _Parser:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, text: str, variables: tuple[str, ...] | None) -> None:
        self.text = text
        self.variables = variables
        self._is_declared = variables is not None
        self._second: _Token | None = None
        self._tokens = _tokens(text)
        self._token = next(self._tokens)
        self._depth = 0
        self._bits = 0
        self._facts: dict[int, _Facts] = {}

    def parse(self) -> Node:
        tree = self._sum()
        if self._token.kind != "end":
            raise self._unexpected("an operator is missing or the formula goes on")
        if self._second is not None:
            raise self._second_variable(self._second)
        return tree

    def _error(self, message: str, position: int) -> FormulaError:
        return FormulaError(message, self.text, position)

    def _unexpected(self, message: str) -> FormulaError:
        found = "the formula ends" if self._token.kind == "end" else f"found {self._token.text[:20]!r}"
        return self._error(f"{message} ({found})", self._token.position)

    def _advance(self) -> _Token:
        token, self._token = self._token, next(self._tokens, self._token)
        return token

    def _accept(self, *operators: str) -> _Token | None:
        if self._token.kind == "operator" and self._token.text in operators:
            return self._advance()
        return None

    def _expect(self, operator: str) -> None:
        if not self._accept(operator):
            raise self._unexpected(f"expected {operator!r}")

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"nested deeper than {MAX_DEPTH} levels", self._token.position)

    def _grow(self, node: Node) -> Node:
        """Keep the tree so small and flat that recursion over it is safe, however the formula was written."""
        if len(self._facts) == MAX_NODES:
            raise self._error(f"more than {MAX_NODES} numbers, names and operations", node.position)
        facts = _facts(node, [self._facts[id(child)] for child in children(node)])
        if facts.height > MAX_HEIGHT:
            raise self._error(f"more than {MAX_HEIGHT} operations on top of each other", node.position)
        if facts.bits > MAX_BITS * (1 if facts.is_constant else 10):
            raise self._error(f"constant of over {MAX_BITS} bits, written out", node.position)
        if facts.value is not None:
            self._bits += _bits(facts.value)
            if self._bits > MAX_ALL_BITS:
                raise self._error(f"constants of over {MAX_ALL_BITS} bits in all", node.position)
        self._facts[id(node)] = facts
        return node

    def _value(self, node: Node) -> Fraction | None:
        return self._facts[id(node)].value

    def _condition(self) -> Node:
        if self._token.kind == "name" and self._token.text in {"True", "False"}:
            token = self._advance()
            return self._grow(Name(token.text, token.position))
        left = self._sum()
        operator = self._accept(*COMPARISONS)
        if operator is None:
            raise self._unexpected("expected a comparison")
        comparison = Binary(operator.text, left, self._sum(), operator.position)
        self._grow(comparison)
        inner = self._facts[id(comparison)].piecewise
        if inner is not None:
            raise self._error("a condition holds no Piecewise", inner.position)
        return comparison

    def _sum(self) -> Node:
        left = self._product()
        while operator := self._accept("+", "-"):
            left = self._binary(operator, left, self._product())
        return left

    def _product(self) -> Node:
        left = self._signed()
        while operator := self._accept("*", "/"):
            left = self._binary(operator, left, self._signed())
        return left

    def _signed(self) -> Node:
        if sign := self._accept("+", "-"):
            self._descend()
            operand = self._signed()
            self._depth -= 1
            return operand if sign.text == "+" else self._grow(Negative(operand, sign.position))
        return self._power()

    def _power(self) -> Node:
        base = self._atom()
        if operator := self._accept("**", "^"):
            self._descend()
            exponent = self._signed()
            self._depth -= 1
            return self._binary(operator, base, exponent)
        return base

    def _binary(self, token: _Token, left: Node, right: Node) -> Node:
        node = Binary("**" if token.text == "^" else token.text, left, right, token.position)
        if node.operator == "**":
            self._check_power(node)
        else:
            self._check_bits(node)
        return self._grow(node)

    def _atom(self) -> Node:
        token = self._token
        if token.kind == "number":
            return self._number()
        if token.kind == "name":
            return self._name()
        if not self._accept("("):
            raise self._unexpected("expected a number, a variable, a function or '('")
        self._descend()
        inner = self._sum()
        self._expect(")")
        self._depth -= 1
        return inner

    def _number(self) -> Node:
        token = self._advance()
        digits, _, exponent = token.text.lower().partition("e")
        if len(digits) > MAX_DIGITS or len(exponent) > 6 or abs(int(exponent or 0)) > MAX_EXPONENT:
            raise self._error(f"number of over {MAX_DIGITS} digits or beyond 1e±{MAX_EXPONENT}", token.position)
        return self._grow(Number(Fraction(token.text), token.position))

    def _name(self) -> Node:
        token = self._advance()
        name = ALIASES.get(token.text, token.text)
        if name in ARITIES:
            return self._call(name, token)
        if name in CONSTANTS:
            return self._grow(Name(name, token.position))
        if name in RESERVED:
            raise self._error(f"{token.text!r} has no meaning here", token.position)
        if self._token.text == "(" and name not in (self.variables or ()):
            raise self._error(f"unknown function {token.text[:40]!r}{nearest(token.text, _KNOWN)}", token.position)
        return self._variable(token)

    def _variable(self, token: _Token) -> Node:
        known = self.variables or ()
        if not self._is_declared and token.text not in known:
            if not _VARIABLE.fullmatch(token.text):
                hint = nearest(token.text, _KNOWN) or "; a variable is a letter with optional digits"
                raise self._error(f"unknown name {token.text[:40]!r}{hint}", token.position)
            if len(known) == 1:
                self._second = token
            self.variables = (*known, token.text)
        elif token.text not in known:
            if len(known) == 1:
                raise self._second_variable(token)
            raise self._error(f"variable {token.text[:40]!r} is none of {', '.join(known)}", token.position)
        return self._grow(Name(token.text, token.position))

    def _second_variable(self, token: _Token) -> FormulaError:
        known = self.variables or ()
        message = f"second variable {token.text[:40]!r} beside {known[0]!r}; a formula of one is expected here"
        return FormulaError(message, self.text, token.position, () if self._is_declared else known)

    def rebuild(self, node: Node, given: Mapping[str, Node]) -> Node:
        """Return a tree with others in the place of variables, grown under the bounds that a written one has."""
        below = [self.rebuild(child, given) for child in children(node)]
        match node:
            case Name(name) if name in given:
                return self.rebuild(given[name], {})
            case Number(value):
                return self._grow(Number(value, node.position))
            case Name(name):
                return self._grow(Name(name, node.position))
            case Negative():
                return self._grow(Negative(below[0], node.position))
            case Binary(operator) if operator in COMPARISONS:
                return self._grow(Binary(operator, below[0], below[1], node.position))
            case Binary(operator):
                return self._binary(_Token("operator", operator, node.position), below[0], below[1])
            case List():
                return self._grow(List(tuple(below), node.position))
            case Call(name):
                call = Call(name, tuple(below), node.position)
                self._check_call(call)
                return self._grow(call)

    def _call(self, name: str, token: _Token) -> Node:
        self._expect("(")
        self._descend()
        arguments = [*self._argument(name, 0)]
        while self._accept(","):
            arguments += self._argument(name, len(arguments))
        self._expect(")")
        self._depth -= 1
        call = Call(name, tuple(arguments), token.position)
        self._check_call(call)
        return self._grow(call)

    def _argument(self, name: str, place: int) -> tuple[Node, ...]:
        if name == "Piecewise":
            return self._pair()
        return (self._list(is_lower=place == 1) if name == "hyper" and place < 2 else self._sum(),)

    def _pair(self) -> tuple[Node, ...]:
        self._expect("(")
        self._descend()
        value = self._sum()
        self._expect(",")
        condition = self._condition()
        self._expect(")")
        self._depth -= 1
        return value, condition

    def _list(self, *, is_lower: bool) -> Node:
        opening = self._accept("[", "(")
        if opening is None:
            raise self._unexpected("expected a list of parameters such as [1, 1/2]")
        self._descend()
        closing = "]" if opening.text == "[" else ")"
        items: list[Node] = []
        while not self._accept(closing):
            if len(items) == MAX_PARAMETERS:
                raise self._error(f"a list of hyper has 0 to {MAX_PARAMETERS} parameters", opening.position)
            items.append(self._parameter(is_lower=is_lower))
            # As in Python, a comma may follow the last one: SymPy prints (1,).
            if not self._accept(","):
                self._expect(closing)
                break
        self._depth -= 1
        return self._grow(List(tuple(items), opening.position))

    def _parameter(self, *, is_lower: bool) -> Node:
        start, node = self._token.position, self._sum()
        value = self._value(node)
        if not _is_parameter(value):
            raise self._error(f"a parameter of hyper must be a rational number up to ±{MAX_PARAMETER}", start)
        if is_lower and _is_pole(value):
            raise self._error("a lower parameter of hyper must be no whole number up to 0", start)
        return node

    def _check_call(self, call: Call) -> None:
        count = len(call.arguments) // (2 if call.name == "Piecewise" else 1)
        low, high = ARITIES[call.name]
        if not low <= count <= high:
            wanted = str(low) if low == high else f"{low} to {high}"
            raise self._error(f"{call.name} takes {wanted} arguments, not {count}", call.position)
        values = [self._value(argument) for argument in call.arguments]
        if call.name == "Rational" and (None in values or values[1] == 0):
            raise self._error("Rational takes two numbers, the second not 0", call.position)
        if call.name in INTEGER_FIRST and not _is_order(values[0]):
            raise self._error(f"the first argument of {call.name} must be a whole number from 0 to 100", call.position)
        if call.name in RATIONAL_FIRST and not _is_parameter(values[0]):
            message = f"the first argument of {call.name} must be a rational number up to ±{MAX_PARAMETER}"
            raise self._error(message, call.position)
        if call.name == "lowergamma" and _is_pole(values[0]):
            raise self._error("the first argument of lowergamma must be no whole number up to 0", call.position)
        self._check_constants(call)
        if call.name in {"sqrt", "cbrt"}:
            self._check_root(call.arguments[0], call.position)

    def _check_root(self, node: Node, position: int) -> None:
        """Keep SymPy from looking for the factors of a large number, which it takes a root of."""
        value = self._value(node)
        if value is not None and _bits(value) > MAX_ROOT_BITS:
            raise self._error(f"root of a constant of over {MAX_ROOT_BITS} bits", position)

    def _check_constants(self, call: Call) -> None:
        """Keep SymPy from expanding a call of numbers, such as factorial(factorial(100)), without end."""
        if call.name == "exp" or call.name in _EXPANDED:
            bound = MAX_POWER if call.name == "exp" else MAX_ARGUMENT
            for argument in call.arguments:
                self._check_size(argument, bound, f"{call.name} of a constant", call.position)

    def _check_size(self, node: Node, bound: int, what: str, position: int) -> None:
        facts = self._facts[id(node)]
        if facts.is_constant and not abs(facts.estimate) <= bound:
            raise self._error(f"{what} beyond ±{bound}, or not elementary", position)

    def _check_power(self, node: Binary) -> None:
        self._check_size(node.right, MAX_POWER, "exponent", node.position)
        exponent, base = self._value(node.right), self._value(node.left)
        if exponent is None or exponent.denominator != 1:
            self._check_root(node.left, node.position)
        if exponent is None or base is None:
            return
        if _bits(base) * max(Fraction(1), abs(exponent)) > MAX_BITS:
            raise self._error(f"constant of over {MAX_BITS} bits", node.position)
        if base == 0 and exponent < 0:
            raise self._error("constant divides by 0", node.position)

    def _check_bits(self, node: Binary) -> None:
        left, right = self._value(node.left), self._value(node.right)
        if left is None or right is None:
            return
        if node.operator == "/" and right == 0:
            raise self._error("constant divides by 0", node.position)
        if _bits(left) + _bits(right) > MAX_BITS:
            raise self._error(f"constant of over {MAX_BITS} bits", node.position)


class _Facts(NamedTuple):
    """What is known of a node of a tree, so that no check looks at all that is below it again.

    `estimate` is a constant's value in floats, NaN where a function in it is not elementary; `bits` how many the
    numbers may have, taken together, that SymPy writes out; `piecewise` the first Piecewise in it.
    """

    height: int
    is_constant: bool
    value: Fraction | None
    estimate: float
    bits: float
    piecewise: Node | None


def _facts(node: Node, below: Sequence[_Facts]) -> _Facts:
    is_constant = node.name in RESERVED if isinstance(node, Name) else all(each.is_constant for each in below)
    try:
        estimate = _estimate(node, [each.estimate for each in below]) if is_constant else math.nan
    except (ArithmeticError, ValueError):
        estimate = math.nan
    value = _value_from(node, [each.value for each in below])
    is_piecewise = isinstance(node, Call) and node.name == "Piecewise"
    return _Facts(
        height=1 + max(each.height for each in below) if below else 0,
        is_constant=is_constant,
        value=value,
        estimate=estimate,
        bits=_written_bits(node, below) if value is None else _bits(value),
        piecewise=node if is_piecewise else next((each.piecewise for each in below if each.piecewise), None),
    )


def _written_bits(node: Node, below: Sequence[_Facts]) -> float:
    """Return how many bits SymPy may write out: it multiplies out (2*x)**n, and knows all digits of factorial(n)."""
    bits = sum(each.bits for each in below)
    sizes = [abs(each.estimate) if math.isfinite(each.estimate) else 0.0 for each in below]
    match node:
        case Binary("**"):
            return bits + below[0].bits * sizes[1]
        case Call("polygamma"):
            return bits + 2 * (1 + sizes[0]) * (1 + sizes[1])
        case Call(name) if name in INTEGER_FIRST:
            return bits + sizes[0] * (10 + below[1].bits)
        case Call(name) if name in _EXPANDED:
            return bits + 10 * sum(sizes)
        case Binary("+" | "-"):
            return bits + 1
        case _:
            return bits


def _estimate(node: Node, below: Sequence[float]) -> float:
    """Return a constant roughly, in floats; raises ValueError where a function in it is not elementary."""
    match node:
        case Number(value):
            return float(value)
        case Name(name) if name in _ROUGHLY:
            return _ROUGHLY[name]
        case Negative():
            return -below[0]
        case Binary(operator) if operator in _ARITHMETIC:
            return _ARITHMETIC[operator](*below)
        case Call(name) if name in _ELEMENTARY:
            return _ELEMENTARY[name](*below)
        case _:
            raise ValueError(node)


_ROUGHLY = {"pi": math.pi, "E": math.e, "EulerGamma": 0.58, "Catalan": 0.92, "GoldenRatio": 1.62}
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": add,
    "-": sub,
    "*": mul,
    "/": truediv,
    "**": math.pow,
}
_ELEMENTARY: dict[str, Callable[..., float]] = {
    **{name: getattr(math, name) for name in ("exp", "log", "sqrt", "cbrt", "sin", "cos", "tan", "atan", "tanh")},
    "Rational": truediv,
    "Abs": abs,
}
_BESSEL = ("besselj", "bessely", "besseli", "besselk")
_EXPANDED = RATIONAL_FIRST.union(
    ("factorial", "gamma", "loggamma", "digamma", "polygamma", "binomial", "beta", "zeta", "expint", *_BESSEL)
)
"""Functions of which SymPy may write out the value at a number."""


def rational_value(node: Node) -> Fraction | None:
    """Return the exact value of a tree of numbers, or None where it has no or no small rational one."""
    return _value_from(node, [rational_value(child) for child in children(node)])


def _value_from(node: Node, below: Sequence[Fraction | None]) -> Fraction | None:
    """Return the value of a node by those of its operands."""
    match node:
        case Number(value):
            return value
        case Negative():
            return None if below[0] is None else -below[0]
        case Binary(operator) if operator not in COMPARISONS:
            return _combine(operator, *below)
        case Call("Rational"):
            return _combine("/", *below)
        case _:
            return None


def _combine(operator: str, left: Fraction | None, right: Fraction | None) -> Fraction | None:
    if left is None or right is None:
        return None
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right if right else None
    if right.denominator != 1 or (left == 0 and right < 0):
        return None
    return left ** int(right)


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _is_order(value: Fraction | None) -> bool:
    return value is not None and value.denominator == 1 and 0 <= value <= 100


def _is_parameter(value: Fraction | None) -> bool:
    return value is not None and abs(value) <= MAX_PARAMETER


def _is_pole(value: Fraction | None) -> bool:
    """Return whether the gamma function has a pole there."""
    return value is not None and value.denominator == 1 and value <= 0

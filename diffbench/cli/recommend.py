"""``diffbench recommend``."""

from pathlib import Path
from typing import Any

import click

from diffbench.analysis.advice import ClassAdvice
from diffbench.analysis.gradient_checks import CHECKERS, CheckAdvice, gradient_check
from diffbench.analysis.recommend import Recommendation, recommend
from diffbench.cli.output import figure_kind, format_option, print_object
from diffbench.errors import EmptySelectionError, InputError
from diffbench.functions.suites import load_suite
from diffbench.rounding import finite
from diffbench.sweep.files import io_errors, write_file
from diffbench.sweep.run import run
from diffbench.sweep.spec import Spec


@click.command(
    short_help="Say which scheme and epsilon to take for a formula.",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
@click.argument("formula", required=False)
@click.option("--at", "x", help="The point, as exact decimal or rational.")
@click.option("--derivative", default=1, show_default=True, help="Which derivative.")
@click.option("--dtype", default="float64", show_default=True, help="float16, bfloat16, float32 or float64.")
@click.option("--evaluations", type=int, help="How many values of f an estimate may take.")
@click.option("--allow", type=click.Choice(["complex"]), help="Schemes that need f off the real line too.")
@click.option("--framework", type=click.Choice(list(CHECKERS)), help="Epsilon and tolerance for its gradient check.")
@click.option("--class", "tag", help="Without a formula: advice for functions of the suite with this tag.")
@click.option("--suite", help="Without a formula: advice for a suite. Default: standard.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw the predicted error: an svg, png or pdf file.")
@format_option
def command(formula: str | None, x: str | None, *, style: str, **asked: Any) -> None:
    """Say which scheme and epsilon to take for FORMULA at a point, how many digits to expect, and why.

    The advice comes from the formula's derivatives and a model of the rounding errors; nothing is swept. Without a
    formula the functions of a suite are swept, and the advice is what was best over them. The formula may begin with a
    minus sign. Exit code 6 where the derivative does not exist or is not settled.

    With --framework the formula is swept by central differences as JAX or torch computes it. Printed are the epsilon
    and the tolerances that its gradient check can have in the dtype, beside its defaults and what these leave. Exit
    code 2 where the framework is not installed, or has not what the formula needs.
    """
    framework = asked.pop("framework")
    if framework is not None:
        print_object(_shown(_check_advice(formula, x, framework, asked), style), style)
        return
    tag, suite, figure = (asked.pop(name) for name in ("tag", "suite", "figure"))
    allow_complex = asked.pop("allow") == "complex"
    if formula is None:
        if x is not None or figure is not None:
            raise InputError("formula: --at and --figure need one")
        if tag is None and suite is None:
            raise InputError("formula: give one with --at, or --class or --suite without it")
        print_object(_shown(_class_advice(tag, suite or "standard", asked, allow_complex=allow_complex), style), style)
        return
    if tag is not None or suite is not None:
        raise InputError("class: --class and --suite are for advice without a formula")
    advice = recommend(formula, x, **asked, allow_complex=allow_complex)
    if figure is not None:
        _draw(advice, figure)
    print_object(_shown(advice, style), style)


def _check_advice(formula: str | None, x: str | None, framework: str, asked: dict[str, Any]) -> CheckAdvice:
    dtype, derivative = asked.pop("dtype"), asked.pop("derivative")
    others = [name for name, value in asked.items() if value is not None]
    if formula is None or others or derivative != 1:
        raise InputError("framework: it takes a formula, --at and --dtype, and gives the first derivative by central-2")
    return gradient_check(formula, x, framework, dtype)


def _class_advice(
    tag: str | None, suite: str, asked: dict[str, Any], *, allow_complex: bool
) -> Recommendation | ClassAdvice:
    functions = [each for each in load_suite(suite).functions if tag is None or tag in each.tags]
    if not functions:
        known = sorted({each for function in load_suite(suite).functions for each in function.tags})
        raise EmptySelectionError(f"class: no function of {suite} is tagged {tag!r}, but {', '.join(known)}")
    results = run(Spec(functions, derivatives=asked["derivative"], dtypes=asked["dtype"]))
    return recommend(results, None, **asked, allow_complex=allow_complex)


def _shown(advice: Recommendation | ClassAdvice | CheckAdvice, style: str) -> dict[str, Any]:
    """Return the fields: as they are for JSON, the runner-up in one line and digits rounded for people."""
    fields = advice.fields()
    if style == "json":
        return fields
    second = fields.get("runner_up")
    if second:
        how = f"epsilon {second['epsilon']!r}" if second["epsilon"] is not None else f"rule {second['rule']}"
        fields["runner_up"] = f"{second['scheme']} with {how}, {_rounded(second['digits'])} digits"
    return {
        key: value if key in {"epsilon", "x", "default_epsilon"} else _rounded(value) for key, value in fields.items()
    }


def _rounded(value: Any) -> Any:
    return float(f"{value:.3g}") if isinstance(value, float) and finite(value) is not None else value


def _draw(advice: Recommendation | ClassAdvice, path: Path) -> None:
    from diffbench.report.plots import figure_bytes, recommendation_figure

    kind = figure_kind(path)
    if isinstance(advice, Recommendation):
        with io_errors(path):
            write_file(path, figure_bytes(recommendation_figure(advice), kind))

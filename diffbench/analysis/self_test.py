"""A gate that is tested: with a weight that is wrong by 1 + 2u the numbers of a scheme must not pass."""

from collections.abc import Callable

from diffbench.analysis.baseline import Baseline, baseline_of
from diffbench.analysis.gate import judge
from diffbench.analysis.judgement import Judgement
from diffbench.analysis.pairing import Pairs
from diffbench.errors import DiffbenchError, InputError, NotComparableError
from diffbench.schemes.perturbed import perturbed
from diffbench.schemes.scheme import DifferenceScheme, Scheme
from diffbench.sweep.results import Results
from diffbench.sweep.spec import Spec


def self_test(spec: Spec, baseline: Baseline, measure: Callable[[Spec], Results]) -> tuple[str, Judgement]:
    """Judge the first difference scheme with one weight multiplied by 1 + 2u when it is evaluated.

    Parameters
    ----------
    spec : Spec
        What is measured; of its schemes that one alone.
    baseline : Baseline
        What it is judged by, where it is of this platform. Bounds that hold on any platform cannot see so little; there
        the right scheme, measured at the same time, takes its place.
    measure : callable
        Runs a spec.

    Returns
    -------
    name : str
        The scheme.
    judgement : Judgement
        That of the wrong weight. It has other bits.

    Raises
    ------
    InputError
        If there is no difference scheme.
    NotComparableError
        If the right weights do not pass either.
    DiffbenchError
        If the wrong weight passes.
    """
    chosen = next((scheme for scheme in spec.schemes if isinstance(scheme, DifferenceScheme)), None)
    if chosen is None:
        raise InputError("self-test: the spec has no scheme with weights")
    right, wrong = (
        baseline_of(measure(_with_scheme(spec, scheme)), with_orders=False) for scheme in (chosen, perturbed(chosen))
    )
    held = baseline.some([row for row, name in enumerate(baseline.names) if name.scheme == chosen.name])
    if not Pairs(held, right).is_exact.any():
        held = right
    before = judge(held, right, overrides=())
    if before.exit_code:
        raise NotComparableError(f"self-test: the right weights do not pass either: {before.reason}")
    found = judge(held, wrong, overrides=())
    if not any((each.rule, each.group) == ("bits", chosen.name) for each in found.findings):
        raise DiffbenchError(f"self-test: {chosen.name} with a weight times 1 + 2u passed; this gate sees nothing")
    return chosen.name, found


def _with_scheme(spec: Spec, scheme: Scheme) -> Spec:
    """Return a spec with one scheme alone, whose errors are not taken apart."""
    values = {name: getattr(spec, name) for name in type(spec).model_fields}
    return Spec(**(values | {"schemes": [scheme], "derivatives": [scheme.derivative], "anatomy": False, "gate": ()}))

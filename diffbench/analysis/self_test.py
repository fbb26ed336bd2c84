"""A gate that is tested: with a weight that is wrong by 1 + 2u the numbers of a scheme must not pass."""

from collections.abc import Callable

from diffbench.analysis.baseline import Baseline, baseline_of
from diffbench.analysis.gate import judge
from diffbench.analysis.judgement import Judgement
from diffbench.analysis.pairing import Pairs
from diffbench.errors import InputError
from diffbench.schemes.perturbed import perturbed
from diffbench.schemes.scheme import DifferenceScheme, Scheme
from diffbench.sweep.results import Results
from diffbench.sweep.spec import Spec

Measure = Callable[[Spec], Results]


def self_test(spec: Spec, baseline: Baseline, measure: Measure) -> tuple[str, Judgement]:
    """Judge a run in which one weight of the first difference scheme is multiplied by 1 + 2u when it is evaluated.

    Parameters
    ----------
    spec : Spec
        What is measured, with that scheme in the place of the right one.
    baseline : Baseline
        What it is judged by. Bounds that hold on any platform cannot see so little; where the baseline is of another
        platform, the right scheme is measured too and takes its place.
    measure : callable
        Runs a spec.

    Returns
    -------
    name : str
        The scheme.
    judgement : Judgement
        It must not pass.

    Raises
    ------
    InputError
        If there is no difference scheme.
    """
    chosen = next((scheme for scheme in spec.schemes if isinstance(scheme, DifferenceScheme)), None)
    if chosen is None:
        raise InputError("self-test: the spec has no scheme with weights")
    wrong = tuple(perturbed(scheme) if scheme == chosen else scheme for scheme in spec.schemes)
    after = baseline_of(measure(_with_schemes(spec, wrong)), with_orders=False)
    if not Pairs(baseline, after).is_exact:
        baseline = baseline_of(measure(_with_schemes(spec, spec.schemes)), with_orders=False)
    return chosen.name, judge(baseline, after, overrides=())


def _with_schemes(spec: Spec, schemes: tuple[Scheme, ...]) -> Spec:
    """Return a spec with other schemes, whose errors are not taken apart."""
    values = {name: getattr(spec, name) for name in type(spec).model_fields}
    return Spec(**(values | {"schemes": schemes, "anatomy": False}))

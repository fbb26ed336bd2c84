"""The steps that packages take where nobody says otherwise, with the difference formula that each is a default of.

They were chosen for float64, and most are numbers that do not know the dtype.
"""

from dataclasses import dataclass

from diffbench.schemes.step_rules import Rule, find_rule


@dataclass(frozen=True)
class PublishedStep:
    """A default of a package.

    Attributes
    ----------
    name : str
        Package and function.
    scheme : str
        The scheme that it is, for the first derivative.
    rule_name : str
        The rule that is the step, in terms of that scheme's epsilon.
    source : str
        Where it stands.
    """

    name: str
    scheme: str
    rule_name: str
    source: str

    @property
    def rule(self) -> Rule:
        """The rule itself."""
        return find_rule(self.rule_name)


PUBLISHED_STEPS = (
    PublishedStep(
        "scipy approx_fprime, minimize",
        "forward-1",
        "fixed(2^-26)",
        "scipy.optimize, the default epsilon and eps: sqrt(numpy.finfo(float).eps), about 1.49e-8",
    ),
    PublishedStep("scipy L-BFGS-B", "forward-1", "fixed(1e-8)", "scipy.optimize.fmin_l_bfgs_b, the default epsilon"),
    PublishedStep(
        "statsmodels approx_fprime",
        "forward-1",
        "scaled(2^-26,0.1)",
        "statsmodels.tools.numdiff, sqrt(eps of float64) max(|x|, 0.1)",
    ),
    PublishedStep(
        "statsmodels approx_fprime centered",
        "central-2",
        "scaled(6.055454452393343e-06,0.1)",
        "statsmodels.tools.numdiff, cbrt(eps of float64) max(|x|, 0.1)",
    ),
    PublishedStep(
        "GSL gsl_deriv_central",
        "central-4",
        "fixed(5e-9)",
        "GNU Scientific Library manual, the step 1e-8 of its example, whose 5-point rule has nodes at half of it",
    ),
    PublishedStep("PyTorch gradcheck", "central-2", "fixed(1e-6)", "torch.autograd.gradcheck, the default eps"),
    PublishedStep(
        "autograd check_grads",
        "central-2",
        "fixed(5e-7)",
        "autograd.test_util, EPS = 1e-6 between the nodes",
    ),
    PublishedStep("JAX check_grads", "central-2", "fixed(1e-4)", "jax.test_util.check_grads, the default EPS"),
    PublishedStep(
        "TensorFlow compute_gradient",
        "central-2",
        "fixed(1/1024)",
        "tensorflow gradient_checker_v2, the default delta",
    ),
    PublishedStep("R optim", "central-2", "fixed(1e-3)", "R, stats::optim, the default of ndeps"),
)
"""Defaults of packages, as their sources have them."""

PUBLISHED_RULES = tuple(dict.fromkeys(step.rule for step in PUBLISHED_STEPS))
PUBLISHED_SCHEMES = tuple(dict.fromkeys(step.scheme for step in PUBLISHED_STEPS))

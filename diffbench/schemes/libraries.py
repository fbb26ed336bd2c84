"""Differentiators of other packages, as opaque schemes.

Each is called as its documentation shows, with its own defaults. One that can be told a step has a second entry,
``-epsilon``, that is swept. A point is handed over in the working dtype; what a package makes of it is its own
affair. No package is imported before it is called.
"""

import ctypes
import ctypes.util
from collections.abc import Callable, Iterable
from functools import cache, partial
from importlib import import_module, metadata
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.errors import InputError, UnsupportedError, nearest
from diffbench.schemes import plugins
from diffbench.schemes.library import Library
from diffbench.schemes.scheme import Scheme, split_derivative

Array = npt.NDArray[Any]


def _module(name: str) -> Any:
    """Import what a package is called by; the name before the first dot is that of the distribution, too."""
    package = name.partition(".")[0]
    try:
        import_module(package)
        return import_module(name)
    except ModuleNotFoundError as error:
        why = "is not installed" if error.name == package else f"needs {error.name}, which is not installed"
        raise UnsupportedError(f"{package} {why}") from error
    except ImportError as error:
        raise UnsupportedError(f"{package} cannot be imported: {error}") from error


# on functions ---------------------------------------------------------------------------------------------------------


def _scipy_derivative(f: Any, x: Any, _: int, epsilon: Any = None) -> Any:
    derivative = _module("scipy.differentiate").derivative
    if epsilon is None:
        result = derivative(f, x)
        return result.df, result.error
    # Its steps are initial_step and halves of it. After one iteration there is nothing yet to estimate an error from.
    return derivative(f, x, initial_step=epsilon, maxiter=1).df


def _scipy_approx_fprime(f: Any, x: Any, _: int, *epsilon: Any) -> Any:
    return _module("scipy.optimize").approx_fprime(np.array([x]), f, *epsilon)


def _scipy_approx_derivative(f: Any, x: Any, _: int, epsilon: Any = None, *, method: str) -> Any:
    approx_derivative = _module("scipy.optimize._numdiff").approx_derivative
    return approx_derivative(f, np.array([x]), method=method, abs_step=epsilon)


def _statsmodels(f: Any, x: Any, _: int, epsilon: Any = None, *, function: str, **options: Any) -> Any:
    approximate = getattr(_module("statsmodels.tools.numdiff"), function)
    return approximate(np.array([x]), lambda vector: f(vector[0]), epsilon, **options)


def _numdifftools(f: Any, x: Any, derivative: int, epsilon: Any = None, *, method: str) -> Any:
    differentiate = _module("numdifftools").Derivative(f, step=epsilon, method=method, n=derivative, full_output=True)
    result = differentiate(x)
    return result.estimate, result.error_estimate


def _numdifftools_fornberg(f: Any, x: Any, derivative: int, epsilon: Any = None) -> Any:
    options = {} if epsilon is None else {"r": epsilon}
    differentiate = _module("numdifftools.fornberg").derivative
    estimates, info = differentiate(f, x, n=derivative, full_output=True, **options)
    return estimates[derivative].real, info.error_estimate[derivative]


def _jacobi(f: Any, x: Any, _: int, **options: Any) -> Any:
    return _module("jacobi").jacobi(f, x, **options)


def _derivkit(f: Any, x: Any, derivative: int, **options: Any) -> Any:
    return _module("derivkit").DerivativeKit(f, x).differentiate(order=derivative, **options)


def _derivkit_finite(f: Any, x: Any, derivative: int, epsilon: Any) -> Any:
    return _derivkit(f, x, derivative, method="finite", stepsize=epsilon)


def _derivkit_adaptive(f: Any, x: Any, derivative: int, epsilon: Any) -> Any:
    return _derivkit(f, x, derivative, method="adaptive", spacing=float(epsilon), return_error=True)


def _derivkit_local_polynomial(f: Any, x: Any, derivative: int) -> Any:
    estimate, relative = _derivkit(f, x, derivative, return_error=True)
    return estimate, relative * max(1.0, abs(estimate))


def _fdm(f: Any, x: Any, derivative: int, *, family: str) -> Any:
    method = _fdm_method(family, derivative)
    estimate = method(f, x)
    return estimate, np.nan if method.acc is None else method.acc


def _fdm_epsilon(f: Any, x: Any, derivative: int, epsilon: Any, *, family: str) -> Any:
    return _fdm_method(family, derivative)(f, x, step=epsilon)


def _fdm_method(family: str, derivative: int) -> Any:
    """Return the method whose accuracy is that of the 5 points in its documentation, for any derivative."""
    points = 2 * _side(derivative, 4) + 1 if family == "central" else derivative + 4
    return getattr(_module("fdm"), f"{family}_fdm")(points, derivative)


# numericalderivative --------------------------------------------------------------------------------------------------


def _formula(f: Any, x: Any, derivative: int, epsilon: Any = None, *, family: str) -> Any:
    order = {1: "First", 2: "Second", 3: "Third"}[derivative]
    formula = getattr(_module("numericalderivative"), f"{order}Derivative{family}")(f, x)
    return formula.compute(formula.compute_step()[0] if epsilon is None else epsilon)


def _general(f: Any, x: Any, derivative: int, epsilon: Any = None, *, accuracy: int) -> Any:
    formula = _module("numericalderivative").GeneralFiniteDifference(f, x, derivative, accuracy)
    return formula.compute(formula.compute_step()[0] if epsilon is None else epsilon)


def _shi_general(f: Any, x: Any, derivative: int, *, accuracy: int) -> Any:
    package = _module("numericalderivative")
    search = package.ShiXieXuanNocedalGeneral(package.GeneralFiniteDifference(f, x, derivative, accuracy))
    return search.compute_derivative(search.find_step()[0])


def _shi_forward(f: Any, x: Any, _: int) -> Any:
    package = _module("numericalderivative")
    search = package.ShiXieXuanNocedalForward(f, x)
    # The step that find_step() is documented to begin with; it compares None with 0 instead.
    start, _error = package.FirstDerivativeForward.compute_step(1.0, search.get_absolute_precision())
    return search.compute_first_derivative(search.find_step(start)[0])


def _search(f: Any, x: Any, _: int, *, algorithm: str, **bracket: Any) -> Any:
    search = getattr(_module("numericalderivative"), algorithm)(f, x)
    return search.compute_first_derivative(search.find_step(**bracket)[0])


def _stepleman_winarsky(f: Any, x: Any, _: int) -> Any:
    package = _module("numericalderivative")
    search = package.SteplemanWinarsky(f, x)
    start, _iterations = package.SteplemanWinarskyInitialize(search).find_initial_step(1e-5, 1e7)
    return search.compute_first_derivative(search.find_step(start)[0])


# on samples -----------------------------------------------------------------------------------------------------------


def _samples(x: Any, epsilon: Any, side: int) -> Array:
    """Return x + kε for k from -side to side, in the dtype of x."""
    nodes: Array = x + np.arange(-side, side + 1).astype(x.dtype) * epsilon
    return nodes


def _side(derivative: int, accuracy: int) -> int:
    """Return how many nodes the central stencil of an even accuracy has on each side."""
    return (derivative + 1) // 2 - 1 + accuracy // 2


def _findiff(f: Any, x: Any, derivative: int, epsilon: Any, *, accuracy: int) -> Any:
    # At the ends of the array it applies stencils to one side, which need room although nobody asks for their values.
    side = (3 * _side(derivative, accuracy) + 2) // 2
    operator = _module("findiff").Diff(0, epsilon, acc=accuracy) ** derivative
    return operator(f(_samples(x, epsilon, side)))[side]


def _pynumdiff(f: Any, x: Any, _: int, epsilon: Any, *, order: int) -> Any:
    side = max(1, order // 2)
    differentiate = _module("pynumdiff.finite_difference").finitediff
    return differentiate(f(_samples(x, epsilon, side)), epsilon, order=order)[1][side]


def _finitediff(f: Any, x: Any, derivative: int, epsilon: Any, *, accuracy: int) -> Any:
    nodes = _samples(x, epsilon, _side(derivative, accuracy))
    differentiate = _module("finitediff").derivatives_at_point_by_finite_diff
    return differentiate(nodes, f(nodes), x, derivative)[derivative]


def _derivkit_fornberg(f: Any, x: Any, derivative: int, epsilon: Any, *, accuracy: int) -> Any:
    offsets = _samples(x.dtype.type(0), epsilon, _side(derivative, accuracy))
    return _derivkit(f, x, derivative, method="fornberg", grid=offsets)


# on formulas ----------------------------------------------------------------------------------------------------------


def _mpmath(f: Any, x: Any, derivative: int, epsilon: Any = None) -> float:
    mpmath = _module("mpmath")
    options = {} if epsilon is None else {"h": float(epsilon)}
    with mpmath.workdps(15):
        return float(mpmath.diff(f.in_namespace("mpmath"), float(x), derivative, **options))


def _autograd(f: Any, x: Any, derivative: int) -> Any:
    return _nested(_module("autograd").grad, f.in_namespace("autograd"), derivative)(x)


def _jax(f: Any, x: Any, derivative: int) -> float:
    jax = _module("jax")
    with jax.enable_x64(x.dtype == np.float64):
        return float(_nested(jax.grad, f.in_namespace("jax"), derivative)(x))


def _nested(differentiate: Callable[..., Any], f: Callable[..., Any], times: int) -> Callable[..., Any]:
    for _ in range(times):
        f = differentiate(f)
    return f


# GSL ------------------------------------------------------------------------------------------------------------------

_Callback = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_void_p)


class _GslFunction(ctypes.Structure):
    _fields_ = (("function", _Callback), ("params", ctypes.c_void_p))


@cache
def _gsl_library() -> ctypes.CDLL | None:
    path = ctypes.util.find_library("gsl")
    return ctypes.CDLL(path) if path else None


def _gsl(f: Any, x: Any, _: int, epsilon: Any = 1e-8, *, direction: str) -> tuple[float, float]:
    library = _gsl_library()
    if library is None:
        raise UnsupportedError("GSL is not installed")
    raised: list[BaseException] = []
    function = _GslFunction(_Callback(lambda node, _params: _guarded(f, node, raised)), None)
    estimate, error = ctypes.c_double(), ctypes.c_double()
    step = ctypes.c_double(epsilon)
    differentiate = getattr(library, f"gsl_deriv_{direction}")
    differentiate(ctypes.byref(function), ctypes.c_double(x), step, ctypes.byref(estimate), ctypes.byref(error))
    if raised:
        raise raised[0]
    return estimate.value, error.value


def _guarded(f: Any, x: float, raised: list[BaseException]) -> float:
    """Return f(x); C lets no exception through, so it is kept."""
    try:
        return float(f(x))
    except BaseException as error:  # noqa: BLE001  (raised again behind the call)
        raised.append(error)
        return np.nan


# the catalogue --------------------------------------------------------------------------------------------------------


def _alone(
    name: str, peer: str, call: Callable[..., Any], description: str, derivatives: Iterable[int] = (1,)
) -> Library:
    return Library(name, _package(name), peer, call, tuple(derivatives), description=description)


def _swept(
    name: str, peer: str, call: Callable[..., Any], description: str, derivatives: Iterable[int] = (1,)
) -> Library:
    return Library(f"{name}-epsilon", _package(name), peer, call, tuple(derivatives), True, description)


def _package(name: str) -> str:
    package = name.partition("-")[0]
    return "GSL" if package == "gsl" else package


def _both(
    name: str, peer: str, call: Callable[..., Any], *words: str, derivatives: Iterable[int] = (1,)
) -> tuple[Library, Library]:
    """Return a library with its default, and the same with ε; `words` are its function, the default and ε to it."""
    function, default, epsilon = words
    return (
        _alone(name, peer, call, f"{function}, {default}", derivatives),
        _swept(name, peer, call, f"{function}, {epsilon}", derivatives),
    )


_UP_TO_4 = (1, 2, 3, 4)

_SCIPY = (
    *_both(
        "scipy-derivative",
        "central-8",
        _scipy_derivative,
        "scipy.differentiate.derivative of order 8",
        "steps from 0.5, halved until its error estimate is small or grows, at most 10 times",
        "one iteration, on x ± ε/2^k for k = 0 to 3",
    ),
    *_both(
        "scipy-approx-fprime",
        "forward-1",
        _scipy_approx_fprime,
        "scipy.optimize.approx_fprime",
        "step eps^(1/2) of float64, not scaled",
        "step ε",
    ),
    *(
        library
        for method, peer in (("2-point", "forward-1"), ("3-point", "central-2"), ("cs", "complex-step"))
        for library in _both(
            f"scipy-{method}",
            peer,
            partial(_scipy_approx_derivative, method=method),
            f"scipy.optimize._numdiff.approx_derivative by {method}",
            "its relative step",
            "abs_step ε",
        )
    ),
)

_STATSMODELS = (
    *_both(
        "statsmodels-forward",
        "forward-1",
        partial(_statsmodels, function="approx_fprime"),
        "statsmodels.tools.numdiff.approx_fprime",
        "step eps^(1/2) max(|x|, 0.1) for the eps of float64",
        "step ε",
    ),
    *_both(
        "statsmodels-centered",
        "central-2",
        partial(_statsmodels, function="approx_fprime", centered=True),
        "statsmodels.tools.numdiff.approx_fprime, centered",
        "x ± eps^(1/3) max(|x|, 0.1)/2 for the eps of float64",
        "x ± ε/2",
    ),
    *_both(
        "statsmodels-cs",
        "complex-step",
        partial(_statsmodels, function="approx_fprime_cs"),
        "statsmodels.tools.numdiff.approx_fprime_cs",
        "step eps max(|x|, 0.1) for the eps of float64",
        "step ε",
    ),
    *_both(
        "statsmodels-hess",
        "central-2",
        partial(_statsmodels, function="approx_hess"),
        "statsmodels.tools.numdiff.approx_hess",
        "x ± 2 eps^(1/4) max(|x|, 0.1) for the eps of float64",
        "x ± 2ε",
        derivatives=(2,),
    ),
    *_both(
        "statsmodels-hess-cs",
        "central-2",
        partial(_statsmodels, function="approx_hess_cs"),
        "statsmodels.tools.numdiff.approx_hess_cs",
        "x ± (1 + i) eps^(1/3) max(|x|, 0.1) for the eps of float64",
        "x ± ε + iε",
        derivatives=(2,),
    ),
)

_NUMDIFFTOOLS = (
    *(
        library
        for name, method, peer, peer_at_epsilon, derivatives in (
            ("central", "central", "central-8", "central-2", _UP_TO_4),
            ("forward", "forward", "central-4", "central-2", _UP_TO_4),
            ("backward", "backward", "central-4", "central-2", _UP_TO_4),
            ("complex", "complex", "complex-step", "complex-step", (1, 2)),
            ("complex-high", "complex", "central-4", "central-4", (3, 4)),
        )
        for library in (
            _alone(
                f"numdifftools-{name}",
                peer,
                partial(_numdifftools, method=method),
                f"numdifftools.Derivative by {method}, order 2, 2 Richardson terms, its own steps",
                derivatives,
            ),
            _swept(
                f"numdifftools-{name}",
                peer_at_epsilon,
                partial(_numdifftools, method=method),
                f"numdifftools.Derivative by {method}, order 2, no more steps than it needs, ε the smallest",
                derivatives,
            ),
        )
    ),
    *_both(
        "numdifftools-fornberg",
        "complex-step",
        _numdifftools_fornberg,
        "numdifftools.fornberg.derivative on circles",
        "the first of radius 0.0061",
        "the first of radius ε",
        derivatives=_UP_TO_4,
    ),
)

_DERIVKIT = (
    *(
        library
        for suffix, peer, derivatives in (("", "central-4", (1, 2)), ("-high", "central-2", (3, 4)))
        for library in (
            _alone(
                f"derivkit-finite{suffix}",
                peer,
                partial(_derivkit, method="finite", return_error=True),
                "derivkit finite, 5 points, stepsize 0.01, no extrapolation",
                derivatives,
            ),
            _swept(
                f"derivkit-finite{suffix}", peer, _derivkit_finite, "derivkit finite, 5 points, stepsize ε", derivatives
            ),
            _alone(
                f"derivkit-adaptive{suffix}",
                peer,
                partial(_derivkit, method="adaptive", return_error=True),
                "derivkit adaptive, a polynomial on 10 Chebyshev nodes, spacing auto",
                derivatives,
            ),
            _swept(
                f"derivkit-adaptive{suffix}",
                peer,
                _derivkit_adaptive,
                "derivkit adaptive, a polynomial on 10 Chebyshev nodes of x ± ε",
                derivatives,
            ),
        )
    ),
    *(
        _alone(
            f"derivkit-{extrapolation}",
            "central-8",
            partial(_derivkit, method="finite", extrapolation=extrapolation, return_error=True),
            f"derivkit finite, 5 points, stepsize 0.01, {extrapolation} extrapolation until it settles",
            _UP_TO_4,
        )
        for extrapolation in ("richardson", "ridders", "gauss-richardson")
    ),
    _alone(
        "derivkit-local-polynomial",
        "central-4",
        _derivkit_local_polynomial,
        "derivkit local_polynomial, its default method; the relative error estimate is made absolute",
        _UP_TO_4,
    ),
    *(
        _swept(
            f"derivkit-fornberg-{accuracy}",
            f"central-{accuracy}",
            partial(_derivkit_fornberg, accuracy=accuracy),
            f"derivkit fornberg on the nodes of central-{accuracy}",
            _UP_TO_4,
        )
        for accuracy in (2, 8)
    ),
)

_NUMERICALDERIVATIVE = (
    *_both(
        "numericalderivative-forward",
        "forward-1",
        partial(_formula, family="Forward"),
        "numericalderivative.FirstDerivativeForward",
        "compute_step() for f'' = 1 and a precision of 1e-16",
        "step ε",
    ),
    *_both(
        "numericalderivative-central",
        "central-2",
        partial(_formula, family="Central"),
        "numericalderivative.FirstDerivativeCentral, Second, Third",
        "compute_step() for a next derivative of 1 and a precision of 1e-16",
        "step ε",
        derivatives=(1, 2, 3),
    ),
    *(
        library
        for accuracy in (4, 8)
        for library in _both(
            f"numericalderivative-general-{accuracy}",
            f"central-{accuracy}",
            partial(_general, accuracy=accuracy),
            f"numericalderivative.GeneralFiniteDifference, central of accuracy {accuracy}",
            "compute_step() for a next derivative of 1 and a precision of eps",
            "step ε",
            derivatives=_UP_TO_4,
        )
    ),
    _alone(
        "numericalderivative-gill-murray-saunders-wright",
        "forward-1",
        partial(_search, algorithm="GillMurraySaundersWright", kmin=1e-8, kmax=1e8),
        "numericalderivative.GillMurraySaundersWright, kmin and kmax of its example, 1e-8 and 1e8",
    ),
    _alone(
        "numericalderivative-dumontet-vignes",
        "central-2",
        partial(_search, algorithm="DumontetVignes"),
        "numericalderivative.DumontetVignes, kmin and kmax 2^-52 x and 2^52 x",
    ),
    _alone(
        "numericalderivative-dumontet-vignes-bracket",
        "central-2",
        partial(_search, algorithm="DumontetVignes", kmin=1e-10, kmax=1.0, logscale=True),
        "numericalderivative.DumontetVignes, kmin of its example, 1e-10, and kmax 1, bisected in logarithms",
    ),
    _alone(
        "numericalderivative-stepleman-winarsky",
        "central-2",
        _stepleman_winarsky,
        "numericalderivative.SteplemanWinarsky, initial step between 1e-5 and 1e7 as in its example",
    ),
    _alone(
        "numericalderivative-shi-xie-xuan-nocedal",
        "forward-1",
        _shi_forward,
        "numericalderivative.ShiXieXuanNocedalForward, from the optimal step for f'' = 1",
    ),
    _alone(
        "numericalderivative-shi-xie-xuan-nocedal-general",
        "central-4",
        partial(_shi_general, accuracy=4),
        "numericalderivative.ShiXieXuanNocedalGeneral for a central difference of accuracy 4",
        _UP_TO_4,
    ),
)

_OTHERS = (
    _alone(
        "jacobi", "central-8", _jacobi, "jacobi.jacobi, central where f is defined, steps |x|/4 halved up to 10 times"
    ),
    _alone(
        "jacobi-forward",
        "central-2",
        partial(_jacobi, method=1),
        "jacobi.jacobi, method 1, steps x/4 with the sign of x, divided by 8 up to 10 times",
    ),
    *(
        library
        for family in ("central", "forward", "backward")
        for library in (
            _alone(
                f"fdm-{family}",
                "central-4",
                partial(_fdm, family=family),
                f"fdm.{family}_fdm of accuracy 4, adapt 1",
                _UP_TO_4,
            ),
            _swept(
                f"fdm-{family}",
                "central-4",
                partial(_fdm_epsilon, family=family),
                f"fdm.{family}_fdm of accuracy 4, step ε",
                _UP_TO_4,
            ),
        )
    ),
    *(
        _swept(
            f"findiff-acc{accuracy}",
            peer,
            partial(_findiff, accuracy=accuracy),
            f"findiff.Diff of accuracy {accuracy} in the middle of samples at a distance of ε",
            # Of higher derivatives its weights of accuracy 20 are not worth a cell.
            _UP_TO_4 if accuracy < 20 else (1,),
        )
        for accuracy, peer in ((2, "central-2"), (4, "central-4"), (10, "central-8"), (20, "central-8"))
    ),
    *(
        _swept(
            f"finitediff-{accuracy}",
            f"central-{accuracy}",
            partial(_finitediff, accuracy=accuracy),
            f"finitediff.derivatives_at_point_by_finite_diff on the nodes of central-{accuracy}",
            # Of higher derivatives its weights of accuracy 20 are not worth a cell.
            _UP_TO_4 if accuracy < 20 else (1,),
        )
        for accuracy in (2, 4, 8)
    ),
    *(
        _swept(
            f"pynumdiff-finitediff-{order}",
            peer,
            partial(_pynumdiff, order=order),
            f"pynumdiff.finite_difference.finitediff of order {order} in the middle of samples at a distance of ε",
        )
        for order, peer in ((1, "forward-1"), (2, "central-2"), (4, "central-4"))
    ),
    *_both(
        "mpmath-diff",
        "complex-step",
        _mpmath,
        "mpmath.diff in mpmath's arithmetic, 15 digits",
        "its step of about 2^-63",
        "h = ε",
        derivatives=_UP_TO_4,
    ),
    _alone("autograd-grad", "complex-step", _autograd, "autograd.grad, nested", _UP_TO_4),
    _alone("jax-grad", "complex-step", _jax, "jax.grad, nested, 64 bits enabled for float64", _UP_TO_4),
    *(
        library
        for direction, peer in (("central", "central-4"), ("forward", "central-2"), ("backward", "central-2"))
        for library in _both(
            f"gsl-{direction}",
            peer,
            partial(_gsl, direction=direction),
            f"gsl_deriv_{direction}",
            "h = 1e-8 as in its example, then once more with a step that it finds better",
            "h = ε, then the same",
        )
    ),
)

LIBRARIES: tuple[Library, ...] = (*_SCIPY, *_STATSMODELS, *_NUMDIFFTOOLS, *_DERIVKIT, *_NUMERICALDERIVATIVE, *_OTHERS)
"""The contestants that diffbench knows by itself."""

_OWN = {library.name: library for library in LIBRARIES}


def libraries() -> tuple[Library, ...]:
    """Return the libraries of the catalogue and those that plug-ins offer; one that cannot be used offers none."""
    offered = plugins.everything(plugins.LIBRARIES)
    return (*LIBRARIES, *(each for each in offered if isinstance(each, Library) and each.name not in _OWN))


def known_library(name: str) -> Library | None:
    """Return a library by name, None if nobody offers it."""
    return _OWN.get(name) or plugins.find_library(name)


def find_library(name: str) -> Library:
    """Return a library by name.

    Raises
    ------
    InputError
        If there is none, with the nearest name or with why the plug-in of that name cannot be used.

    Examples
    --------
    >>> find_library("jacobi").peer
    'central-8'
    """
    library = known_library(name)
    if library is None:
        for why in plugins.why_not(name):
            raise InputError(f"library: {why}")
        entry_points = (each.name for each in plugins.installed(plugins.LIBRARIES))
        hint = nearest(name, (*_OWN, *entry_points)) or "; see diffbench list libraries"
        raise InputError(f"library: {name[:60]!r} is not known{hint}")
    return library


def scheme_of_others(name: str, derivative: int = 1) -> Scheme | None:
    """Return the scheme that another package offers under a name, None if no package does.

    A plug-in that cannot be used offers a scheme whose cells fail with the reason.
    """
    family, stated = split_derivative(name)
    if family in _OWN:
        return _OWN[family].scheme(stated or derivative)
    return plugins.find_scheme(family, stated or derivative)


def installed_version(package: str) -> str | None:
    """Return the version of a package that is installed, or nothing; GSL is asked for its own."""
    if package == "GSL":
        library = _gsl_library()
        return None if library is None else (ctypes.c_char_p.in_dll(library, "gsl_version").value or b"").decode()
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None

"""Differentiators of other packages."""

import math
import pickle
import subprocess
import sys
import warnings
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

from diffbench.errors import InputError, UnsupportedError
from diffbench.schemes import libraries as module
from diffbench.schemes.libraries import LIBRARIES, Library, find_library, installed_version
from diffbench.schemes.scheme import OpaqueScheme, catalogue, parse_scheme

ORDERS = {"forward-1": 1, "central-2": 2, "central-4": 4, "central-8": 8}
DEFECTIVE = {"numericalderivative-dumontet-vignes": "kmin and kmax are 2^52 away from x, where exp overflows"}
X = np.float64(0.75)


class Recorded:
    """exp, or a cubic, at whatever it is called with; remembers where."""

    def __init__(self, name="exp"):
        self.name = name
        self.nodes = []

    def __call__(self, x):
        self.nodes += np.atleast_1d(x).ravel().tolist()
        return self.evaluate(np.asarray(x), np.exp)[()]

    def evaluate(self, x, exp):
        return exp(x) if self.name == "exp" else ((x + 2) * x - 3) * x + 1

    def in_namespace(self, namespace):
        exp = import_module({"mpmath": "mpmath"}.get(namespace, f"{namespace}.numpy")).exp

        def f(x):
            if namespace == "mpmath":
                self.nodes.append(float(x))
            return self.evaluate(x, exp)

        return f

    def exact(self, derivative):
        x = float(X)
        cubic = (3 * x**2 + 4 * x - 3, 6 * x + 4, 6.0, 0.0)
        return math.exp(x) if self.name == "exp" else cubic[derivative - 1]


def contestants(*, swept_only=False):
    """The installed ones are slow to import, but scipy and mpmath are there anyway."""
    return [
        pytest.param(
            library,
            derivative,
            marks=() if library.package in {"scipy", "mpmath"} else (pytest.mark.slow,),
            id=library.scheme(derivative).name,
        )
        for library in LIBRARIES
        for derivative in library.derivatives
        if library.takes_epsilon or not swept_only
    ]


def usual(library, derivative):
    if library.peer == "complex-step":
        return 2.0**-13
    return 2.0 ** round(-53 / (derivative + ORDERS[library.peer]))


def tolerance(library, derivative):
    """Ten times half of the digits that the peer's best has; findiff's weights of accuracy 20 are off by 1e-7."""
    if library.name == "findiff-acc20-epsilon":
        return 1e-5
    p = ORDERS.get(library.peer, math.inf)
    digits = 1 if p == math.inf else p / (derivative + p)
    return 10 * 2.0 ** (-53 * digits / 2)


def ask(library, derivative, f, *epsilon):
    if installed_version(library.package) is None:
        pytest.skip(f"{library.package} is not installed")
    return library.scheme(derivative).call(f, X, *map(np.float64, epsilon))


@pytest.mark.parametrize("name", ["exp", "cubic"])
@pytest.mark.parametrize(("library", "derivative"), contestants())
def test_it_differentiates(library, derivative, name):
    f = Recorded(name)
    epsilon = [usual(library, derivative)] if library.takes_epsilon else []
    if library.name in DEFECTIVE:
        with pytest.raises(ValueError, match=r"L\(kmax\)|Unable to find step"):
            ask(library, derivative, f, *epsilon)
        return
    answer = ask(library, derivative, f, *epsilon)
    estimate, error = answer if isinstance(answer, tuple) else (answer, np.nan)
    assert np.size(estimate) == np.size(error) == 1
    assert not np.iscomplexobj(estimate)
    assert not np.asarray(error).item() < 0
    assert np.asarray(estimate).item() == pytest.approx(f.exact(derivative), abs=tolerance(library, derivative))


MULTIPLES = (1, 0.5, 2, 2**0.5, math.cos(math.pi / 20))
"""How far from x, in units of ε, a node is looked for: most have one at ε, see the descriptions of the others."""


@pytest.mark.parametrize(("library", "derivative"), contestants(swept_only=True))
def test_a_swept_one_uses_the_epsilon_that_it_is_told(library, derivative):
    first = []
    for epsilon in (2.0**-8, 2.0**-9):
        f = Recorded()
        ask(library, derivative, f, epsilon)
        away = [abs(node - X) / epsilon for node in f.nodes if node != X]
        assert any(math.isclose(distance, multiple, rel_tol=1e-9) for distance in away for multiple in MULTIPLES)
        first.append(away[0])
    assert first[0] == pytest.approx(first[1], rel=1e-9)


@pytest.mark.parametrize(("library", "derivative"), contestants())
def test_float32_is_handed_over_as_it_is(library, derivative):
    if installed_version(library.package) is None:
        pytest.skip(f"{library.package} is not installed")
    seen = []
    spy = partial(lambda call, f, x, *rest: seen.append(x) or call(f, x, *rest), library.call)
    scheme = replace(library, call=spy).scheme(derivative)
    epsilon = [np.float32(2.0**-4)] if library.takes_epsilon else []
    with np.errstate(all="ignore"):
        before = np.geterr()
        try:
            scheme.call(Recorded("cubic"), np.float32(0.75), *epsilon)
        except ValueError:
            assert library.package == "numericalderivative"  # its searches believe in a precision of 1e-15
        assert np.geterr() == before
    assert seen[0].dtype == np.float32


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_jax_has_64_bits_for_float64_only(monkeypatch, dtype):
    enabled = []
    jax = SimpleNamespace(
        enable_x64=lambda is_on: nullcontext(enabled.append(bool(is_on))),
        grad=lambda f: lambda x: 2 * f(x),
        numpy=SimpleNamespace(exp=np.exp),
    )
    monkeypatch.setitem(sys.modules, "jax", jax)
    monkeypatch.setitem(sys.modules, "jax.numpy", jax.numpy)
    x = np.dtype(dtype).type(0)
    assert find_library("jax-grad").scheme(3).call(Recorded("cubic"), x) == 8
    assert enabled == [dtype == "float64"]


def test_names_are_unique_and_no_schemes():
    names = [library.name for library in LIBRARIES]
    assert len(set(names)) == len(names)
    for library in LIBRARIES:
        assert library.name.startswith(library.package.lower())
        assert library.name.endswith("-epsilon") == library.takes_epsilon
        assert library.description
        with pytest.raises(InputError):
            parse_scheme(library.name)


def test_peers_are_schemes_of_the_catalogue():
    peers = {scheme.name for scheme in catalogue(1)}
    assert {library.peer for library in LIBRARIES} <= peers


@pytest.mark.parametrize("name", ["central-2", "Central", "central 2", "central-x-d2", "other-forward"])
def test_a_name_that_means_something_else_is_refused(name):
    with pytest.raises(InputError, match="library: "):
        Library(name, "central", "central-2", ask)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_they_pickle(library):
    assert pickle.loads(pickle.dumps(library)) == library  # noqa: S301
    for derivative in library.derivatives:
        scheme = pickle.loads(pickle.dumps(library.scheme(derivative)))  # noqa: S301
        assert scheme == library.scheme(derivative)
        assert (scheme.derivative, scheme.takes_epsilon) == (derivative, library.takes_epsilon)
        assert scheme.package == library.package


def test_a_scheme_is_named_by_its_derivative():
    library = find_library("numdifftools-central")
    assert isinstance(library.scheme(), OpaqueScheme)
    assert library.scheme().name == "numdifftools-central"
    assert library.scheme(3).name == "numdifftools-central-d3"
    with pytest.raises(InputError, match="numdifftools-central has no derivative 5, only 1, 2, 3, 4"):
        library.scheme(5)


def test_finding_one_hints_at_the_nearest():
    assert find_library("mpmath-diff").package == "mpmath"
    with pytest.raises(InputError, match="did you mean 'mpmath-diff'"):
        find_library("mpmath-dif")
    with pytest.raises(InputError, match="see diffbench list"):
        find_library("§")


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_a_package_that_is_missing_is_named(library, monkeypatch):
    for loaded in [name for name in sys.modules if f"{name}.".startswith(f"{library.package}.")]:
        monkeypatch.setitem(sys.modules, loaded, None)
    monkeypatch.setitem(sys.modules, library.package, None)
    monkeypatch.setattr(module, "_gsl_library", lambda: None)
    epsilon = [0.5] if library.takes_epsilon else []
    with pytest.raises(UnsupportedError, match=f"^{library.package} is not installed$"):
        library.scheme(library.derivatives[0]).call(Recorded(), X, *epsilon)


def test_a_package_that_misses_another_is_not_called_missing(monkeypatch, tmp_path):
    (tmp_path / "lacking.py").write_text("import what_is_lacking")
    (tmp_path / "torn.py").write_text("raise ImportError('a symbol is gone')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnsupportedError, match=r"^lacking needs what_is_lacking, which is not installed$"):
        module._module("lacking")
    with pytest.raises(UnsupportedError, match=r"^torn cannot be imported: a symbol is gone$"):
        module._module("torn")


def test_importing_the_module_imports_no_contestant():
    packages = {library.package for library in LIBRARIES} - {"GSL", "mpmath"}
    code = f"import sys, diffbench.schemes.libraries; print({packages} & {{m.partition('.')[0] for m in sys.modules}})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_warnings_stay_inside():
    def warn(f, x, derivative):
        warnings.warn("no", UserWarning, stacklevel=1)
        return f(x)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert Library("mine", "mine", "central-2", warn).scheme().call(Recorded("cubic"), np.float64(0)) == 1
    assert not caught


def test_mpmath_keeps_its_precision():
    import mpmath

    with mpmath.workdps(50):
        estimate = find_library("mpmath-diff").scheme().call(Recorded(), X)
        assert mpmath.mp.dps == 50
    assert estimate == pytest.approx(math.exp(X), rel=1e-15)


def test_versions():
    import scipy

    assert installed_version("scipy") == scipy.__version__
    assert installed_version("no-such-package") is None


def test_gsl_tells_its_version_or_is_missing(monkeypatch):
    version = installed_version("GSL")
    assert version is None or version[0].isdigit()
    monkeypatch.setattr(module, "_gsl_library", lambda: None)
    assert installed_version("GSL") is None


@pytest.mark.slow
def test_what_f_raises_comes_back_through_c():
    def f(x):
        raise UnsupportedError("no values today")

    with pytest.raises(UnsupportedError, match="no values today"):
        ask(find_library("gsl-central"), 1, f)

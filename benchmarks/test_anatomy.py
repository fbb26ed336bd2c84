"""What it costs to take every error apart, against the sweep and against the same in mpmath."""

import mpmath
import numpy as np
import pytest
from common import blocks_of, groups_of, known_references, sweep
from contestants import errors_apart, problems_of, stencil_of
from problems import REAL_SCHEMES, mixed_spec
from ratios import Row

pytestmark = pytest.mark.benchmark(group="anatomy")

POINTS = 1
EVERY = 8
"""mpmath does one epsilon of so many; ours costs more the smaller they are, so they are from all over the grid."""

BITS = 192
"""What the anatomy begins with; where that does not do it goes on to more, mpmath does not."""

MOST = 0.9
"""The part of the cells of which both have parts, at least: elsewhere f has no value."""


@pytest.fixture(scope="module")
def spec():
    """Return the mix with a point a function and real schemes, every error taken apart."""
    return mixed_spec(POINTS, REAL_SCHEMES, anatomy=True)


def test_against_the_sweep(contest, spec):
    """Measure a sweep with the anatomy against one without, references known."""
    with known_references():
        apart, plain = groups_of(spec), groups_of(mixed_spec(POINTS, REAL_SCHEMES))
        row = Row("sweep with anatomy / without, 32 010 cells", "≤", 75, 150)
        contest(row, lambda: sweep(apart), lambda: sweep(plain))


def test_against_mpmath(contest, spec):
    """Measure the same parts in mpmath, which certifies none of them; both must find the same node errors."""
    problems, stencils = problems_of(spec, POINTS), [stencil_of(scheme) for scheme in spec.schemes]
    epsilons = np.array(spec.plan()[0].epsilons)
    few, found = epsilons[::EVERY].tolist(), {}
    with known_references():
        groups = groups_of(spec)
        contest(
            Row("errors taken apart: mpmath at 192 bits / anatomy", "≥", 4, 2),
            lambda: found.update(ours=[block for _, block in blocks_of(groups)]),
            lambda: found.update(theirs=errors_apart(problems, stencils, few, BITS)),
            share=len(few) / epsilons.size,
        )
    ours = np.array([block.parts[1, :, 0, ::EVERY].T for block in found["ours"]])
    nodes = [np.nan if parts is None else float(mpmath.re(parts[1])) for each in found["theirs"] for parts in each]
    theirs = np.reshape(nodes, ours.shape)
    both = np.isfinite(ours) & np.isfinite(theirs)
    assert both.mean() > MOST
    # Smaller ones are lost in mpmath's bits.
    np.testing.assert_allclose(ours[both], theirs[both], rtol=1e-9, atol=1e-40)

"""Doubles for tests that look at many thousands of examples.

st.floats also draws numbers that it finds in the program's source, so that a new constant anywhere brings other
examples everywhere. These are made of random bytes, and stay what they are.
"""

from fractions import Fraction

from hypothesis import strategies as st

EIGHT_BYTES = st.binary(min_size=8, max_size=8)


def between(low, high):
    """Return doubles from an interval, as fractions."""
    return EIGHT_BYTES.map(lambda data: Fraction(low + (high - low) * (int.from_bytes(data) / 2**64)))


ANY = st.builds(
    lambda mantissa, exponent, sign: sign * mantissa * Fraction(2) ** exponent,
    between(1, 2),
    st.sampled_from(range(-40, 41)),
    st.sampled_from((1, -1)),
)
"""Doubles of twenty-four decades; at 1e-200 mpmath's differences see nothing of what oscillates as sin(1/x³) does."""

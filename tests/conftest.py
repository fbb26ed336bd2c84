"""Hypothesis draws the same examples every time, so that a red test is red for everybody."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "diffbench",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("diffbench")

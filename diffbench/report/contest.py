"""Everything that a run of other packages' differentiators has for people, beside the report of any run."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from diffbench.analysis.outcomes import Case, cases
from diffbench.dtypes import file_label
from diffbench.report.captions import computed
from diffbench.report.leaderboard_plots import (
    ecdf_caption,
    ecdf_figure,
    profile_caption,
    profile_figure,
    reliability_caption,
    reliability_figure,
    work_precision_caption,
    work_precision_figure,
    work_time_caption,
    work_time_figure,
)
from diffbench.report.leaderboard_tables import (
    calibration_table,
    class_ranking_table,
    leaderboard_table,
    timings_table,
    told_table,
)
from diffbench.report.plots import Figure
from diffbench.report.table import Table
from diffbench.schemes.libraries import installed_version
from diffbench.schemes.library import Library
from diffbench.sweep.contest import Timing, contestants_of
from diffbench.sweep.results import Results


class ContestFigure(NamedTuple):
    """A figure, its file's name and its caption."""

    name: str
    figure: Figure
    caption: str


class Contest:
    """The libraries of a run at their own defaults, judged once for all tables and figures.

    Parameters
    ----------
    results : Results
        A run with cells.
    timings : sequence of Timing
        How long they take, if that is known.
    """

    def __init__(self, results: Results, timings: Sequence[Timing] = ()) -> None:
        self._results = results
        self._timings = timings
        everyone = contestants_of(results)
        self.contestants = tuple(each for each in everyone if not each.takes_epsilon)
        self._told: tuple[Library, ...] = tuple(each for each in everyone if each.takes_epsilon)
        self._cases: list[Case] = cases(results, self.contestants) if results.blocks else []

    def tables(self) -> dict[str, Table]:
        """Return the tables by file name; none for a run without libraries."""
        found: dict[str, Table] = {}
        if self._cases:
            found["leaderboard"] = leaderboard_table(self._results, self.contestants)
            noise = ("noise",) if any(case.noise for case in self._cases) else ()
            found["calibration"] = calibration_table(self._cases, ("derivative", "dtype", *noise))
            found["calibration-classes"] = calibration_table(self._cases, ("class", "derivative", "dtype"))
            found["classes"] = class_ranking_table(self._cases)
        if self._told and self._results.blocks:
            found["told"] = told_table(self._results, self._told)
        if self._timings:
            found["timings"] = timings_table(self._timings)
        return found

    def figures(self) -> list[ContestFigure]:
        """Return the figures of each derivative and dtype that there is something to draw for."""
        groups: dict[tuple[int, str], list[Case]] = {}
        absent = {each.name for each in self.contestants if installed_version(each.package) is None}
        for case in self._cases:
            # What was installed when it was measured may not be now, and the other way round.
            if case.library not in absent or case.outcome != "unsupported":
                groups.setdefault((case.derivative, case.dtype), []).append(case)
        who = computed(self._results.spec)
        return [
            ContestFigure(f"leaderboard-{name}-d{derivative}-{file_label(dtype)}", figure, caption + who)
            for (derivative, dtype), own in groups.items()
            for name, figure, caption in self._drawn(own)
        ]

    def _drawn(self, own: Sequence[Case]) -> Iterator[ContestFigure]:
        yield ContestFigure("work-precision", work_precision_figure(own), work_precision_caption(own))
        yield ContestFigure("profiles", profile_figure(own), profile_caption(own))
        yield ContestFigure("digits", ecdf_figure(own), ecdf_caption(own))
        if any(case.error_estimate >= 0 for case in own):
            yield ContestFigure("reliability", reliability_figure(own), reliability_caption(own))
        if self._timings and (own[0].derivative, own[0].dtype) == (1, "float64"):
            figure = work_time_figure(own, self._timings)
            yield ContestFigure("work-time", figure, work_time_caption(own, self._timings))

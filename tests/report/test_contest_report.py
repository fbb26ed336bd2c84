"""Tables and figures of a run with libraries, in its folder and on its page."""

import re

import pytest

from diffbench import Spec, load, run, write_report
from diffbench.report.contest import Contest
from diffbench.report.leaderboard_tables import CONTEST
from diffbench.sweep.contest import Timing, contest_spec, contestants_of, write_timings

pytestmark = pytest.mark.slow
NAMES = ("scipy-2-point", "scipy-derivative", "mpmath-diff", "jax-grad")
TIMINGS = [Timing("scipy-2-point", "scipy", 2, 3, 2e-4, 1e-4, 3e-4), Timing("jax-grad", "jax", 0, 3, None, None, None)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("contest") / "run"
    spec = contest_spec(["lab"], [*NAMES, "scipy-3-point-epsilon"], swept=True, dtypes=["float64"])
    run(spec, out=path)
    write_timings(TIMINGS, path)
    write_report(path)
    return path


def test_the_folder_holds_every_table_and_figure(folder):
    assert {f"{name}.csv" for name in CONTEST} <= {path.name for path in (folder / "tables").iterdir()}
    figures = {path.name for path in (folder / "figures").iterdir() if path.name.startswith("leaderboard-")}
    names = ("digits", "profiles", "reliability", "work-precision", "work-time")
    assert figures == {f"leaderboard-{name}-d1-float64.svg" for name in names}


def test_a_report_elsewhere_knows_the_timings_of_the_run(folder, tmp_path):
    write_report(load(folder), tmp_path, run_folder=folder)
    assert (tmp_path / "tables" / "timings.csv").read_bytes() == (folder / "tables" / "timings.csv").read_bytes()


def test_the_page_has_a_section_of_its_own(folder):
    page = (folder / "report.html").read_text("utf-8")
    assert page.index("Which scheme?") < page.index("Other packages") < page.index("Who is right")
    assert len(re.findall(r'<figure id="figure-leaderboard-', page)) == 5
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    for name in NAMES:
        assert name in page


def test_timings_are_beside_what_is_the_same_every_time(folder):
    tables = Contest(load(folder), TIMINGS).tables()
    assert [row["library"] for row in tables["timings"].rows] == ["scipy-2-point", "jax-grad"]
    assert tables["timings"].rows[0]["microseconds"] == pytest.approx(200)
    assert "timings" not in Contest(load(folder)).tables()


def test_libraries_are_judged_at_their_defaults_and_swept_ones_apart(folder):
    contest = Contest(load(folder))
    assert [each.name for each in contest.contestants] == list(NAMES[1::-1]) + list(NAMES[2:])
    assert {row["library"] for row in contest.tables()["told"].rows} == {"scipy-3-point-epsilon"}
    assert {row["library"] for row in contest.tables()["leaderboard"].rows} == set(NAMES)


def test_a_run_without_libraries_has_nothing_of_it():
    results = run(Spec("lab"))
    assert contestants_of(results) == ()
    assert Contest(results).tables() == {}
    assert Contest(results).figures() == []

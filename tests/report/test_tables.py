"""One table, many renderings: none loses or changes a number."""

import csv
import io
import json
import re

import pytest

from diffbench import Function, Spec, run
from diffbench.report.table import (
    LATEX_ROWS,
    NAMING,
    Column,
    Table,
    compact,
    printed_parts,
    to_csv,
    to_json,
    to_latex,
    to_markdown,
    to_text,
)
from diffbench.report.tables import estimates_table, is_small, references_table, run_tables
from diffbench.schemes.step_rules import RULES
from diffbench.sweep.results import STATUSES

NASTY = "<script>alert('&')</script> 100% \\x{_}^~ #$ | `*[a](b)* ε × \"q\""
LATEX_SPECIALS = "&%$#_{}~^\\"


@pytest.fixture(scope="module")
def lab():
    return run(Spec("lab"))


@pytest.fixture(scope="module")
def mixed():
    return run(Spec(["abs", "sqrt", "exp"], ["forward-1", "central-4", "complex-step"], dtypes=["float32", "float64"]))


@pytest.fixture(scope="module")
def nasty():
    return run(Spec(Function(NASTY, "x**2", ["3"]), ["forward-1"], ["1e-3", "1e-4"]))


@pytest.fixture(scope="module")
def ruled():
    functions = ["exp", "sin", "linear", Function("untagged", "x**3", ["2"])]
    return run(Spec(functions, ["forward-1", "central-2"], "1e-1:1e-9", rules="all", dtypes=["float32", "float64"]))


def toy(rows, *kinds):
    return Table("Title", "caption", tuple(Column(f"c{i}", f"C {i}", kind) for i, kind in enumerate(kinds)), rows)


def all_tables(results):
    return [*run_tables(results).values(), references_table(results), estimates_table(results)]


def read_csv(text):
    return list(csv.reader(io.StringIO(text)))


# numbers --------------------------------------------------------------------------------------------------------------


def test_people_see_rounded_numbers_and_programs_all_of_them():
    table = toy([{"c0": 1 / 3, "c1": 2 / 3e7, "c2": 0.1 + 0.2, "c3": 7}], "digits", "rounded", "number", "count")
    assert table.cells() == [["0.3", "6.67e-08", "0.30000000000000004", "7"]]
    assert table.cells(exact=True) == [[repr(1 / 3), repr(2 / 3e7), "0.30000000000000004", "7"]]
    assert read_csv(to_csv(table))[1] == table.cells(exact=True)[0]
    assert json.loads(to_json(table)) == [{"c0": 1 / 3, "c1": 2 / 3e7, "c2": 0.1 + 0.2, "c3": 7}]


def test_null_is_an_empty_cell_and_null_in_json():
    table = toy([{"c0": None, "c1": None, "c2": None, "c3": ""}], "digits", "rounded", "number", "text")
    assert table.cells() == [["", "", "", ""]]
    assert json.loads(to_json(table)) == [{"c0": None, "c1": None, "c2": None, "c3": ""}]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_json_refuses_what_is_no_number(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(toy([{"c0": value}], "number"))


def test_csv_reads_back_exactly(lab, mixed):
    for results in (lab, mixed):
        for table in all_tables(results):
            rows = read_csv(to_csv(table))
            assert rows[0] == [column.key for column in table.columns]
            assert len(rows) == len(table.rows) + 1
            for texts, record in zip(rows[1:], table.records(), strict=True):
                for text, (key, value) in zip(texts, record.items(), strict=True):
                    read = None if text == "" and value is None else type(value)(text)
                    assert read == value, key


def test_csv_keeps_commas_quotes_and_lines():
    table = toy([{"c0": 'a, "b"', "c1": "two\nlines"}], "text", "text")
    assert read_csv(to_csv(table))[1] == ['a, "b"', "two\nlines"]


def test_json_is_the_table_with_the_names_of_its_columns(lab, mixed):
    for results in (lab, mixed):
        for table in all_tables(results):
            records = json.loads(to_json(table), parse_constant=pytest.fail)
            assert records == table.records()
            assert all(list(record) == [column.key for column in table.columns] for record in records)


def test_text_is_never_cut_off(lab, mixed):
    for results in (lab, mixed):
        for table in all_tables(results):
            lines = to_text(table).splitlines()
            assert len(lines) == len(table.rows) + 5
            for line, cells in zip(lines[5:], table.cells(exact=True), strict=True):
                assert re.sub(r"\s+", "", line) == re.sub(r"\s+", "", "".join(cells))


def test_text_is_aligned_and_has_no_blanks_at_the_ends_of_lines():
    table = toy([{"c0": "a", "c1": 1}, {"c0": "long one", "c1": 100}], "text", "count")
    lines = to_text(table).splitlines()
    assert lines[5:] == ["a           1", "long one  100"]
    assert not [line for line in lines if line != line.rstrip()]


# Markdown and LaTeX ---------------------------------------------------------------------------------------------------


def unescaped_bars(line):
    return len(re.findall(r"(?<!\\)\|", line))


def test_markdown_has_the_same_number_of_cells_in_every_row(lab, mixed, nasty):
    for results in (lab, mixed, nasty):
        for table in all_tables(results):
            lines = to_markdown(table).rstrip("\n").split("\n")
            assert lines[1] == ""
            assert {unescaped_bars(line) for line in lines[2:]} == {len(table.columns) + 1}
            assert len(lines) == len(table.rows) + 4


def test_markdown_shows_markup_as_it_is(nasty):
    text = to_markdown(estimates_table(nasty))
    assert "<script>" not in text
    assert re.search(r"(?<!\\)[<>`\[\]]", text) is None
    row = text.splitlines()[4]
    assert re.sub(r"\\(.)", r"\1", row).split("|")[1].strip() == NASTY.partition("|")[0].strip()


def latex_is_balanced(text):
    depth = 0
    for token in re.findall(r"\\.|[{}]", text, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(token, 0)
        assert depth >= 0
    return depth == 0


def latex_parts(text):
    """Return specification and rows of every tabular and longtable."""
    found = re.findall(r"\\begin{(tabular|longtable)}{([^\n]*)}\n(.*?)\\end{\1}", text, re.DOTALL)
    for kind, spec, body in found:
        lines = body.splitlines()
        rows = [line for line in lines if line.endswith(r"\\") and not line.startswith(r"\caption")]
        yield (
            re.sub(r">{.*?}p{\d+pt}|@{}", lambda m: "p" * ("p{" in m[0]), spec),
            rows[1 if kind == "longtable" else 0 :],
        )


@pytest.mark.slow
def test_latex_is_balanced(lab, mixed, nasty):
    for results in (lab, mixed, nasty):
        for table in all_tables(results):
            text = to_latex(table)
            assert latex_is_balanced(text)
            begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", text) for word in ("begin", "end"))
            assert sorted(begun) == sorted(ended)
            parts = list(latex_parts(text))
            assert len(parts) == text.count(r"\caption{")
            for spec, rows in parts:
                assert len(rows) == len(table.rows) + 1
                assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(spec) - 1}
            printed = compact(table).columns
            named = [column for column in printed if column.key in NAMING]
            assert len(printed) <= sum(len(spec) for spec, _ in parts) <= len(printed) + len(named) * (len(parts) - 1)


@pytest.mark.parametrize("character", LATEX_SPECIALS)
def test_latex_specials_are_escaped(character):
    ((_, rows),) = latex_parts(to_latex(toy([{"c0": f"a{character}b"}], "text")))
    assert rows[1] == {
        "~": r"a\textasciitilde{}b \\",
        "^": r"a\textasciicircum{}b \\",
        "\\": r"a\textbackslash{}b \\",
    }.get(character, rf"a\{character}b \\")


@pytest.mark.parametrize("start", ["[3pt]", "*", "[", "*[2pt]"])
def test_no_row_is_the_option_of_the_end_of_the_one_before(start):
    text = to_latex(toy([{"c0": "a", "c1": 1}, {"c0": start, "c1": 2}], "text", "count"))
    assert re.search(r"(\\\\|rule)\s*[\[*]", text) is None


def test_what_is_the_same_in_all_rows_moves_to_the_caption():
    columns = (Column("function", "function"), Column("derivative", "derivative", "count"), Column("dtype", "dtype"))
    rows = [{"function": name, "derivative": 1, "dtype": dtype} for name in "ab" for dtype in ("float32", "float64")]
    shown = compact(Table("Title", "caption", columns, rows))
    assert [column.key for column in shown.columns] == ["function", "dtype"]
    assert shown.caption == "caption; derivative 1"
    shown = compact(Table("Title", "caption", columns, rows[::2]))
    assert shown.caption == "caption; derivative 1, float32"
    varied = Table("Title", "caption", columns, [*rows, {"function": "c", "derivative": 2, "dtype": "float64"}])
    assert compact(varied) is varied


def wide(columns, rows=3):
    names = [f"a-rather-long-scheme({i})" for i in range(columns)]
    shown = (Column("function", "function"), *(Column(name, name, "digits") for name in names))
    body = [{"function": f"f{i}"} | dict.fromkeys(names, 10.0 + i) for i in range(rows)]
    return Table("Digits", "caption", shown, body)


@pytest.mark.parametrize("columns", [1, 5, 20, 60])
def test_wide_tables_come_in_parts_that_fit_and_hold_everything(columns):
    table = wide(columns)
    parts = printed_parts(table, 100, 2)
    assert all(part[0].column.key == "function" for part in parts)
    assert [c.column.key for part in parts for c in part[1:]] == [column.key for column in table.columns[1:]]
    assert all(sum(column.width + 2 for column in part) <= 100 for part in parts)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= len(sizes)
    assert len(parts) == (1 if columns <= 5 else -(-columns // ((100 - 10) // 6)))


def test_headers_are_turned_only_where_they_must_be():
    assert not any(column.turns for part in printed_parts(wide(3), 100, 2) for column in part)
    assert all(column.turns for part in printed_parts(wide(20), 100, 2) for column in part[1:])


def test_long_tables_break_over_pages_and_short_ones_float():
    assert r"\begin{longtable}" in to_latex(wide(2, LATEX_ROWS + 1))
    short = to_latex(wide(2, LATEX_ROWS))
    assert r"\begin{longtable}" not in short
    assert r"\begin{table}[htbp]" in short


def test_powers_of_ten_and_minus_signs_are_mathematics():
    ((_, rows),) = latex_parts(to_latex(toy([{"c0": 2 / 3e7, "c1": -2.5, "c2": "-2.5"}], "rounded", "digits", "text")))
    assert rows[1] == r"$6.67\times 10^{-8}$ & $-2.5$ & -2.5 \\"


def test_latex_shows_markup_and_mathematics_as_they_are(nasty):
    text = to_latex(estimates_table(nasty))
    assert "<script>" not in text
    assert r"\textless{}script\textgreater{}" in text
    assert r"$\varepsilon$ $\times$" in text
    assert r"100\%" in text


def test_no_rendering_lets_a_line_break_into_a_row():
    table = toy([{"c0": "two\nlines", "c1": 1}], "text", "count")
    assert len(to_markdown(table).splitlines()) == 5
    assert r"two lines & 1 \\" in to_latex(table)


# what is in them ------------------------------------------------------------------------------------------------------


def test_estimates_stand_in_full_beside_the_exact_values(lab):
    rows = {(row["function"], row["x"], row["epsilon"]): row for row in estimates_table(lab).rows}
    row = rows["1/w**2", 4.0, 0.001]
    assert (row["estimate"], row["reference"], row["status"]) == (-0.031238285155041345, -0.03125, "ok")
    assert len(rows) == 21


def test_small_runs_show_estimates_and_large_ones_do_not(lab, mixed):
    assert is_small(lab)
    assert "estimates" in run_tables(lab)
    assert not is_small(mixed)
    assert "estimates" not in run_tables(mixed)


def test_every_table_says_what_it_shows(mixed):
    for table in all_tables(mixed):
        assert table.title
        assert table.caption
        keys = [column.key for column in table.columns]
        assert len(set(keys)) == len(keys)
    assert "median" in run_tables(mixed)["ranking"].caption


def test_the_status_table_holds_every_cell_that_is_not_ok(mixed):
    rows = run_tables(mixed)["status"].rows
    assert sum(row["cells"] for row in rows) == sum(mixed.counts.values()) - mixed.counts["ok"] > 0
    frame = mixed.to_frame()
    for row in rows:
        same = frame[(frame["status"] == row["status"]) & (frame["reason"] == row["reason"])]
        assert len(same) == row["cells"]
        assert row["functions"] >= same["function"].nunique()
        function, _, scheme = row["example"].rpartition(", ")
        assert ((same["function"] == function) & (same["scheme"] == scheme)).any()


def test_the_summary_table_counts_every_cell(mixed):
    rows = run_tables(mixed)["summary"].rows
    assert {label: sum(row[label] for row in rows) for label in (s.label for s in STATUSES)} == mixed.counts


def test_the_digits_table_is_the_matrix_of_the_summary(mixed):
    tables = run_tables(mixed)
    long = {
        (row["function"], row["derivative"], row["dtype"], row["scheme"]): row["optimal_digits"]
        for row in tables["summary"].rows
    }
    wide = tables["digits"].rows
    assert len(wide) == 3 * 2
    for row in wide:
        for scheme in ("forward-1", "central-4", "complex-step"):
            assert row[scheme] == long[row["function"], row["derivative"], row["dtype"], scheme]


def test_the_ranking_table_is_sorted_within_each_dtype(mixed):
    rows = run_tables(mixed)["ranking"].rows
    for dtype in ("float32", "float64"):
        own = [row for row in rows if row["dtype"] == dtype]
        assert [row["rank"] for row in own] == [1, 2, 3]
        digits = [row["optimal_digits"] for row in own]
        assert digits == sorted(digits, reverse=True)


def test_a_kink_shows_its_verdict_instead_of_a_value(mixed):
    rows = references_table(mixed).rows
    kink = next(row for row in rows if row["function"] == "abs" and row["x"] == 0)
    assert (kink["value"], kink["verdict"]) == (None, "nondifferentiable")
    small = run(Spec(Function("kink", "Abs(x)", ["0"]), ["forward-1"], ["1e-3"]))
    row = estimates_table(small).rows[0]
    assert (row["reference"], row["status"]) == (None, "nondifferentiable")


# step rules -----------------------------------------------------------------------------------------------------------


def test_regret_is_told_where_there_are_several_rules(ruled, mixed):
    assert {"regret", "regret-classes"} <= run_tables(ruled).keys()
    assert not {"regret", "regret-classes"} & run_tables(mixed).keys()


def test_rules_stand_scheme_by_scheme_the_best_first(ruled):
    rows = run_tables(ruled)["regret"].records()
    assert {row["scheme"] for row in rows} == {"forward-1", "central-2"}
    keys = [(row["dtype"], row["scheme"] == "central-2", row["lost_median"], row["lost_worst"]) for row in rows]
    known = [key for key in keys if key[2] is not None]
    assert known == sorted(known)
    assert len(rows) > 60


def test_classes_of_functions_are_their_first_tags(ruled):
    table = run_tables(ruled)["regret-classes"]
    assert [column.key for column in table.columns][3:] == [
        *("evaluations", "failed", "all", "exponential", "trigonometric", "polynomial")
    ]
    rows = {(row["rule"], row["dtype"]): row for row in table.records()}
    assert len(rows) == 2 * len(RULES)
    assert rows["fixed(1e-6)", "float64"]["trigonometric"].count(" / ") == 1
    assert "-0.0" not in to_text(table, exact=False)


def test_runs_with_noise_have_a_table_of_it_and_others_have_none():
    functions = [Function("quiet", "exp(x)", ["1"]), Function("noisy", "exp(x)", ["1"], noise="relative 1e-6")]
    table = run_tables(run(Spec(functions, ["forward-1", "central-2", "complex-step"])))["noise"]
    assert [(row["function"], row["scheme"]) for row in table.rows] == [("noisy", "forward-1"), ("noisy", "central-2")]
    assert all(1e-3 < row["predicted_epsilon"] < 0.1 for row in table.records())
    assert r"stated $\sigma$" in to_latex(table)
    assert "noise" not in run_tables(run(Spec(functions[0], ["forward-1"])))
    assert "noise" not in run_tables(run(Spec(functions, ["forward-1"]), keep="summary"))

"""The tables of a run: what was measured, and what the analysis says of it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from diffbench.analysis.gradients import GRADIENT_CRITERION, gradient_rows, has_gradients
from diffbench.analysis.predict import prediction_rows, published_rows
from diffbench.analysis.published_steps import PUBLISHED_CRITERION, has_published_steps, published_step_rows
from diffbench.analysis.regret import EVERY, REGRET_CRITERION, regret_rows
from diffbench.analysis.summary import RANKING_CRITERION, ranking_rows, summary_columns
from diffbench.errors import EmptySelectionError
from diffbench.functions.suites import load_suite
from diffbench.reference import metrics
from diffbench.report.table import Column, Row, Table, one_decimal
from diffbench.rounding import finite
from diffbench.sweep.results import NO_CELLS, STATUSES, Block, Results, Status

if TYPE_CHECKING:
    from diffbench.analysis.compare import Comparison
    from diffbench.analysis.judgement import Judgement
    from diffbench.analysis.order import Observed


PRECISION = ("dtypes", "dtype-exponents", "dtype-gaps", "dtype-outliers")
"""The tables of dtypes side by side, which precision.py makes."""


def ranking_table(results: Results) -> Table:
    """Return the schemes of each derivative and dtype, best first."""
    columns = (
        Column("rank", "#", "count"),
        Column("scheme", "scheme"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("evaluations", "evaluations", "count"),
        Column("functions", "functions", "count", optional=True),
        Column("optimal_digits", "digits at optimal ε", "digits"),
        Column("optimal_digits_worst", "worst at optimal ε", "digits", optional=True),
        Column("usual_digits", "digits at usual ε", "digits"),
        Column("usual_digits_worst", "worst at usual ε", "digits", optional=True),
        Column("flat_decades", "flat decades", "digits", optional=True),
        *_further_columns(),
        Column("ok", "ok cells", "count", optional=True),
        Column("not_ok", "other cells", "count", optional=True),
    )
    return Table("Which scheme?", _with_further(RANKING_CRITERION), columns, ranking_rows(results.curves))


def _further_columns() -> Iterator[Column]:
    for metric in metrics.FURTHER:
        yield Column(metric.optimal, f"{metric.header} at optimal ε", "rounded", optional=True)
        yield Column(metric.optimal_worst, f"worst {metric.header}", "rounded", optional=True)


def _with_further(caption: str) -> str:
    """Return a caption that says what the metrics are which are not stored."""
    words = [f"{each.header}: {each.description}, in {each.unit}, {each.better} is better" for each in metrics.FURTHER]
    return "; ".join([caption, *words])


def summary_table(results: Results) -> Table:
    """Return one row for each function × derivative × dtype × scheme."""
    data = summary_columns(results.curves)
    rows = [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]
    columns = (
        Column("function", "function"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("scheme", "scheme"),
        Column("evaluations", "evaluations", "count"),
        Column("points", "points", "count"),
        Column("optimal_epsilon", "optimal ε", "rounded"),
        Column("optimal_digits", "digits there", "digits"),
        Column("optimal_digits_worst", "worst", "digits"),
        Column("flat_decades", "flat decades", "digits"),
        Column("usual_digits", "digits at usual ε", "digits"),
        Column("usual_digits_worst", "worst", "digits"),
        *_further_columns(),
        *(Column(status.label, status.label, "count", optional=True) for status in STATUSES),
    )
    caption = (
        "optimal ε: the largest with the least running-median error, the middle one of the points'; digits: median and "
        "worst over the points whose derivative is not 0; usual ε: u^(1/(m+p)) max(1, |x|), and u max(1, |x|) for the "
        "complex step, which does not cancel; cells by status"
    )
    return Table("Every function and scheme", _with_further(caption), columns, rows)


def digits_table(results: Results) -> Table:
    """Return the matrix of digits at the optimal epsilon: a row a function, a column a scheme."""
    data = summary_columns(results.curves)
    schemes = tuple(dict.fromkeys(data["scheme"]))
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    keys = zip(
        data["function"],
        data["derivative"],
        data["dtype"],
        data["scheme"],
        data["optimal_digits"],
        strict=True,
    )
    for function, derivative, dtype, scheme, digits in keys:
        start = {"function": function, "derivative": derivative, "dtype": dtype} | dict.fromkeys(schemes)
        rows.setdefault((function, derivative, dtype), start)[scheme] = digits
    columns = (
        Column("function", "function"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        *(Column(scheme, scheme, "digits") for scheme in schemes),
    )
    return Table("Digits at the optimal ε", "median over the points of each function", columns, list(rows.values()))


def estimates_table(results: Results) -> Table:
    """Return every cell with its estimate in full beside the exact value."""
    if not results.blocks:
        raise EmptySelectionError(NO_CELLS)
    rows = [row for block in results.blocks for row in _estimate_rows(block)]
    columns = (
        Column("function", "function"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("scheme", "scheme"),
        *_placed(rows),
        Column("x", "x", "number"),
        Column("epsilon", "ε", "number"),
        Column("rule", "rule"),
        Column("estimate", "estimate", "number"),
        Column("reference", "exact", "number"),
        Column("error", "error", "number"),
        Column("digits", "digits", "digits"),
        *(Column(metric.name, metric.header, "number") for metric in metrics.FURTHER),
        Column("status", "status"),
    )
    return Table("Estimates", "every cell of the run, and the exact derivative at the same binary x", columns, rows)


def status_table(results: Results) -> Table:
    """Return what became of the cells that are not ok, with their reasons."""
    columns = (
        Column("status", "status"),
        Column("reason", "reason"),
        Column("cells", "cells", "count"),
        Column("functions", "functions", "count"),
        Column("example", "for example"),
    )
    order = {status.label: int(status) for status in STATUSES}
    found: dict[tuple[int, str], tuple[list[int], set[str], str]] = {}
    for part in results.curves:
        for loss in part.losses:
            example = f"{part.function}, {loss.scheme}"
            counts, functions, _ = found.setdefault((order[loss.status], loss.reason), ([], set(), example))
            counts.append(loss.cells)
            functions.add(part.function)
    rows = [
        {
            "status": Status(status).label,
            "reason": reason,
            "cells": sum(counts),
            "functions": len(functions),
            "example": example,
        }
        for (status, reason), (counts, functions, example) in sorted(found.items())
    ]
    return Table("Cells that are not ok", "every planned cell is ok or stands here", columns, rows)


def references_table(results: Results) -> Table:
    """Return the references with their certificates."""
    rows = [row for table in results.placed_references() for row in table.to_pylist()]
    columns = (
        Column("function", "function"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        *_placed(rows),
        Column("x", "x", "number"),
        Column("value", "exact derivative"),
        Column("certified_digits", "certain digits", "count"),
        Column("radius", "radius"),
        Column("verdict", "verdict"),
        Column("method", "method"),
        Column("second_opinion", "second opinion"),
        Column("reason", "reason"),
    )
    return Table("References", "the exact derivative at the binary x, and what is known of it", columns, rows)


def regret_table(results: Results, lost: Sequence[Row] | None = None) -> Table:
    """Return the digits that each step rule loses, scheme by scheme, the best first; they may be known already."""
    columns = (
        Column("scheme", "scheme"),
        Column("rule", "rule"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("curves", "curves", "count"),
        Column("lost_median", "digits lost", "digits"),
        Column("lost_90", "90 %", "digits"),
        Column("lost_worst", "worst", "digits"),
        Column("evaluations", "evaluations", "rounded"),
        Column("failed", "failed", "count"),
        Column("without_digits", "without digits", "count"),
    )
    lost = regret_rows(results.curves) if lost is None else lost
    rows = [row for row in lost if row["class"] == EVERY and row["scheme"] != EVERY]
    order = {name: i for i, name in enumerate(dict.fromkeys(row["scheme"] for row in rows))}
    rows.sort(key=lambda row: (row["derivative"], row["dtype"], order[row["scheme"]], _most_lost(row)))
    return Table("What does each step rule cost?", REGRET_CRITERION, columns, rows)


def _most_lost(row: Row) -> tuple[float, float]:
    """Return what sorts rows by the digits lost, those without any last."""
    return (np.inf, np.inf) if row["lost_median"] is None else (row["lost_median"], row["lost_worst"])


def regret_classes_table(results: Results, lost: Sequence[Row] | None = None) -> Table:
    """Return the digits that each step rule loses on each class of functions, the first tag of each being its class."""
    classes = (EVERY, *dict.fromkeys(part.tags[0] for part in results.curves if part.tags))
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in regret_rows(results.curves) if lost is None else lost:
        if row["scheme"] == EVERY and row["class"] in classes:
            about = ("rule", "derivative", "dtype", "evaluations", "failed")
            start = {key: row[key] for key in about} | dict.fromkeys(classes)
            rows.setdefault((row["derivative"], row["dtype"], row["rule"]), start)[row["class"]] = _lost(row)
    columns = (
        Column("rule", "rule"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("evaluations", "evaluations", "rounded"),
        Column("failed", "failed", "count"),
        *(Column(name, name) for name in classes),
    )
    ordered = [row for _, row in sorted(rows.items(), key=lambda item: item[0][:2])]
    caption = (
        "digits lost, median / worst, over all schemes that the rule serves, by class of function; the rule's own "
        "evaluations, median, and how often it failed by its own account"
    )
    return Table("Step rules by class of function", caption, columns, ordered)


def _lost(row: Row) -> str | None:
    if row["lost_median"] is None:
        return None
    return f"{one_decimal(row['lost_median'])} / {one_decimal(row['lost_worst'])}"


def published_steps_table(results: Results) -> Table:
    """Return what is left of the default steps of packages in each dtype."""
    columns = (
        Column("step", "default of"),
        Column("scheme", "scheme"),
        Column("rule", "ε"),
        Column("dtype", "dtype"),
        Column("functions", "functions", "count"),
        Column("wholly_wrong", "wholly wrong", "count"),
        Column("problems", "problems", "count"),
        Column("wrong", "100 % wrong", "count"),
        Column("digits", "digits", "digits"),
        Column("optimal_digits", "at optimal ε", "digits"),
        Column("source", "source", optional=True),
    )
    return Table("What do default steps leave?", PUBLISHED_CRITERION, columns, published_step_rows(results))


def gradients_table(results: Results) -> Table:
    """Return the error of gradients as a whole, by point and scheme."""
    columns = (
        Column("function", "function"),
        Column("at", "at"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("scheme", "scheme"),
        Column("components", "components", "count"),
        Column("certified", "certified", "count"),
        Column("optimal_epsilon", "optimal ε", "rounded"),
        Column("norm_error", "error", "rounded"),
        Column("least_digits", "least digits", "digits"),
        Column("evaluations", "evaluations", "count"),
        Column("check", "check at 1e-7", "rounded"),
    )
    return Table("Gradients", GRADIENT_CRITERION, columns, gradient_rows(results))


def noise_table(results: Results) -> Table:
    """Return the curves of functions with stated noise: what is stated, estimated, predicted and measured."""
    from diffbench.analysis.noise import noise_rows

    columns = (
        Column("function", "function"),
        Column("noise", "noise"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("scheme", "scheme"),
        Column("x", "x", "number"),
        Column("stated_level", "stated σ", "rounded"),
        Column("estimated_level", "estimated σ", "rounded"),
        Column("predicted_epsilon", "predicted ε", "rounded"),
        Column("measured_epsilon", "measured ε", "rounded"),
        Column("predicted_digits", "digits at predicted ε", "digits"),
        Column("measured_digits", "digits at measured ε", "digits"),
    )
    caption = (
        "σ: standard deviation of the noise of f(x), estimated from a table of differences (Moré and Wild 2011); "
        "predicted ε: the least mean squared error under the estimated noise"
    )
    return Table("Noise", caption, columns, noise_rows(results))


def orders_table(observed: Sequence["Observed"]) -> Table:
    """Return one row for each scheme: how many cases have each verdict, and the worst deviation of the verified."""
    from diffbench.analysis.order import NEXT_TERM, VERDICTS

    keys = {verdict: verdict.replace(" ", "_") for verdict in VERDICTS}
    columns = (
        Column("scheme", "scheme"),
        Column("derivative", "derivative", "count"),
        Column("order", "order", "count"),
        Column("cases", "cases", "count"),
        *(Column(key, verdict, "count") for verdict, key in keys.items()),
        Column("deviation", "worst deviation of verified", "rounded"),
    )
    groups: dict[tuple[str, int, int | None], list[Observed]] = {}
    for each in observed:
        groups.setdefault((each.scheme, each.derivative, each.proved), []).append(each)
    rows: list[Row] = [
        {"scheme": group[0], "derivative": group[1], "order": group[2]}
        | {"cases": len(cases)}
        | {key: sum(each.verdict == verdict for each in cases) for verdict, key in keys.items()}
        | {"deviation": max((each.deviation or 0.0 for each in cases if each.verdict == "verified"), default=None)}
        for group, cases in groups.items()
    ]
    caption = (
        "a case is a point of a function; the slope of the truncation in log ε, in balls, over epsilons at which its "
        f"further terms are below {NEXT_TERM:g} of the leading one"
    )
    return Table("Is the order what it is proved to be?", caption, columns, rows)


def order_cases_table(observed: Sequence["Observed"]) -> Table:
    """Return one row for each scheme and point, with the interval of the observed order, verdict and reason."""
    columns = (
        Column("function", "function"),
        Column("point", "x"),
        Column("scheme", "scheme"),
        Column("derivative", "derivative", "count"),
        Column("proved", "order", "count"),
        Column("observed", "observed", "number"),
        Column("low", "low", "number", optional=True),
        Column("high", "high", "number", optional=True),
        Column("largest_epsilon", "largest ε", "rounded", optional=True),
        Column("verdict", "verdict"),
        Column("reason", "reason", optional=True),
    )
    rows = [
        {column.key: getattr(each, column.key, None) for column in columns}
        | {"largest_epsilon": max(each.window, default=None)}
        for each in observed
    ]
    return Table("Observed orders", "low and high hold the slopes of all steps of the window", columns, rows)


def model_table(results: Results) -> Table:
    """Return the error model beside what was measured, a row a curve; mixed partial derivatives have none."""
    rows = list(prediction_rows(results))
    columns = (
        Column("function", "function"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("scheme", "scheme"),
        *_placed(rows),
        Column("x", "x", "number"),
        Column("predicted_epsilon", "predicted ε", "rounded"),
        Column("predicted_digits", "predicted digits", "digits"),
        Column("digits_there", "digits at predicted ε", "digits"),
        Column("ratio", "measured / predicted error", "rounded"),
        Column("optimal_epsilon", "optimal ε", "rounded"),
        Column("optimal_digits", "digits at optimal ε", "digits"),
        Column("in_flat_region", "in the flat region"),
        Column("note", "note", optional=True),
    )
    caption = (
        "predicted by the error model, which looks at no error, beside the running median of the measured errors; "
        "in the flat region: whether the error at the predicted ε is at most 10 times the least"
    )
    return Table("What does the model say?", caption, columns, rows)


def published_table() -> Table:
    """Return the steps and errors printed in the literature beside ours."""
    columns = (
        Column("function", "function"),
        Column("derivative", "derivative", "count"),
        Column("scheme", "scheme"),
        Column("x", "x", "number"),
        Column("printed_epsilon", "printed ε", "rounded"),
        Column("printed_error", "its error", "rounded"),
        Column("predicted_epsilon", "predicted ε", "rounded"),
        Column("error_there", "error at predicted ε", "rounded"),
        Column("optimal_epsilon", "optimal ε", "rounded"),
        Column("optimal_error", "error at optimal ε", "rounded"),
    )
    caption = (
        "of the estimates and errors that are printed for a problem and scheme the least error; relative errors, ours "
        "those of the running median in float64"
    )
    return Table("Printed optima", caption, columns, list(published_rows()))


def holds_published(results: Results) -> bool:
    """Return whether a run has all functions of the suite ``published``."""
    names = {function for function, *_ in results.keys}
    return {function.name for function in load_suite("published").functions} <= names


def transitions_table(found: "Comparison") -> Table:
    """Return how many cells of each scheme are the same in two runs, better, worse, or in one of them only."""
    from diffbench.analysis.compare import TRANSITION_CRITERION

    return _transitions("scheme", TRANSITION_CRITERION, found.schemes, found.counts)


def judgement_table(found: "Judgement") -> Table:
    """Return what became of the cells of each scheme, or of each test, since a baseline."""
    what = "test" if "tests" in found.properties else "scheme"
    return _transitions(what, f"compared with {found.baseline}", found.groups, found.counts)


def _transitions(what: str, criterion: str, groups: dict[str, dict[str, int]], counts: dict[str, int]) -> Table:
    keys = {word: word.replace(" ", "_") for word in counts}
    columns = (Column(what, what), *(Column(key, word, "count") for word, key in keys.items()))
    rows: list[Row] = [
        {what: group} | {key: own[word] for word, key in keys.items()}
        for group, own in (*groups.items(), ("all", counts))
    ]
    return Table("What became of the cells?", criterion, columns, rows)


def changes_table(found: "Comparison") -> Table:
    """Return the cells that changed most between two runs."""
    rows = [change._asdict() for change in found.changes]
    if not any(row["direction"] for row in rows):
        rows = [{key: value for key, value in row.items() if key not in ("direction", "at")} for row in rows]
    columns = (
        Column("function", "function"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("scheme", "scheme"),
        Column("rule", "rule", optional=True),
        Column("point", "point", "count"),
        *_placed(rows),
        Column("epsilon_index", "ε index", "count"),
        Column("transition", "transition"),
        Column("before", "before"),
        Column("after", "after"),
        Column("digits_before", "digits before", "digits"),
        Column("digits_after", "digits after", "digits"),
        Column("ulp_before", "ulp before", "rounded", optional=True),
        Column("ulp_after", "ulp after", "rounded", optional=True),
    )
    caption = (
        "cells that are no longer ok first, then by the factor between the errors, below half an ulp as half an ulp"
    )
    return Table("What changed most?", caption, columns, rows)


def run_tables(results: Results) -> dict[str, Table]:
    """Return the tables that a run folder holds, by file name."""
    tables = {
        "ranking": ranking_table(results),
        "summary": summary_table(results),
        "digits": digits_table(results),
        "status": status_table(results),
    }
    if any(len(part.rules) > 1 for part in results.curves):
        lost = regret_rows(results.curves)
        tables |= {"regret": regret_table(results, lost), "regret-classes": regret_classes_table(results, lost)}
    if has_published_steps(results):
        tables["published-steps"] = published_steps_table(results)
    if results.blocks and any(part.noise for part in results.curves):
        tables["noise"] = noise_table(results)
    if has_gradients(results):
        tables["gradients"] = gradients_table(results)
    if holds_published(results):
        tables["published"] = published_table()
    return tables | ({"estimates": estimates_table(results)} if is_small(results) else {})


def is_small(results: Results) -> bool:
    """Return whether a run has so few cells that every one of them can be read."""
    return bool(results.blocks) and sum(results.counts.values()) <= 200


def _placed(rows: Sequence[Row]) -> tuple[Column, ...]:
    """Return the columns that only runs of functions of several variables have, of which every row has both."""
    return (Column("at", "at"), Column("direction", "along")) if any("direction" in row for row in rows) else ()


def _estimate_rows(block: Block) -> Iterable[dict[str, Any]]:
    error, digits = block.error, block.digits
    further = {metric.name: block.measured(metric) for metric in metrics.FURTHER}
    for s, p, c in np.argwhere(block.status != Status.ABSENT):
        place = (s, p, c)
        yield {
            "function": block.function,
            "derivative": block.derivative,
            "dtype": block.dtype,
            "scheme": block.schemes[s],
            **(block.directions[p]._asdict() if block.directions else {}),
            "x": float(block.x[p]),
            "epsilon": finite(block.epsilon[place]),
            "rule": None if c < block.grid_size else (*block.rules, None)[c - block.grid_size],
            "estimate": finite(block.estimate[place]),
            "reference": finite(block.hi[p, 0]),
            "error": finite(error[place]),
            "digits": finite(digits[place]),
            **{name: finite(values[place]) for name, values in further.items()},
            "status": Status(int(block.status[place])).label,
        }

"""The numbers of the demo's run, as the real TensorBoard serves them, against what the demo logged."""

from __future__ import annotations

import numpy as np
import pytest

from tests.demo.shown import Shown, final_metrics, single
from tests.support.buckets import assert_counts
from tests.support.tensorboard_server import needs_tensorboard

pytestmark = [pytest.mark.slow, needs_tensorboard]


def test_the_report_says_where_the_run_is_and_what_logging_cost(shown: Shown) -> None:
    """The last lines name the folder, the command that opens it and the share of time that logging took."""
    assert f"--logdir {shown.log_dir}" in shown.output
    assert f"test accuracy {final_metrics(shown)['final/test_accuracy']:.1%}" in shown.output
    assert "Logging: " in shown.output


def test_it_is_small(shown: Shown) -> None:
    """Two epochs leave less than 5 MB on the disk."""
    assert sum(path.stat().st_size for path in shown.log_dir.rglob("*") if path.is_file()) < 5e6


def test_every_scalar(shown: Shown) -> None:
    """Each scalar's curve has every step and value that was logged, as float32, and there are no others."""
    logged = shown.logged("add_scalar")
    assert set(shown.board.tags("scalars")["."]) == set(logged)
    for tag, calls in logged.items():
        points = [(call.given("global_step"), single(call.given("scalar_value"))) for call in calls]
        assert shown.board.scalars(".", tag) == points


def test_scalars_in_one_chart(shown: Shown) -> None:
    """Each value of add_scalars is a point of a sub-run of its own, under the common tag."""
    for tag, calls in shown.logged("add_scalars").items():
        for key in calls[0].given("tag_scalar_dict"):
            values = [single(call.given("tag_scalar_dict")[key]) for call in calls]
            points = list(zip([call.given("global_step") for call in calls], values, strict=True))
            assert shown.board.scalars(f"{tag}_{key}", tag) == points


def test_every_histogram(shown: Shown) -> None:
    """Each histogram, of every parameter and gradient, counts the very values that were logged."""
    logged = shown.logged("add_histogram")
    assert set(shown.board.tags("histograms")["."]) == set(logged)
    for tag, calls in logged.items():
        histograms = shown.board.histograms(".", tag)
        assert [step for step, _ in histograms] == [call.given("global_step") for call in calls]
        for (_, buckets), call in zip(histograms, calls, strict=True):
            assert_counts(buckets, call.given("values"))


def test_every_precision_recall_curve(shown: Shown) -> None:
    """Each digit's curve counts, at each threshold, which predictions reach it, and follows from the counts."""
    logged = shown.logged("add_pr_curve")
    assert set(shown.board.tags("pr_curves")["."]) == set(logged)
    assert len(logged) == 10
    for tag, calls in logged.items():
        curves = shown.board.precision_recall(".", tag)
        assert [curve["step"] for curve in curves] == [call.given("global_step") for call in calls]
        for curve, call in zip(curves, calls, strict=True):
            labels, predictions = call.given("labels"), call.given("predictions")
            reached = np.floor(predictions.astype(np.float64) * 126)  # the last of 127 thresholds
            for place, (true, false) in enumerate(
                zip(curve["true_positives"], curve["false_positives"], strict=True)
            ):
                positive = reached >= place
                assert (true, false) == (np.sum(positive & labels), np.sum(positive & ~labels))
                assert curve["recall"][place] == pytest.approx(true / labels.sum())
                assert curve["precision"][place] == pytest.approx(true / max(true + false, 1e-9))


def test_the_charts_of_custom_scalars(shown: Shown) -> None:
    """The layout has its categories and charts, and their tags are those of scalars that are there."""
    asked = shown.only("add_custom_scalars").given("layout")
    got = {
        category["title"]: {
            chart["title"]: chart["multiline"]["tag"] if "multiline" in chart else margin(chart["margin"])
            for chart in category["chart"]
        }
        for category in shown.board.layout()
    }
    assert got == {
        category: {title: tags for title, (_, tags) in charts.items()} for category, charts in asked.items()
    }


def margin(content: dict[str, list[dict[str, str]]]) -> list[str]:
    (series,) = content["series"]
    return [series["value"], series["lower"], series["upper"]]


def test_the_hparams(shown: Shown) -> None:
    """The HParams table has one session with every hyperparameter and the final metrics."""
    (session,) = shown.board.sessions()
    assert session["hparams"] == shown.only("add_hparams").given("hparam_dict")
    assert session["metrics"] == {tag: single(value) for tag, value in final_metrics(shown).items()}

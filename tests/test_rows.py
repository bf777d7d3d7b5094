"""Which rows of results.jsonl count: neither an odd one nor a stale one becomes a figure."""

import json
import warnings

import pytest

from prompts.reports.rows import newest, read_rows, usable
from tests.scripts import make_row, zero_shot

NEW = {"code": {"coop.py": "c2"}, "pictures": "p2", "trained_pictures": "t2"}
OLD = {"code": {"coop.py": "c1"}, "pictures": "p1", "trained_pictures": "t1"}


def without(row, key):
    return {name: value for name, value in row.items() if name != key}


ODD = {  # a line of results.jsonl: what is said about it
    "null": "it is not a JSON object",
    "[1, 2]": "it is not a JSON object",
    '"text"': "it is not a JSON object",
    "7": "it is not a JSON object",
    "{": "it is not a JSON object",
    "[" * 100_000: "it is not a JSON object",
    json.dumps(without(make_row(), "accuracy")): "its accuracy is not a number",
    json.dumps(make_row(accuracy="50.0")): "its accuracy is not a number",
    json.dumps(make_row(accuracy=None)): "its accuracy is not a number",
    json.dumps(make_row(accuracy=True)): "its accuracy is not a number",
    json.dumps(make_row(accuracy=[50.0])): "its accuracy is not a number",
    json.dumps(make_row(accuracy=float("nan"))): "its accuracy is not a number",
    json.dumps(make_row(accuracy=float("inf"))): "its accuracy is not a number",
    json.dumps(make_row(accuracy=101.0)): "its accuracy is not a number",
    json.dumps(make_row(accuracy=-1.0)): "its accuracy is not a number",
    json.dumps(without(make_row(), "method")): "its method is not a word",
    json.dumps(make_row() | {"method": "ma\x1bple"}): r"there is no method ma\x1bple",
    json.dumps(make_row() | {"method": ["coop"]}): "its method is not a word",
    json.dumps(make_row() | {"dataset": None}): "its dataset is not a word",
    json.dumps(make_row() | {"dataset": {}}): "its dataset is not a word",
    json.dumps(make_row() | {"model": 3}): "its model is not a word",
    json.dumps(make_row() | {"classes": []}): "its classes is not a word",
    json.dumps(make_row() | {"trained_on": 1}): "its trained_on is not a word",
    json.dumps(without(make_row(), "trained_on")): "its trained_on is not a word",
    json.dumps(without(make_row(), "trained_classes")): "its trained_classes is not a word",
    json.dumps(make_row() | {"options": None}): "its options are not a JSON object",
    json.dumps(make_row() | {"options": "n_ctx=4"}): "its options are not a JSON object",
    json.dumps(make_row() | {"shots": "16"}): "its shots is not a number",
    json.dumps(make_row() | {"shots": None}): "its shots is not a number",
    json.dumps(make_row() | {"seed": [1]}): "its seed is not a number",
    json.dumps(without(make_row(), "shots")): "its shots is not a number",
    json.dumps(make_row() | {"seed": None}): "its seed is not a number",
    json.dumps(zero_shot() | {"shots": "0"}): "its shots is not a number",
    json.dumps(make_row() | {"split": []}): "its split is not a word",
    json.dumps(make_row() | {"template": {}}): "its template is not a word",
    json.dumps(make_row() | {"sha256": 5}): "its sha256 is not a word",
}


@pytest.mark.parametrize("line", ODD, ids=lambda line: line[:20])
def test_an_odd_line_is_skipped_with_its_number_and_the_reason(tmp_path, line):
    path = tmp_path / "results.jsonl"
    path.write_text("\n".join([json.dumps(make_row()), line, json.dumps(make_row(seed=2))]))
    with pytest.warns(UserWarning) as caught:
        good = usable(read_rows(path))
    assert [row["seed"] for row in good] == [1, 2]
    message = str(caught[0].message)
    assert message.startswith(f"Line 2 of the results is skipped, because {ODD[line]}")
    assert len(caught) == 1 and "\n" not in message and message.isprintable()


def test_bytes_that_are_not_utf_8_and_a_line_that_was_cut_short_leave_the_others(tmp_path):
    path = tmp_path / "results.jsonl"
    line = json.dumps(make_row()).encode()
    path.write_bytes(b"\xff\xfe\n" + line + b"\r\n\n" + line[:50])
    with pytest.warns(UserWarning, match=r"Line 1 .* not a JSON object \(and 1 more lines\)"):
        assert usable(read_rows(path)) == [make_row()]


def test_good_rows_and_a_missing_file_give_no_note(tmp_path):
    path = tmp_path / "results.jsonl"
    published = make_row(trained_on=None, trained_classes=None, seed=None) | {"shots": None}
    failed = without(make_row(), "accuracy") | {"failed": "The loss is not finite."}
    good = [
        make_row(),
        zero_shot(),
        published,
        failed,
        make_row(accuracy=0),
        make_row(accuracy=100),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert usable(read_rows(path)) == []
        path.write_text("".join(f"{json.dumps(row)}\n\n" for row in good))
        assert usable(read_rows(path)) == good


@pytest.mark.parametrize(
    "outcome",
    [
        {"code": {"coop.py": "c2"}},
        {"pictures": "p2"},
        {"trained_pictures": "t2"},
        {"seconds": 9.9},
        {"device": "cuda"},
        {"loss": 0.5},
        {"command": "python train.py"},
        {"version": "9.9"},
    ],
    ids=str,
)
def test_of_rows_that_differ_in_their_outcome_only_the_last_counts(outcome):
    first, last = make_row(accuracy=10.0, **OLD), make_row(accuracy=60.0, **OLD | outcome)
    counted = newest([first, make_row(seed=2, **OLD | outcome), last])
    assert [row["accuracy"] for row in counted.rows] == [50.0, 60.0]
    assert counted.outdated == counted.failed == []


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"shots": 8},
        {"lr": 0.5},
        {"options": {"n_ctx": 8}},
        {"precision": "bf16"},
        {"sha256": "b2"},
        {"classes": "base"},
        {"split": "val"},
        {"template": "{}."},
        {"views": 0},
    ],
    ids=str,
)
def test_rows_of_different_runs_all_count(change):
    both = [make_row(**NEW), make_row(**NEW | change)]
    assert newest(both).rows == both


def test_rows_on_other_pictures_than_the_last_row_of_the_data_set_are_outdated():
    old = [
        zero_shot(**OLD),
        make_row(**OLD),
        make_row("upt", **OLD),
        without(make_row("vpt"), "code"),
    ]
    elsewhere = [make_row(dataset="toy-flowers", **OLD), make_row(classes="new", **OLD)]
    elsewhere.append(zero_shot(template="{}.", **OLD))  # templates are among what the digest is of
    counted = newest([*old, *elsewhere, make_row(**NEW)])
    assert counted.rows == [*elsewhere, make_row(**NEW)]
    assert counted.outdated == [old[0], *old[2:]]  # old[1] was repeated


def test_rows_of_before_there_were_digests_count_among_themselves():
    rows = [zero_shot(), make_row(), make_row("upt")]
    assert newest(rows).rows == rows


def test_a_run_that_diverged_does_not_count_and_neither_does_its_older_accuracy():
    failed = without(make_row(**NEW), "accuracy") | {"failed": "The loss is not finite."}
    counted = newest(
        [make_row(accuracy=60.0, **NEW | {"code": {}}), failed, make_row(seed=2, **NEW)]
    )
    assert (counted.rows, counted.failed) == ([make_row(seed=2, **NEW)], [failed])
    again = newest([failed, make_row(**NEW)])
    assert (again.rows, again.failed) == ([make_row(**NEW)], [])

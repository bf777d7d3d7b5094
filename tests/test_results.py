"""results.jsonl: neither an odd row nor a stale one becomes a number, and nothing is lost.

What the key of a row is, and which row of a kind a table shows: test_identity.py.
"""

import json
import warnings

import pytest

from prompts.reports.rows import newest, read_rows, usable
from prompts.runs.results import Results
from tests.scripts import make_row, zero_shot

NEW = {"code": {"coop.py": "c2"}, "pictures": "p2", "trained_pictures": "t2"}
OLD = {"code": {"coop.py": "c1"}, "pictures": "p1", "trained_pictures": "t1"}


def without(row, key):
    return {name: value for name, value in row.items() if name != key}


def odd_lines():
    """Lines of results.jsonl, and what is said about each."""
    nothing = ["null", "[1, 2]", '"text"', "7", "{", "[" * 100_000]
    yield from ((line, "it is not a JSON object") for line in nothing)
    accuracies = ("50.0", None, True, [50.0], float("nan"), float("inf"), 101.0, -1.0)
    odd = [(make_row(accuracy=accuracy), "its accuracy is not a number") for accuracy in accuracies]
    odd.append((without(make_row(), "accuracy"), "its accuracy is not a number"))
    for key, value in (("method", ["coop"]), ("dataset", None), ("dataset", {}), ("model", 3),
                       ("classes", []), ("trained_on", 1), ("split", []), ("template", {}),
                       ("sha256", 5)):
        odd.append((make_row() | {key: value}, f"its {key} is not a word"))
    for key in ("method", "trained_on", "trained_classes"):
        odd.append((without(make_row(), key), f"its {key} is not a word"))
    odd.append((make_row() | {"method": "ma\x1bple"}, r"there is no method ma\x1bple"))
    for value in (None, "n_ctx=4"):
        odd.append((make_row() | {"options": value}, "its options are not a JSON object"))
    for key, value in (("shots", "16"), ("shots", None), ("seed", [1]), ("seed", None)):
        odd.append((make_row() | {key: value}, f"its {key} is not a number"))
    odd.append((zero_shot() | {"shots": "0"}, "its shots is not a number"))
    for key in ("code", "clip", "evaluated_with"):
        odd.append((make_row() | {key: "c1"}, f"its {key} is not a JSON object"))
    yield from ((json.dumps(row), reason) for row, reason in odd)


def test_an_odd_line_is_skipped_with_its_number_and_the_reason(tmp_path):
    path = tmp_path / "results.jsonl"
    for line, reason in odd_lines():
        path.write_text("\n".join([json.dumps(make_row()), line, json.dumps(make_row(seed=2))]))
        with pytest.warns(UserWarning) as caught:
            good = usable(read_rows(path))
        assert [row["seed"] for row in good] == [1, 2]
        message = str(caught[0].message)
        assert message.startswith(f"Line 2 of the results is skipped, because {reason}")
        assert len(caught) == 1 and "\n" not in message and message.isprintable()


def test_bytes_that_are_not_text_and_a_line_that_was_cut_short_leave_the_others(tmp_path):
    path, line = tmp_path / "results.jsonl", json.dumps(make_row()).encode()
    path.write_bytes(b"\xff\xfe\n" + line + b"\r\n\n" + line[:50])
    with pytest.warns(UserWarning, match=r"Line 1 .* not a JSON object \(and 1 more lines\)"):
        assert usable(read_rows(path)) == [make_row()]
    path.write_bytes(b"\xef\xbb\xbf" + line)  # a byte-order mark, as Windows' editors leave it
    assert usable(read_rows(path)) == [make_row()]


def test_good_rows_and_a_missing_file_give_no_note(tmp_path):
    path = tmp_path / "results.jsonl"
    published = make_row(trained_on=None, trained_classes=None, seed=None) | {"shots": None}
    failed = without(make_row(), "accuracy") | {"failed": "The loss is not finite."}
    good = [make_row(), zero_shot(), published, failed, make_row(accuracy=0)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert usable(read_rows(path)) == []
        path.write_text("".join(f"{json.dumps(row)}\n\n" for row in good))
        assert usable(read_rows(path)) == good


def test_of_rows_that_differ_in_what_was_measured_or_in_inputs_only_the_last_counts():
    for outcome in (dict(seconds=9.9), dict(device="cuda"), dict(loss=0.5), dict(command="python"),
                    dict(version="9.9"), dict(code={}), dict(trained_pictures="t2"), dict(clip={})):
        first, last = make_row(accuracy=10.0, **OLD), make_row(accuracy=60.0, **OLD | outcome)
        counted = newest([first, make_row(seed=2, **OLD), last])
        assert sorted(row["accuracy"] for row in counted.rows) == [50.0, 60.0], outcome
        assert counted.outdated == counted.failed == []


def test_rows_of_different_runs_all_count():
    for change in (dict(seed=2), dict(shots=8), dict(lr=0.5), dict(options={"n_ctx": 8}),
                   dict(precision="bf16"), dict(sha256="b2"), dict(classes="base"),
                   dict(split="val"), dict(template="{}."), dict(views=0)):
        both = [make_row(**NEW), make_row(**NEW | change)]
        assert newest(both).rows == both, change


def test_where_it_is_not_known_which_pictures_are_there_those_of_the_last_row_count():
    old = [zero_shot(**OLD), make_row("upt", **OLD), without(make_row("vpt"), "code")]
    elsewhere = [make_row(dataset="toy-flowers", **OLD), make_row(classes="new", **OLD)]
    elsewhere.append(zero_shot(template="{}.", **OLD))  # templates are among what the digest is of
    counted = newest([*old, make_row(**OLD), *elsewhere, make_row(**NEW)])
    assert counted.outdated == old
    assert {str(row) for row in counted.rows} == {str(r) for r in [*elsewhere, make_row(**NEW)]}
    before_digests = [zero_shot(), make_row(), make_row("upt")]
    assert newest(before_digests).rows == before_digests


def test_a_run_that_diverged_does_not_count_and_neither_does_its_older_accuracy():
    failed = without(make_row(**NEW), "accuracy") | {"failed": "The loss is not finite."}
    counted = newest([make_row(accuracy=60.0, **NEW | {"code": {}}), failed,
                      make_row(seed=2, **NEW)])
    assert (counted.rows, counted.failed) == ([make_row(seed=2, **NEW)], [failed])
    again = newest([failed, make_row(**NEW)])
    assert (again.rows, again.failed) == ([make_row(**NEW)], [])


def test_rows_that_another_process_adds_are_found_and_none_is_lost_with_the_file(tmp_path):
    results, path = Results(tmp_path / "results.jsonl"), tmp_path / "results.jsonl"
    row, other = make_row(**NEW), make_row(seed=2, **NEW)
    assert results.find(row) is None
    results.record(without(row, "accuracy"), accuracy=50.0)
    text = json.dumps(other)
    with open(path, "a") as file:
        file.write(text[:40])  # half a line is not a row yet
    assert results.find(other) is None
    with open(path, "a") as file:
        file.write(f"{text[40:]}\n")
    assert results.find(other) == other and results.find(row)["accuracy"] == 50.0
    path.unlink()
    assert results.find(other) == other
    results.record(without(make_row(seed=3, **NEW), "accuracy"), accuracy=1.0)
    assert [each["seed"] for each in usable(read_rows(path))] == [3]

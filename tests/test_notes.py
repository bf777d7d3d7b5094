"""The scripts in notes/: which rows their tables count, and what they make of them."""

import json
import xml.etree.ElementTree as ET

from clip_min.world.benchmarks import EIGHT
from notes import results


def rows():
    """Zero-shot CLIP and CoOp on the eight sets, three seeds, and rows that must not be counted."""
    common = dict(model="tiny", precision="fp32", classes="all", options={})
    for i, name in enumerate(EIGHT):
        yield common | dict(method="zero_shot", dataset=name, shots=0, seed=0, accuracy=50.0)
        for seed in (1, 2, 3):
            run = common | dict(method="coop", dataset=name, shots=16, seed=seed, views=16, accuracy=50.0 + i + seed)
            yield run | dict(options=dict(ctx_init="a photo of a"))
            yield run | dict(accuracy=0, options=dict(n_ctx=8))
            yield run | dict(accuracy=0, views=0)
            yield run | dict(accuracy=0, split="val")
            yield run | dict(accuracy=0, model="ViT-B/16")
            yield run | dict(accuracy=0, trained_on="toy-elsewhere")
            yield run | dict(accuracy=0, classes="new")  # learned on the new classes
            yield run | dict(accuracy=40.0 + seed, classes="new", trained_on=name, trained_classes="base")
            yield run | dict(accuracy=80.0 + seed, options=dict(class_specific=True))


def table(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    return results.read(path)


def test_only_runs_with_the_recipe_are_counted_and_the_mean_is_over_sets_seed_by_seed(tmp_path):
    found = table(tmp_path)
    assert found["coop", EIGHT[2], "all", 16] == {1: 53.0, 2: 54.0, 3: 55.0}
    assert results.mean_of_sets(found, "coop", "all", 16) == [54.5, 55.5, 56.5]
    assert results.mean_of_sets(found, "coop", "new", 16) == [41.0, 42.0, 43.0]
    assert results.mean_of_sets(found, "coop CSC", "all", 16) == [81.0, 82.0, 83.0]
    assert results.mean_of_sets(found, "upt", "all", 16) == []


def test_the_table_has_a_column_for_each_set_and_the_deviation_of_the_mean(tmp_path):
    lines = results.few_shot_table(table(tmp_path), 16).splitlines()
    assert [line.split(" |")[0] for line in lines[2:]] == ["| zero_shot", "| coop", "| coop CSC"]
    assert lines[3].endswith("| 55.5 ± 0.8 | 3 |") and lines[3].count("|") == lines[0].count("|")


def test_the_curves_are_whole_svg(tmp_path):
    picture = ET.fromstring(results.draw(table(tmp_path)))
    curves = [element for element in picture if element.tag.endswith("polyline")]
    assert len(curves) == 9 * len(results.CURVES)

"""The picture of the pre-training, from made-up logs: all of it inside, named axes, a legend."""

from notes.curve import condense, draw, points_of, stages_of
from tests.test_figures import places_of


def log():
    """Two stages of three lines, and accuracies after the first stage and within the second."""
    lines = []
    for stage, loss in (("web", -1.0), ("close-ups", -2.5)):
        for step in (1, 2, 3):
            line = dict(step=step, stage=stage, pairs=100_000 * step)
            lines.append(line | dict(loss_below_chance=loss - step / 5))
    return lines + [dict(weights="web", zero_shot=20.0, linear_probe=30.0),
                    dict(weights="close-ups-100k", zero_shot=40.0, linear_probe=50.0)]


def test_the_picture_lies_inside_and_names_its_axes_and_every_curve():
    for lines, more in ((log()[:6], set()),
                        (log(), {"accuracy on the eight miniature sets, %", "zero-shot",
                                 "linear probe, 16 shots"})):
        words, places, (width, height) = places_of(draw(lines))
        assert {"loss, nats (0: guessing)", "pictures with captions seen, in thousands", "web",
                "close-ups"} | more <= set(words)
        assert len(places) > 20
        assert all(0 <= x <= width and 0 <= y <= height for x, y in places)


def test_a_stage_begins_where_the_one_before_it_ended_and_accuracies_stand_at_their_pairs():
    stages = stages_of(log()[:6])
    assert [pairs for pairs, _ in stages["close-ups"]] == [400_000, 500_000, 600_000]
    found = points_of(log()[6:], stages)
    assert found["zero_shot"] == [(300_000, 20.0), (400_000, 40.0)]


def test_accuracies_of_a_file_of_weights_are_averaged_over_the_data_sets():
    rows = [dict(model=f"weights/{file}.pt", method=method, dataset=dataset, accuracy=accuracy)
            for file, method, dataset, accuracy in (("web", "zero_shot", "toy-objects", 20.0),
                                                    ("web", "zero_shot", "toy-flowers", 30.0),
                                                    ("web", "linear_probe", "toy-objects", 50.0))]
    assert condense(rows) == [dict(weights="web", zero_shot=25.0, linear_probe=50.0)]

"""AVA's own class lists."""

from __future__ import annotations

from stages.lib.annotations.ava_classes import AVA_NAMES, ava_label_map


def test_all_eighty_classes() -> None:
    classes = ava_label_map(80)
    assert classes is not None
    assert classes.ids == tuple(range(1, 81))
    assert len(set(classes.names)) == len(AVA_NAMES) == 80
    known = {1: "bend/bow (at the waist)", 12: "stand", 31: "exit", 57: "text on/look at a cellphone"}
    known |= {63: "write", 64: "fight/hit (a person)", 75: "play with kids", 80: "watch (a person)"}
    assert known.items() <= dict(zip(classes.ids, classes.names, strict=True)).items()


def test_the_sixty_evaluated_classes_in_ascending_order() -> None:
    classes = ava_label_map(60)
    assert classes is not None
    assert classes.ids[:14] == (1, *range(3, 15), 15)
    assert (classes.names[10], classes.names[13], classes.names[59]) == (
        "stand",
        "answer phone",
        "watch (a person)",
    )
    assert len(classes.pose_indices) == 13
    assert classes.tolerated_ids == set(range(1, 81)) - set(classes.ids)


def test_other_counts_are_unknown() -> None:
    assert ava_label_map(24) is None

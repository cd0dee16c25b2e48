"""How figures look."""

import itertools

from matplotlib.colors import to_hex

from analysis.figures import style


def test_forty_arms_of_a_panel_look_different_and_only_the_baseline_is_black():
    looks = [style.look(k) for k in range(40)]
    assert len({tuple(sorted(look.items())) for look in looks}) == 40
    assert [to_hex(look["color"]) == "#000000" for look in looks] == [True] + [False] * 39


def test_neighbours_differ_without_colour():
    looks = [(style.look(k)["linestyle"], style.look(k)["marker"]) for k in range(30)]
    assert all(one != two for one, two in itertools.pairwise(looks))


def test_a_title_has_the_parts_that_there_are():
    assert style.title("", "arms") == "arms"
    assert style.title("sym80", "arms") == "sym80 · arms"
    assert style.title("") == ""


def test_the_same_figure_is_the_same_file(tmp_path):
    def files(folder):
        figure, axes = style.panels(1, 1, 3, 2)
        axes[0, 0].fill_between([0, 1], [0, 1], [1, 2])
        return [path.read_bytes() for path in style.save(figure, folder / "a")]

    assert files(tmp_path / "one") == files(tmp_path / "two")

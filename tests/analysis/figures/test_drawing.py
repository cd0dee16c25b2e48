"""Drawings of the page: scales, text, gaps, looks."""

from xml.etree import ElementTree

import numpy as np

from analysis.figures.drawing import Drawing, Key, Scale, arm_class, frame

SVG = "{http://www.w3.org/2000/svg}"


def test_a_scale_goes_from_end_to_end_and_has_round_ticks():
    scale = Scale(0, 10, 50, 150)
    assert [scale.at(value) for value in (0, 5, 10)] == [50, 100, 150]
    assert scale.ticks(5) == [0, 2, 4, 6, 8, 10]
    assert Scale.over([np.nan], 0, 1).low < Scale.over([np.nan], 0, 1).high


def test_names_are_text_and_never_markup():
    drawing = Drawing(10, 10, 'a "<script>"')
    drawing.text(drawing.root, 0, 0, "<b>&</b>", "tick")
    drawing.dot(drawing.root, 0, 0, 1, "mark", "</title><script>")
    again = ElementTree.fromstring(drawing.markup())
    assert [element.tag for element in again.iter()] == ["svg", "text", "circle", "title"]
    assert again.get("aria-label") == 'a "<script>"'
    assert again[0].text == "<b>&</b>"
    assert again[1][0].text == "</title><script>"


def test_a_line_has_a_gap_where_a_value_is_unknown():
    drawing = Drawing(10, 10)
    path = drawing.line(drawing.root, [(0, 0), (1, 1), (2, np.nan), (3, 3), (4, 4)], "line")
    assert path.get("d") == "M0.0 0.0L1.0 1.0M3.0 3.0L4.0 4.0"


def test_nothing_is_drawn_at_an_unknown_place():
    drawing = Drawing(10, 10)
    drawing.dot(drawing.root, np.nan, 1, 2, "seed")
    drawing.mark(drawing.root, 1, np.nan, 3)
    assert len(drawing.root) == 0


def test_a_drawing_has_no_style_and_no_id_of_its_own():
    drawn = frame("title", [1, 2], [3, 4], "epoch", "accuracy %")
    for element in ElementTree.fromstring(drawn.drawing.markup()).iter():
        assert not {"style", "id", "onclick"} & set(element.attrib)


def test_places_of_an_axis_may_have_names():
    drawn = frame("title", [0, 1], [3, 4], "switch", "accuracy %", ["False", "True"])
    texts = [element.text for element in drawn.drawing.root.iter("text")]
    assert {"False", "True", "switch", "accuracy %"} <= set(texts)


def test_forty_arms_have_looks_of_their_own():
    looks = [arm_class(number).replace(f"a{number} ", "") for number in range(33)]
    assert len(set(looks)) == 33
    assert "base" in looks[0]
    assert Key(3, "arm").swatch.count("<path") == 2

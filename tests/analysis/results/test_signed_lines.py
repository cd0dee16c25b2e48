"""Files to which signed lines are only added: a damaged line is told, and the others count."""

import pytest

from analysis.results import signed_lines


def number(content):
    return content["n"]


def test_lines_come_back_in_order_and_no_file_is_an_empty_one(tmp_path):
    path = tmp_path / "x.jsonl"
    assert signed_lines.read(path, number) == ([], [])
    signed_lines.append(path, [])
    assert not path.exists()
    signed_lines.append(path, [{"n": 1}, {"n": 2}])
    signed_lines.append(path, [{"n": 3}])
    assert signed_lines.read(path, number) == ([1, 2, 3], [])


@pytest.mark.parametrize(
    "line",
    [b"[]", b"7", b"{}", b'{"n": 2}', b'{"n": 2, "checksum": "0"}', b"\xff", b"[" * 100_000],
)
def test_a_damaged_line_is_named_and_left_out(tmp_path, line):
    path = tmp_path / "x.jsonl"
    signed_lines.append(path, [{"n": 1}, {"m": 2}, {"n": 3}])
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], line, lines[1], lines[2]]))
    assert signed_lines.read(path, number) == (
        [1, 3],
        [f"x.jsonl: line {place} is damaged, and left out" for place in (2, 3)],
    )


def test_a_line_that_was_cut_off_does_not_spoil_the_next(tmp_path):
    path = tmp_path / "x.jsonl"
    signed_lines.append(path, [{"n": 1}, {"n": 2}])
    path.write_bytes(path.read_bytes()[:-5])
    signed_lines.append(path, [{"n": 3}])
    entries, problems = signed_lines.read(path, number)
    assert entries == [1, 3]
    assert len(problems) == 1

"""What people write is printed as it is, also where rich would take it for markup or an emoji."""

import io

from rich.table import Table

from orchestrator.plain_console import plain_console


def printed(*content) -> str:
    file = io.StringIO()
    plain_console(file=file).print(*content)
    return file.getvalue()


def test_a_message_about_line_100_keeps_its_number(command, tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text("name: s\nseeds: [0]\n" + 97 * "# x\n" + "nonsense: 1\n")
    code, _, err = command("plan", study)
    assert code == 2
    assert f"{study}:100: nonsense: unknown key" in err


def test_names_in_brackets_and_between_colons_are_no_markup():
    text = "[red]a[/red] :x: [link=b]"
    assert printed(text) == text + "\n"
    table = Table(box=None, show_header=False)
    table.add_row(text)
    assert printed(table).strip() == text


def test_long_lines_are_not_broken():
    assert printed("x " * 200) == "x " * 200 + "\n"

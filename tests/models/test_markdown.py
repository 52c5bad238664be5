"""Tables in Markdown."""

from onnxray.models.markdown import table_head, table_row


def test_every_line_has_as_many_cells_as_the_head_whatever_a_cell_says() -> None:
    lines = [*table_head(("model", "note")).splitlines(), table_row(("a", "x|y"))]
    assert lines == ["| model | note |", "| --- | --- |", "| a | x/y |"]

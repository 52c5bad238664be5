from xml.etree import ElementTree

from onnxray.scanner.findings import Report
from onnxray.scanner.reports import Artifacts
from onnxray.scanner.reports.svg import Svg


def test_the_picture_is_svg_with_the_verdict_in_it(backdoored: Report) -> None:
    svg = Svg().render(backdoored, Artifacts())
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    assert "BACKDOORED" in "".join(root.itertext())
    assert "url(http" not in svg


def test_the_same_report_gives_the_same_picture(clean: Report) -> None:
    assert Svg().render(clean, Artifacts()) == Svg().render(clean, Artifacts())

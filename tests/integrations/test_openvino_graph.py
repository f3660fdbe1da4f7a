"""Graphs of OpenVINO files against tensorboardX's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tbasync.integrations.openvino_graph import openvino_graph
from tbasync.proto import GraphDef

_MODEL = """<?xml version="1.0"?>
<net name="net" version="11">
  <layers>
    <layer id="0" name="x" type="Parameter"/><layer id="1" name="w" type="Const"/>
    <layer id="2" name="body/add" type="Add"/><layer id="3" name="y" type="Result"/>
  </layers>
  <edges>
    <edge from-layer="0" from-port="0" to-layer="2" to-port="0"/>
    <edge from-layer="1" from-port="0" to-layer="2" to-port="1"/>
    <edge from-layer="2" from-port="2" to-layer="3" to-port="0"/>
  </edges>
</net>
"""


def test_equals_tensorboardx(tmp_path: Path) -> None:
    """The graph equals tensorboardX's node by node."""
    theirs = pytest.importorskip("tensorboardX.openvino_graph")
    path = tmp_path / "model.xml"
    path.write_text(_MODEL)
    expected = GraphDef.FromString(theirs.load_openvino_graph(str(path)).SerializeToString())
    assert GraphDef.FromString(openvino_graph(path).graph_def) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no xml",
        "<net/>",
        '<net><layers><layer id="0"/></layers></net>',
        _MODEL.replace('id="1"', 'id="7"'),
    ],
)
def test_what_is_no_model_raises(text: str, tmp_path: Path) -> None:
    """A file that is no XML, or not of this kind, or whose edges lead nowhere, is refused by name."""
    path = tmp_path / "model.xml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"model\.xml', which is no OpenVINO model"):
        openvino_graph(path)


def test_a_missing_file_raises(tmp_path: Path) -> None:
    """A file that is not there raises the operating system's error, with its name."""
    with pytest.raises(FileNotFoundError, match=r"none\.xml"):
        openvino_graph(tmp_path / "none.xml")

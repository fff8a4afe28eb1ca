import importlib
import os
import stat
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings, strategies as st

import minigrad as mg
from minigrad.draw.diagram import Arrow, Box, Diagram, Place, Row
from minigrad.draw.dot import clean, to_dot
from minigrad.draw.render import RendererNotFound, RenderError, render

try:
    import pygraphviz
except (ImportError, OSError):
    pygraphviz = None

needs_pygraphviz = pytest.mark.skipif(pygraphviz is None, reason="pygraphviz is not installed")
SVG = "{http://www.w3.org/2000/svg}"


def drawing():
    x = mg.ones(2, requires_grad=True)
    x.name = "x"
    with mg.scope("net"):
        y = (x * x).exp()
    return mg.draw(y)


@pytest.fixture
def no_dot(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("MINIGRAD_DOT", raising=False)


@pytest.fixture
def fake_dot(tmp_path, monkeypatch):
    """Puts a program named dot on the PATH that runs the given lines of Python."""

    def install(body, variable=False):
        program = tmp_path / ("other" if variable else "dot")
        program.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        if variable:
            monkeypatch.setenv("MINIGRAD_DOT", str(program))
        else:
            monkeypatch.setenv("PATH", str(tmp_path))
            monkeypatch.delenv("MINIGRAD_DOT", raising=False)

    return install


@pytest.fixture
def no_pygraphviz(monkeypatch):
    real = importlib.import_module

    def refuse(name, *args):
        if name == "pygraphviz":
            raise ImportError("libexpat.so.1: cannot open shared object file")
        return real(name, *args)

    monkeypatch.setattr(importlib, "import_module", refuse)


ECHO = "sys.stdout.write(' '.join(sys.argv[1:]) + '\\n' + sys.stdin.buffer.read().decode())"


@pytest.mark.parametrize("variable", [False, True])
def test_the_program_dot_comes_first(fake_dot, variable):
    fake_dot(ECHO, variable)
    assert render("digraph { ü }", "svg").decode() == "-Kdot -Tsvg\ndigraph { ü }"


def test_a_slow_dot_is_stopped(fake_dot):
    fake_dot("time.sleep(60)")
    with pytest.raises(RenderError, match=r"stopped after 0\.2 s") as caught:
        render("digraph {}", "svg", timeout=0.2)
    assert caught.value.dot == "digraph {}"


def test_what_dot_says_is_passed_on(fake_dot):
    fake_dot("sys.stderr.write('syntax error in line 1'); sys.exit(1)")
    with pytest.raises(RenderError, match="failed with status 1: syntax error in line 1"):
        render("digraph {", "svg")


@needs_pygraphviz
def test_a_dot_without_the_format_is_passed_over(fake_dot):
    fake_dot("sys.stderr.write('Format: \"svg\" not recognized. No formats found.'); sys.exit(1)")
    assert b"<svg" in render("digraph { a }", "svg")


def test_without_any_graphviz_the_error_says_what_to_do(no_dot, no_pygraphviz, monkeypatch, tmp_path):
    picture = drawing()
    with pytest.raises(RendererNotFound) as caught:
        picture.svg()
    text = str(caught.value)
    assert caught.value.dot == picture.dot
    assert 'pip install "minigrad[draw]"' in text
    assert "tried: dot on the PATH: no; pygraphviz: libexpat.so.1" in text
    monkeypatch.setenv("MINIGRAD_DOT", "/nowhere/dot")
    with pytest.raises(RendererNotFound, match="MINIGRAD_DOT=/nowhere/dot: no such program"):
        picture.save(tmp_path / "x.svg")
    assert list(tmp_path.iterdir()) == []
    assert picture.save(tmp_path / "x.dot").read_text(encoding="utf-8") == picture.dot


def test_a_file_that_is_no_program(no_dot, no_pygraphviz, tmp_path, monkeypatch):
    broken = tmp_path / "dot"
    broken.write_bytes(b"\x7fELF nonsense")
    broken.chmod(0o755)
    monkeypatch.setenv("MINIGRAD_DOT", str(broken))
    with pytest.raises(RendererNotFound, match="Exec format error"):
        render("digraph {}", "svg")


@needs_pygraphviz
def test_pygraphviz_draws_all_formats(no_dot):
    picture = drawing()
    assert "<svg" in picture.svg()
    assert picture.png().startswith(b"\x89PNG")
    assert picture.pdf().startswith(b"%PDF")


@needs_pygraphviz
def test_pygraphviz_refusing_is_an_error(no_dot, capfd):
    with pytest.raises(RenderError, match="pygraphviz failed"):
        render("digraph {", "svg")
    capfd.readouterr()


@needs_pygraphviz
def test_the_svg_has_every_box_arrow_panel_and_tooltip(no_dot):
    root = ET.fromstring(drawing().svg())  # noqa: S314
    kinds = [group.get("class") for group in root.iter(f"{SVG}g")]
    assert [kinds.count(kind) for kind in ("node", "edge", "cluster")] == [3, 3, 1]
    titles = [link.get("{http://www.w3.org/1999/xlink}title") for link in root.iter(f"{SVG}a")]
    assert any(text and "mul(%0, %0)" in text and "test_rendering.py" in text for text in titles)


@needs_pygraphviz
@pytest.mark.parametrize("direction", ["LR", "TB", "RL", "BT"])
def test_all_directions_render(no_dot, direction):
    a, b = mg.ones(2, 4, requires_grad=True).chunk(2, dim=1)
    assert "<svg" in mg.draw(a - b, direction=direction).svg()


@needs_pygraphviz
def test_save(tmp_path):
    for suffix, start in ((".svg", b"<?xml"), (".PNG", b"\x89PNG"), (".pdf", b"%PDF"), (".dot", b"digraph")):
        path = drawing().save(tmp_path / f"net{suffix}")
        assert path.read_bytes().startswith(start)
    assert (tmp_path / "net.svg").stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert len(list(tmp_path.iterdir())) == 4


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("name", ["net", "net.jpeg", "net.svg.gz"])
def test_save_refuses_other_suffixes(tmp_path, name):
    with pytest.raises(RenderError, match=r"must be one of \.svg, \.png, \.pdf, \.html, \.dot"):
        drawing().save(tmp_path / name)
    with pytest.raises(RenderError, match="cannot draw as 'gif'"):
        render("digraph {}", "gif")


def test_save_into_a_missing_folder(tmp_path):
    with pytest.raises(mg.FileError, match="no folder"):
        drawing().save(tmp_path / "missing" / "net.dot")


@needs_pygraphviz
def test_notebooks_get_the_svg_unless_it_is_huge(monkeypatch):
    picture = drawing()
    assert "<svg" in picture._repr_mimebundle_(include=None, exclude=None)["image/svg+xml"]
    monkeypatch.setattr(importlib.import_module("minigrad.draw.drawing"), "LARGEST_OUTPUT", 100)
    bundle = picture._repr_mimebundle_()
    assert list(bundle) == ["text/plain"]
    assert "save('graph.svg')" in bundle["text/plain"]


def test_the_graphviz_package_can_take_over():
    graphviz = pytest.importorskip("graphviz")
    assert isinstance(source := drawing().to_graphviz(), graphviz.Source)
    assert source.source == drawing().dot


def test_importing_minigrad_imports_no_graphviz():
    program = "import sys, minigrad; sys.exit(bool({'graphviz', 'pygraphviz', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0  # noqa: S603


@pytest.mark.parametrize("package", ["minigrad", "minigrad_rnn"])
def test_importing_a_package_imports_no_drawing(package):
    """Drawing is imported when it is first asked for, and is function and package at once."""
    program = (
        f"import sys, {package} as p; assert not [m for m in sys.modules if '.draw' in m]\n"
        f"first = p.draw; import {package}.draw; from {package}.draw import draw\n"
        "assert callable(first) and p.draw is first and first.draw is draw"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0  # noqa: S603


AWKWARD = [
    'say "hi"', "two\nlines", "a<b>&{c}|d", "back\\Nslash\\", "&amp;\\n\\G", "梯度 ∂ ∇ 🙂", "\x00\x07\x1b", "\ud800",
    " ", "",
]  # fmt: skip


def awkward_diagram(text):
    row = (Row(text, "title"), Row(text, "grad"), Row(text, "caption"))
    panel = (Place(text),)
    return Diagram(
        (Box("n0", row, "op", panel, tooltip=text), Box("n1", row, "parameter", tooltip=text)),
        (Arrow("n0", "n1", tooltip=text),),
    )


@needs_pygraphviz
@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_text_is_drawn_as_it_is(no_dot, text):
    root = ET.fromstring(render(to_dot(awkward_diagram(text)), "svg"))  # noqa: S314
    drawn = [element.text for element in root.iter(f"{SVG}text")]
    if clean(text).strip():
        expected = " ".join(clean(text).split())
        assert sum(" ".join((line or "").split()) == expected for line in drawn) == 7, drawn


@needs_pygraphviz
@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(codec=None), max_size=30))
def test_any_text_gives_dot_that_graphviz_reads(text):
    graph = pygraphviz.AGraph(string=to_dot(awkward_diagram(text)))
    assert sorted(graph.nodes()) == ["n0", "n1"]
    assert len(graph.edges()) == 1


def test_a_file_that_could_not_be_written_whole_is_not_there(tmp_path):
    target = tmp_path / "net.dot"
    target.mkdir()
    with pytest.raises(OSError, match=r"net\.dot"):
        drawing().save(target)
    assert [path.name for path in tmp_path.iterdir()] == ["net.dot"]

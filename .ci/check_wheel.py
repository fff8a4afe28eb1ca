"""Check that a wheel holds both packages, whole, and nothing else; and that it knows its command and its licence."""

import sys
import zipfile
from pathlib import Path


def main(path: str) -> None:
    """Compare the wheel's files with those of the source tree in the current folder."""
    wheel = zipfile.ZipFile(path)
    about = {name.partition(".dist-info/")[2]: name for name in wheel.namelist() if ".dist-info/" in name}
    names = set(wheel.namelist()) - set(about.values())
    sources = [p for package in ("minigrad", "minigrad_rnn") for p in Path(package).rglob("*") if p.is_file()]
    expected = {p.as_posix() for p in sources if p.suffix == ".py" or p.name == "py.typed" or p.parent.name == "web"}
    missing, foreign = sorted(expected - names), sorted(names - expected)
    if missing or foreign:
        raise SystemExit(f"wheel: missing {missing}, not wanted {foreign}")
    if not {"minigrad/py.typed", "minigrad_rnn/py.typed"} <= names:
        raise SystemExit("wheel: each package must hold a py.typed")
    if not {"licenses/LICENSE", "licenses/NOTICE", "licenses/minigrad/draw/web/graphviz.LICENSE"} <= set(about):
        raise SystemExit(f"wheel: no licence among {sorted(about)}")
    if b"minigrad-rnn = " not in wheel.read(about["entry_points.txt"]):
        raise SystemExit("wheel: the command minigrad-rnn is missing")
    print(f"wheel: {len(names)} files, as in the source tree")


main(sys.argv[1])

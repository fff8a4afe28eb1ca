"""Check that a wheel contains both packages, whole, and nothing else."""

import sys
import zipfile
from pathlib import Path


def main(wheel: str) -> None:
    """Compare the wheel's files with those of the source tree."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = [p for package in ("minigrad", "minigrad_rnn") for p in Path(package).rglob("*") if p.is_file()]
    expected = {str(p) for p in sources if p.suffix == ".py" or p.name == "py.typed"}
    if names != expected:
        missing, foreign = sorted(expected - names), sorted(names - expected)
        raise SystemExit(f"wheel: missing {missing}, not wanted {foreign}")
    print(f"wheel: {len(names)} files, as in the source tree")


main(sys.argv[1])

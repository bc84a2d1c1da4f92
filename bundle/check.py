"""Say whether a bundle is whole and starts: python\\python.exe -X utf8 check.py (with --files, the files alone)."""

import hashlib
import pkgutil
import sys
from importlib import import_module, metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent


def faulty_files(folder: Path) -> list[str]:
    """Return the files of sha256.txt that are missing or changed."""
    faulty = []
    for line in (folder / "sha256.txt").read_text(encoding="utf-8").splitlines():
        wanted, name = line.split(" *", 1)
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
            faulty.append(name)
    return faulty


def failing_imports() -> list[str]:
    """Return the packages of the bundle that cannot be loaded, with the reason."""
    known = {module: packages[0] for module, packages in metadata.packages_distributions().items()}
    wanted = sorted(m for m, package in known.items() if m.isidentifier() and not m.startswith("_") and package != "msvc_runtime")
    failing = []
    for module in [*wanted, *own_modules()]:
        try:
            import_module(module)
        # whatever it is, the office should read it
        except Exception as error:
            failing.append(f"{module} ({known.get(module, 'layout')}): {error}")
    return failing


def own_modules() -> list[str]:
    """Return the modules of layout, which load what they need of the other packages."""
    try:
        home = import_module("layout").__path__
    except ImportError:
        return []
    return [f"layout.{found.name}" for found in pkgutil.iter_modules(home) if not found.name.startswith("_")]


def main() -> int:
    """Print what is wrong; 0 where nothing is."""
    wrong = faulty_files(HERE)
    if "--files" not in sys.argv:
        wrong += failing_imports()
    sys.stdout.write("\n".join(wrong or ["ok / 完好"]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Say whether a bundle is whole and starts: python\\python.exe -X utf8 check.py (with --files, the files alone)."""

import hashlib
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
    failing = []
    for module, packages in sorted(metadata.packages_distributions().items()):
        if module.isidentifier() and not module.startswith("_") and packages[0] != "msvc_runtime":
            try:
                import_module(module)
            # whatever it is, the office should read it
            except Exception as error:
                failing.append(f"{module} ({packages[0]}): {error}")
    return failing


def main() -> int:
    """Print what is wrong; 0 where nothing is."""
    wrong = faulty_files(HERE)
    if "--files" not in sys.argv:
        wrong += failing_imports()
    sys.stdout.write("\n".join(wrong or ["ok / 完好"]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())

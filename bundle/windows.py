"""Put layout, the embedded Python for Windows and every wheel into one zip that an office unpacks and starts without internet.

    python bundle/windows.py --python python-3.12.10-embed-amd64.zip --wheels wheels --download

``--python`` is the "Windows embeddable package (64-bit)" of python.org, fetched by you. ``--wheels`` is a folder of wheels; with ``--download``
pip fills it from the index that you have set up, without it nothing is fetched. Before the zip is written everything is checked: each
requirement of each wheel as Windows sees it, each library that a wheel's code loads, each licence. See docs/windows.md.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from email.policy import compat32
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

HERE = Path(__file__).resolve().parent
PLATFORM = "win_amd64"
# numba is compiled against msvcp140.dll and carries none; the embedded Python has none either
RUNTIME = "msvc-runtime"
SITE = "python/Lib/site-packages"
# libraries of Windows 10 and 11 themselves
_OF_WINDOWS = """
advapi32 bcrypt bcryptprimitives cfgmgr32 combase comctl32 comdlg32 crypt32 d3d11 d3dcompiler_47 dbghelp dnsapi dwmapi dxgi gdi32 gdiplus imm32
iphlpapi kernel32 kernelbase mpr msimg32 msvcrt mswsock ncrypt netapi32 normaliz ntdll ole32 oleaut32 opengl32 powrprof psapi rpcrt4 secur32
setupapi shell32 shlwapi ucrtbase user32 userenv uxtheme version webservices winhttp wininet winmm winspool.drv wintrust wldap32 ws2_32 wsock32
wtsapi32
"""
WINDOWS = frozenset(_OF_WINDOWS.split())
# what a wheel can do without: (wheel, library)
SPARED = {("numba", "tbb12.dll"): "one of three engines for loops on several threads; layout asks for none"}
# a path longer than this many characters is refused by programs that do not ask for more
LONGEST_PATH = 259


class BundleError(ValueError):
    """Everything that keeps a bundle from being made."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Keep the problems, and say how many there are."""
        self.problems = tuple(problems)
        super().__init__(f"{len(problems)} problems:\n" + "\n".join(f"- {p}" for p in problems))


@dataclass(frozen=True)
class Wheel:
    """A wheel as its file name and metadata tell it."""

    path: Path
    name: str
    version: Version
    tags: frozenset[Tag]
    requires: tuple[Requirement, ...]
    licence: str
    licence_files: tuple[str, ...]


def python_version(archive: Path) -> str:
    """Return the version, such as 3.12, of an embeddable Python."""
    with zipfile.ZipFile(archive) as found:
        names = set(found.namelist())
    dlls = [m for m in (re.fullmatch(r"python(3)(\d+)\.dll", name) for name in names) if m]
    if not dlls or "python.exe" not in names or f"{Path(dlls[0][0]).stem}._pth" not in names:
        raise BundleError([f"{archive.name} is no embeddable Python: it lacks python.exe, python3xx.dll or python3xx._pth"])
    return f"{dlls[0][1]}.{dlls[0][2]}"


def windows_markers(version: str) -> dict[str, str]:
    """Return what requirements ask of a machine, as Windows with this Python answers."""
    return {
        "os_name": "nt", "sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64", "platform_release": "10",
        "platform_version": "10.0.19045", "python_version": version, "python_full_version": f"{version}.0", "implementation_name": "cpython",
        "implementation_version": f"{version}.0", "platform_python_implementation": "CPython",
    }  # fmt: skip


def read_wheel(path: Path) -> Wheel:
    """Read name, version, tags, requirements and licence of a wheel."""
    try:
        name, version, _, tags = parse_wheel_filename(path.name)
        with zipfile.ZipFile(path) as found:
            inside = found.namelist()
            text = found.read(next(n for n in inside if n.endswith(".dist-info/METADATA") and n.count("/") == 1)).decode("utf-8")
    except (InvalidWheelFilename, zipfile.BadZipFile, StopIteration, OSError) as error:
        raise BundleError([f"{path.name} is no wheel: {error or 'it has no metadata'}"]) from error
    told = HeaderParser(policy=compat32).parsestr(text)
    stated = [told.get("License-Expression"), *(c.removeprefix("License :: ") for c in told.get_all("Classifier", []) if c.startswith("License ::"))]
    short = (told.get("License") or "").strip().splitlines()[:1]
    licence = next((s.split(" :: ")[-1] for s in stated if s), None) or (short[0][:80] if short else "")
    files = tuple(sorted(n for n in inside if re.search(r"\.dist-info/(.*/)?(licen[cs]e|copying|notice|authors)[^/]*$", n, re.I)))
    requires = tuple(Requirement(r) for r in told.get_all("Requires-Dist", []))
    return Wheel(path, canonicalize_name(name), version, frozenset(tags), requires, licence, files)


def resolve(wheels: Iterable[Wheel], roots: Sequence[str], *, version: str) -> tuple[list[Wheel], list[str], list[str]]:
    """Follow the requirements of the roots, as Windows sees them, through the wheels.

    Returns the wheels that are needed, the requirements that no wheel is there for, and everything else that is wrong.
    """
    markers, fits = windows_markers(version), set(_tags(version))
    by_name: dict[str, list[Wheel]] = {}
    for wheel in wheels:
        by_name.setdefault(wheel.name, []).append(wheel)
    used: dict[str, Wheel] = {}
    missing: set[str] = set()
    wrong: set[str] = set()
    done: set[tuple[str, str]] = set()
    todo = [(Requirement(root), "the bundle") for root in roots]
    while todo:
        asked, by = todo.pop()
        name = canonicalize_name(asked.name)
        fitting = [w for w in by_name.get(name, []) if w.tags & fits]
        if not fitting:
            others = [w.path.name for w in by_name.get(name, [])]
            missing.add(f"{asked.name}{asked.specifier}")
            if others:
                wrong.add(f"{by} needs {asked.name} for {PLATFORM} and Python {version}; there is only {', '.join(sorted(others))}")
            continue
        if len(fitting) > 1:
            wrong.add(f"several wheels of {name}: {', '.join(sorted(w.path.name for w in fitting))}; keep one")
        wheel = max(fitting, key=lambda w: w.version)
        if not asked.specifier.contains(wheel.version, prereleases=True):
            wrong.add(f"{by} needs {asked.name}{asked.specifier}; there is {wheel.path.name}")
        used[name] = wheel
        for extra in ("", *sorted(asked.extras)):
            if (name, extra) not in done:
                done.add((name, extra))
                wanted = [r for r in wheel.requires if r.marker is None or r.marker.evaluate({**markers, "extra": extra})]
                todo += [(r, wheel.path.name) for r in wanted]
    return [used[n] for n in sorted(used)], sorted(missing), sorted(wrong)


def loaded_libraries(code: bytes) -> list[str]:
    """Return the libraries that a 64-bit Windows program or library loads when it starts, in lower case; none for another file."""
    if code[:2] != b"MZ" or len(code) < 64:
        return []
    start = struct.unpack_from("<I", code, 0x3C)[0]
    if code[start : start + 4] != b"PE\0\0":
        return []
    sections, optional = struct.unpack_from("<H", code, start + 6)[0], struct.unpack_from("<H", code, start + 20)[0]
    if struct.unpack_from("<H", code, start + 24)[0] != 0x20B:
        raise BundleError(["a library for 32-bit Windows"])
    table = [struct.unpack_from("<IIII", code, start + 24 + optional + 40 * i + 8) for i in range(sections)]

    def place(address: int) -> int:
        return next(address - begin + offset for size, begin, raw, offset in table if begin <= address < begin + max(size, raw))

    # the second entry of the directory is the table of imports: twenty bytes a library, the fourth number says where its name is
    imports, found = struct.unpack_from("<I", code, start + 24 + 112 + 8)[0], []
    while imports and (name := struct.unpack_from("<5I", code, place(imports))[3]):
        at = place(name)
        found.append(code[at : code.index(0, at)].decode("ascii").lower())
        imports += 20
    return found


def missing_libraries(files: Mapping[str, bytes], names: Mapping[str, str]) -> list[str]:
    """Say which libraries are loaded by code in the bundle and neither in it nor part of Windows.

    ``files`` are the programs and libraries by their place, ``names`` the wheel of each place (empty for Python itself).
    """
    there = {PurePosixPath(place).name.lower() for place in files}
    lacking: dict[tuple[str, str], list[str]] = {}
    for place, code in files.items():
        for library in loaded_libraries(code):
            own = library.startswith(("api-ms-win-", "ext-ms-")) or library.removesuffix(".dll") in WINDOWS
            if not own and library not in there and (names[place], library) not in SPARED:
                lacking.setdefault((names[place], library), []).append(PurePosixPath(place).name)
    said = "{} loads {}, which nothing in the bundle has ({})"
    return [said.format(wheel or "Python", library, ", ".join(sorted(by))) for (wheel, library), by in sorted(lacking.items())]


def open_path(text: str) -> str:
    """Return the list of import paths (``python3xx._pth``) with the wheels' folder and ``import site`` in it."""
    kept = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#") and line.strip() != "import site"]
    return "\r\n".join([*(line for line in kept if line != r"Lib\site-packages"), r"Lib\site-packages", "import site", ""])


def unpacked(wheel: Wheel) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a wheel and where the bundle has them, as an installer would place them on Windows; scripts are left out."""
    with zipfile.ZipFile(wheel.path) as found:
        for name in sorted(n for n in found.namelist() if not n.endswith("/")):
            parts = PurePosixPath(name).parts
            if ".." in parts or PurePosixPath(name).is_absolute() or "\\" in name or ":" in name:
                raise BundleError([f"{wheel.path.name} wants to write to {name}"])
            if parts[0].endswith(".data"):
                # of its libraries twice, once is enough
                if parts[1] not in ("purelib", "platlib", "data") or parts[2] == "Scripts":
                    continue
                yield "/".join(["python" if parts[1] == "data" else SITE, *parts[2:]]), found.read(name)
            else:
                yield f"{SITE}/{name}", found.read(name)


def licences(wheels: Sequence[Wheel], python: str) -> bytes:
    """Return the list of licences as a table that Excel opens."""
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow(["package", "version", "licence", "text"])
    table.writerow(["Python", python, "PSF-2.0", "python/LICENSE.txt"])
    for wheel in wheels:
        table.writerow([wheel.name, str(wheel.version), wheel.licence, "; ".join(f"{SITE}/{f}" for f in wheel.licence_files)])
    return out.getvalue().encode("utf-8-sig")


def make_bundle(python: Path, wheels: Sequence[Path], out: Path, *, extras: Sequence[str] = ()) -> list[str]:
    """Check everything and write the zip; the same files give the same bytes.

    Parameters
    ----------
    python
        The embeddable Python for Windows, 64 bit.
    wheels
        Wheels of layout, of all it needs, and of ``msvc-runtime``; more than are needed may be there.
    out
        The zip to write; a file of that name is replaced only when the new one is whole.
    extras
        Of layout, such as ``print``.

    Returns
    -------
    list
        What was put in, as sentences for the terminal.

    Raises
    ------
    BundleError
        Everything that is missing or wrong, at once; nothing is written then.
    """
    version = python_version(python)
    problems: list[str] = []
    used, missing, wrong = resolve(_read_all(wheels, problems), _roots(extras), version=version)
    problems += [*(f"no wheel of {m} for {PLATFORM} and Python {version}" for m in missing), *wrong]
    problems += [f"{w.path.name} states no licence" for w in used if not w.licence and not w.licence_files]
    if problems:
        raise BundleError(problems)
    files: dict[str, bytes] = _python_files(python)
    names: dict[str, str] = {}
    for wheel in used:
        for place, content in unpacked(wheel):
            if place in files and files[place] != content:
                problems.append(f"{wheel.path.name} would replace {place}")
            files[place] = content
            names[place] = wheel.name
    programs = {p: c for p, c in files.items() if p.lower().endswith((".exe", ".dll", ".pyd"))}
    problems += missing_libraries(programs, {p: names.get(p, "") for p in programs})
    if problems:
        raise BundleError(problems)
    files["layout.bat"] = _crlf((HERE / "layout.bat").read_text(encoding="ascii")).encode("ascii")
    files["check.py"] = (HERE / "check.py").read_bytes()
    files["README.txt"] = b"\xef\xbb\xbf" + _crlf((HERE / "README.txt").read_text(encoding="utf-8")).encode("utf-8")
    files["licences.csv"] = licences(used, version)
    files["wheels.txt"] = "".join(f"{_sha256(w.path.read_bytes())} *{w.path.name}\r\n" for w in used).encode("ascii")
    files["sha256.txt"] = "".join(f"{_sha256(files[name])} *{name}\r\n" for name in sorted(files)).encode("utf-8")
    folder = f"layout-{next(w.version for w in used if w.name == 'layout')}-windows"
    _write(out, {f"{folder}/{name}": content for name, content in files.items()})
    longest = len(folder) + 1 + max(map(len, files))
    return [
        f"{len(used)} wheels for {PLATFORM} and Python {version}, {len(files)} files, {sum(map(len, files.values())) / 1e6:,.0f} MB unpacked",
        *(f"left out: {library} of {wheel} ({why})" for (wheel, library), why in SPARED.items()),
        f"its longest path has {longest} characters: unpack it to a folder of at most {LONGEST_PATH - 1 - longest}",
    ]


def download(folder: Path, *, version: str, extras: Sequence[str] = ()) -> None:
    """Fill a folder with wheels from the index that pip is set up with, until Windows lacks none.

    pip judges conditions such as ``sys_platform == "win32"`` by the machine it runs on; what only Windows needs is asked for afterwards.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip"]
    with tempfile.TemporaryDirectory() as scratch:
        # pip builds in the source folder: a copy keeps that clean
        source = Path(scratch) / "layout"
        shutil.copytree(HERE.parent, source, ignore=shutil.ignore_patterns(".git", "maps", "data", "build", "*.egg-info", "__pycache__"))
        subprocess.run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)], check=True)
    asked: set[str] = set()
    while True:
        _, missing, _ = resolve(_read_all(sorted(folder.glob("*.whl")), []), _roots(extras), version=version)
        if not set(missing) - asked:
            return
        asked |= set(missing)
        options = ["--only-binary=:all:", f"--platform={PLATFORM}", f"--python-version={version}", "--implementation=cp", "--dest", str(folder)]
        subprocess.run([*pip, "download", "--quiet", *options, *missing], check=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 where the zip was written."""
    told = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    told.add_argument("--python", type=Path, required=True, help="python-3.x.y-embed-amd64.zip of python.org")
    told.add_argument("--wheels", type=Path, default=Path("wheels"), help="folder of wheels")
    told.add_argument("--download", action="store_true", help="let pip fill that folder first")
    told.add_argument("--extra", action="append", default=[], help="an extra of layout, such as print or export")
    told.add_argument("--out", type=Path, default=Path("layout-windows.zip"))
    given = told.parse_args(arguments)
    try:
        version = python_version(given.python)
        if given.download:
            download(given.wheels, version=version, extras=given.extra)
        said = make_bundle(given.python, sorted(given.wheels.glob("*.whl")), given.out, extras=given.extra)
    except (BundleError, OSError, zipfile.BadZipFile, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("\n".join([*said, f"written: {given.out}"]) + "\n")
    return 0


def _roots(extras: Sequence[str]) -> list[str]:
    return [f"layout[{','.join(extras)}]" if extras else "layout", RUNTIME]


def _tags(version: str) -> Iterator[Tag]:
    numbers = tuple(int(n) for n in version.split("."))
    yield from cpython_tags(python_version=numbers, platforms=[PLATFORM])
    yield from compatible_tags(python_version=numbers, interpreter=f"cp{''.join(version.split('.'))}", platforms=[PLATFORM])


def _read_all(paths: Iterable[Path], problems: list[str]) -> list[Wheel]:
    found = []
    for path in paths:
        try:
            found.append(read_wheel(path))
        except BundleError as error:
            problems += error.problems
    return found


def _python_files(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as found:
        files = {f"python/{name}": found.read(name) for name in sorted(found.namelist()) if not name.endswith("/")}
    for name in [n for n in files if n.endswith("._pth")]:
        files[name] = open_path(files[name].decode("utf-8-sig")).encode("utf-8")
    return files


def _crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(out: Path, files: Mapping[str, bytes]) -> None:
    """Write the zip whole or not at all; no clock in it."""
    waiting = out.with_name(out.name + ".new")
    try:
        with zipfile.ZipFile(waiting, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(files):
                entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
                entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 0, 0x20
                archive.writestr(entry, files[name])
        waiting.replace(out)
    finally:
        waiting.unlink(missing_ok=True)


if __name__ == "__main__":
    raise SystemExit(main())

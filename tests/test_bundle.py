"""The bundle for Windows: what is checked before it is written, what lies in it, and that it works without what Windows lacks."""

import importlib.util
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def load(name):
    spec = importlib.util.spec_from_file_location(f"bundle_{name}", ROOT / "bundle" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


windows, check = load("windows"), load("check")


def library(*names, bits=0x20B):
    """Write the least of a Windows library that loads others: header, one section, table of imports."""
    start, optional, begin, offset = 64, 240, 0x1000, 0x400
    head = b"MZ" + bytes(58) + struct.pack("<I", start) + b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, optional, 0)
    rows, texts, at = b"", b"", begin + 20 * (len(names) + 1)
    for name in names:
        rows += struct.pack("<5I", 0, 0, 0, at + len(texts), 0)
        texts += name.encode() + b"\0"
    body = rows + bytes(20) + texts
    directory = struct.pack("<H", bits).ljust(112, b"\0") + struct.pack("<IIII", 0, 0, begin if names else 0, len(body))
    section = b".idata\0\0" + struct.pack("<IIII", len(body), begin, len(body), offset) + bytes(16)
    return (head + directory.ljust(optional, b"\0") + section).ljust(offset, b"\0") + body


def python_zip(folder, **more):
    path = folder / "python-3.12.99-embed-amd64.zip"
    files = {
        "python.exe": library("python312.dll", "KERNEL32.dll"), "python312.dll": library("vcruntime140.dll", "api-ms-win-crt-heap-l1-1-0.dll"),
        "vcruntime140.dll": library(), "python312.zip": b"", "LICENSE.txt": b"PSF",
        "python312._pth": b"python312.zip\r\n.\r\n\r\n# Uncomment to run site.main() automatically\r\n#import site\r\n", **more,
    }  # fmt: skip
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def wheel(folder, name, version="1.0", *, tag="py3-none-any", requires=(), licence="MIT", files=None):
    path = folder / f"{name}-{version}-{tag}.whl"
    metadata = [f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}", *([f"License-Expression: {licence}"] if licence else [])]
    metadata += [f"Requires-Dist: {r}" for r in requires]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", "\n".join(metadata) + "\n")
        for place, content in (files or {f"{name}/__init__.py": b""}).items():
            archive.writestr(place, content)
    return path


@pytest.fixture
def parts(tmp_path):
    """Return an embeddable Python and a set of wheels that belong together."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    requires = ['metis; platform_system != "Windows"', "fast>=1", 'mpl; extra == "print"']
    wheel(folder, "layout", "0.1.0", requires=requires, files={"layout/__init__.py": b"", "layout/zh.toml": "村".encode()})
    code = {"fast/loops.cp312-win_amd64.pyd": library("msvcp140.dll", "python312.dll"), "fast-1.0.data/scripts/fast": b"#!", "fast/__init__.py": b"",
            "fast-1.0.dist-info/licenses/LICENSE": b"BSD"}  # fmt: skip
    wheel(folder, "fast", tag="cp312-cp312-win_amd64", requires=['colour; sys_platform == "win32"'], licence="", files=code)
    wheel(folder, "colour", files={"colour/__init__.py": b"", "colour-1.0.data/data/share/colour.json": b"{}"})
    dlls = {
        "msvc_runtime-1.0.data/data/msvcp140.dll": library("KERNEL32.dll"),
        "msvc_runtime-1.0.data/data/Scripts/msvcp140.dll": library("KERNEL32.dll"),
    }
    wheel(folder, "msvc_runtime", tag="cp312-cp312-win_amd64", files=dlls)
    return python_zip(tmp_path), folder


def bundle(parts, out, **options):
    python, folder = parts
    return windows.make_bundle(python, sorted(folder.glob("*.whl")), out, **options)


def refused(parts, tmp_path, **options):
    with pytest.raises(windows.BundleError) as error:
        bundle(parts, tmp_path / "out.zip", **options)
    assert not list(tmp_path.glob("out.zip*")), "nothing is written"
    return list(error.value.problems)


def test_everything_lies_where_windows_looks_for_it(parts, tmp_path):
    said = bundle(parts, tmp_path / "out.zip")
    assert said[0].startswith("4 wheels for win_amd64 and Python 3.12, ")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        top = {name.split("/")[0] for name in archive.namelist()}
        files = {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}
    assert top == {"layout-0.1.0-windows"}
    site = "python/Lib/site-packages"
    assert files["python/python312._pth"] == b"python312.zip\r\n.\r\nLib\\site-packages\r\nimport site\r\n"
    assert files[f"{site}/layout/zh.toml"].decode() == "村"
    # data of a wheel lie beside python.exe, scripts that only an installer could write are left out
    assert {"python/msvcp140.dll", "python/share/colour.json", f"{site}/fast/loops.cp312-win_amd64.pyd"} <= set(files)
    assert not [name for name in files if "Scripts" in name or name.endswith(".data/scripts/fast")]
    assert files["licences.csv"].decode("utf-8-sig").splitlines()[1:] == [
        "Python,3.12,PSF-2.0,python/LICENSE.txt", "colour,1.0,MIT,", f"fast,1.0,,{site}/fast-1.0.dist-info/licenses/LICENSE", "layout,0.1.0,MIT,",
        "msvc-runtime,1.0,MIT,",
    ]  # fmt: skip
    assert len(files["wheels.txt"].splitlines()) == 4
    listed = dict(reversed(line.split(" *", 1)) for line in files["sha256.txt"].decode().splitlines())
    assert listed == {name: windows._sha256(content) for name, content in files.items() if name != "sha256.txt"}


def test_the_same_parts_give_the_same_bytes(parts, tmp_path):
    for name in ("a.zip", "b.zip"):
        bundle(parts, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_what_only_windows_needs_is_asked_for(parts, tmp_path):
    (parts[1] / "colour-1.0-py3-none-any.whl").unlink()
    assert refused(parts, tmp_path) == ["no wheel of colour for win_amd64 and Python 3.12"]
    # and what only others need is not
    assert not [w for w in parts[1].glob("metis*")]


def test_all_that_is_wrong_is_said_at_once(parts, tmp_path):
    folder = parts[1]
    (folder / "fast-1.0-cp312-cp312-win_amd64.whl").unlink()
    (folder / "msvc_runtime-1.0-cp312-cp312-win_amd64.whl").unlink()
    wheel(folder, "fast", tag="cp312-cp312-manylinux_2_28_x86_64")
    (folder / "torn-1.0-py3-none-any.whl").write_bytes(b"PK")
    said = refused(parts, tmp_path)
    assert len(said) == 4 and "torn-1.0-py3-none-any.whl is no wheel" in said[0]
    assert said[1:3] == ["no wheel of fast>=1 for win_amd64 and Python 3.12", "no wheel of msvc-runtime for win_amd64 and Python 3.12"]
    assert said[3].endswith("needs fast for win_amd64 and Python 3.12; there is only fast-1.0-cp312-cp312-manylinux_2_28_x86_64.whl")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: wheel(f, "colour", "2.0"), "several wheels of colour: colour-1.0-py3-none-any.whl, colour-2.0-py3-none-any.whl; keep one"),
        (lambda f: wheel(f, "layout", "0.1.0", requires=["fast>=3"]), "layout-0.1.0-py3-none-any.whl needs fast>=3; there is fast-1.0-cp312-cp312-win_amd64.whl"),
        (lambda f: wheel(f, "colour", licence=""), "colour-1.0-py3-none-any.whl states no licence"),
        (lambda f: wheel(f, "colour", files={"colour-1.0.data/data/msvcp140.dll": b"other"}), "msvc_runtime-1.0-cp312-cp312-win_amd64.whl would replace python/msvcp140.dll"),
        (lambda f: wheel(f, "msvc_runtime", tag="cp312-cp312-win_amd64"), "fast loads msvcp140.dll, which nothing in the bundle has (loops.cp312-win_amd64.pyd)"),
    ],
)  # fmt: skip
def test_each_fault_is_named(parts, tmp_path, change, said):
    change(parts[1])
    assert said in refused(parts, tmp_path)


@pytest.mark.parametrize("name", ["../out.py", "/out.py", "colour/..\\..\\out.py", "C:/out.py"])
def test_no_wheel_writes_elsewhere(parts, tmp_path, name):
    wheel(parts[1], "colour", files={name: b"x"})
    # the archive on a system with other separators may tell the name another way
    assert any("colour-1.0-py3-none-any.whl wants to write to" in p for p in refused(parts, tmp_path))


def test_extras_bring_their_requirements(parts, tmp_path):
    assert refused(parts, tmp_path, extras=["print"]) == ["no wheel of mpl for win_amd64 and Python 3.12"]
    wheel(parts[1], "mpl")
    assert bundle(parts, tmp_path / "out.zip", extras=["print"])[0].startswith("5 wheels")


def test_another_zip_is_no_python(tmp_path, parts):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("python.exe", b"")
    with pytest.raises(windows.BundleError, match="x.zip is no embeddable Python"):
        windows.make_bundle(tmp_path / "x.zip", [], tmp_path / "out.zip")


def test_libraries_for_32_bit_are_refused(parts, tmp_path):
    wheel(parts[1], "colour", files={"colour/a.dll": library("KERNEL32.dll", bits=0x10B)})
    assert refused(parts, tmp_path) == ["a library for 32-bit Windows"]


def test_nothing_is_fetched_unless_asked(parts, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(windows.subprocess, "run", lambda *a, **k: pytest.fail("pip was called"))
    told = ["--python", str(parts[0]), "--wheels", str(parts[1]), "--out", str(tmp_path / "out.zip")]
    assert windows.main(told) == 0 and "written: " in capsys.readouterr().out
    (parts[1] / "colour-1.0-py3-none-any.whl").unlink()
    assert windows.main(told) == 1 and "no wheel of colour" in capsys.readouterr().err


def test_what_windows_lacks_is_fetched_until_nothing_is_missing(parts, monkeypatch):
    python, folder = parts
    (folder / "colour-1.0-py3-none-any.whl").unlink()
    calls = []

    def pip(command, check):
        calls.append(command[3:])
        if command[3] == "download":
            wheel(folder, "colour")

    monkeypatch.setattr(windows.subprocess, "run", pip)
    windows.download(folder, version=windows.python_version(python))
    assert [c[0] for c in calls] == ["wheel", "download"] and calls[1][-1] == "colour"
    assert {"--only-binary=:all:", "--platform=win_amd64", "--python-version=3.12"} <= set(calls[1])


def test_the_batch_file_holds_in_any_folder(parts, tmp_path):
    bundle(parts, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        text = archive.read("layout-0.1.0-windows/layout.bat")
    # the same bytes in GBK and UTF-8; lines end as cmd wants them, labels are not found otherwise
    assert text.decode("ascii") and text.count(b"\n") == text.count(b"\r\n") and text.endswith(b"\r\n")
    lines = text.decode("ascii").split("\r\n")
    assert lines[0] == "@echo off" and "chcp 65001 >nul" in lines
    commands = [line for line in lines if not line.startswith(("rem ", "@", ":")) and line]
    for line in commands:
        bare = re.sub(r'"[^"]*"', "", line)
        assert line.count('"') % 2 == 0 and "%~" not in bare and "\\" not in bare, f"a path without quotes: {line}"
        # a bracket in the name of the folder would end a block
        assert "(" not in bare.replace("in ('chcp') do", "") and "!" not in line
    runs = [line for line in commands if "python.exe" in line]
    assert runs == ['"%~dp0python\\python.exe" -X utf8 -m layout %*', '"%~dp0python\\python.exe" -X utf8 -m layout --help']
    assert [line[1:] for line in lines if line.startswith(":")] == re.findall(r"goto (\w+)", text.decode("ascii"))


def test_readme_is_for_the_old_notepad(parts, tmp_path):
    bundle(parts, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        text = archive.read("layout-0.1.0-windows/README.txt")
    assert text.startswith(b"\xef\xbb\xbf") and text.count(b"\n") == text.count(b"\r\n") and "双击 layout.bat" in text.decode("utf-8-sig")
    # commands that are named exist
    from typer.main import get_command

    from layout.cli import app

    assert set(re.findall(r"layout (\w+)", text.decode("utf-8-sig").replace("layout demo for", "layout demo"))) <= set(get_command(app).commands)


def test_an_unpacked_bundle_knows_whether_it_is_whole(parts, tmp_path):
    bundle(parts, tmp_path / "out.zip")
    folder = tmp_path / "办公 室 (1) & 规划"
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        archive.extractall(folder)
    run = [sys.executable, str(folder / "layout-0.1.0-windows" / "check.py"), "--files"]
    done = subprocess.run(run, check=False, capture_output=True, text=True, encoding="utf-8", env={"PYTHONUTF8": "1"})
    assert (done.returncode, done.stdout) == (0, "ok / 完好\n")
    (folder / "layout-0.1.0-windows" / "python" / "LICENSE.txt").write_text("changed", encoding="utf-8")
    (folder / "layout-0.1.0-windows" / "README.txt").unlink()
    done = subprocess.run(run, check=False, capture_output=True, text=True, encoding="utf-8", env={"PYTHONUTF8": "1"})
    assert (done.returncode, done.stdout) == (1, "README.txt\npython/LICENSE.txt\n")


def test_packages_that_do_not_load_are_named(monkeypatch):
    monkeypatch.setattr(check.metadata, "packages_distributions", lambda: {"json": ["stdlib"], "no_such_module": ["gone"], "_c": ["x"]})
    monkeypatch.setattr(check, "own_modules", lambda: ["layout.access", "layout.no_such"])
    assert check.failing_imports() == [
        "no_such_module (gone): No module named 'no_such_module'", "layout.no_such (layout): No module named 'layout.no_such'",
    ]  # fmt: skip


def test_the_check_loads_every_module_of_layout():
    assert check.own_modules() == sorted(f"layout.{p.stem}" for p in (ROOT / "layout").glob("*.py") if not p.stem.startswith("_"))


def test_minutes_are_the_same_without_the_one_library_that_windows_lacks(monkeypatch):
    import layout
    from layout import hierarchy

    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    assert re.findall(r"^    (\S+?)>=\S+ platform_system", setup, re.M) == ["pymetis"]
    pytest.importorskip("pymetis")
    county = layout.make_sample_county(seed=2, settlements=60)

    def minutes():
        network = layout.prepare_network(county.roads, terrain=county.terrain)
        order = hierarchy.build_hierarchy(network.topology).rank
        return order, layout.travel_matrix(network, county.settlements, county.settlements).minutes

    order, with_it = minutes()
    monkeypatch.setitem(sys.modules, "pymetis", None)
    other, without = minutes()
    assert (with_it == without).all() and (order != other).any(), "another order, the same minutes"

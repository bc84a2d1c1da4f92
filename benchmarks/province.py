"""A province of generated counties: one worker against two, killed at half and resumed, and, on request, all 88 once.

Writes the county folders of a fictional province (in the shapes of real counties where LAYOUT_REAL_DATA has them, else on a grid), plans it
with one worker and with two, then once more with two in a process of its own that is killed when half of the counties are done, and resumes
it. Two counties by the plain command, one after the other and side by side, say what two processes gain on the machine at all. Prints
seconds, ratios, the peak of the memory of all processes together, how many counties that were done the resumed run planned again, and
whether its tables have the bytes of the undisturbed one. Ends with an error where a limit is missed. --all plans all 88 with two workers
once and sets its cost a village against that of the 16; --counties 4 --villages 160 is a quick look, whose limits say little. With fewer
villages --all keeps to as many a county. The limits are for a machine that counts to 20 million in 0.3 s; how long this one takes is printed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

import layout

RATIO, RESUMED, MINUTES, GIGABYTES, PER_VILLAGE = 1.6, 0.55, 45.0, 6.0, 0.15
missed = []


class Peak:
    """The most memory that this process and all below it take together, pages shared between them counted once."""

    def __enter__(self):
        self.bytes, self.over = 0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *about):
        self.over.set()
        self.thread.join()

    def watch(self):
        while not self.over.wait(0.5):
            total = 0
            for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
                try:
                    about = process.memory_full_info()
                    total += getattr(about, "pss", about.uss)
                except psutil.Error:
                    pass
            self.bytes = max(self.bytes, total)


def counted():
    """Return the seconds that this machine takes to count to 20 million, the best of three."""
    best = float("inf")
    for _ in range(3):
        start, total = time.perf_counter(), 0
        for i in range(20_000_000):
            total += i
        best = min(best, time.perf_counter() - start)
    return best


def judged(name, measured, limit, unit, most=True):
    good = measured <= limit if most else measured >= limit
    print(f"{name:<52} {measured:>9.2f} {unit:<5} {'at most' if most else 'at least'} {limit:g}{'' if good else '   MISSED'}", flush=True)
    if not good:
        missed.append(name)


def told(step):
    if step.state in ("done", "failed", "again"):
        print(f"  {step.finished}/{step.runs} {step.county} {step.state}", flush=True)


def measured(home, out, workers):
    with Peak() as peak:
        start = time.perf_counter()
        found = layout.plan_province(home, out, workers=workers, lang="en", progress=told)
        seconds = time.perf_counter() - start
    failed = found.counties[found.counties["state"] != "done"]["county"].tolist()
    if failed:
        sys.exit(f"no plan for {failed}: {found.problems['what_en'].tolist()[:3]}")
    print(f"workers {workers}: {seconds:.1f} s, {peak.bytes / 1e9:.2f} GB", flush=True)
    return seconds, peak.bytes


def bare_gain(home, out, counties):
    """Return how much sooner two counties are planned side by side than one after the other, each by a command of its own: no more is to be had here."""

    def begun(county, name):
        command = [sys.executable, "-m", "layout", "plan", str(home / county), "--out", str(out / name), "--draws", "0", "--lang", "en"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def ended(*processes):
        if any(process.wait() for process in processes):
            sys.exit("a county by itself has no plan")

    start = time.perf_counter()
    for county in counties:
        ended(begun(county, f"after {county}"))
    after = time.perf_counter() - start
    start = time.perf_counter()
    ended(*[begun(county, f"beside {county}") for county in counties])
    return after / (time.perf_counter() - start)


def killed_at_half(home, out, counties):
    command = [sys.executable, "-m", "layout", "province", str(home), "--out", str(out), "--workers", "2", "--draws", "0", "--lang", "en"]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        done = 0
        for line in process.stdout:
            done += line.rstrip().endswith(": done")
            if 2 * done >= counties:
                break
        below = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    print(f"killed with {done} of {counties} done after {time.perf_counter() - start:.1f} s", flush=True)
    # the workers end by themselves once nobody keeps them
    _, alive = psutil.wait_procs(below, timeout=120)
    if alive:
        sys.exit(f"{len(alive)} workers live on without the process that started them")
    return {path.parent.name for path in (out / "runs").glob("*/*.json")}


def tables_of(out):
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted((out / "tables").rglob("*.parquet"))}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counties", type=int, default=16)
    parser.add_argument("--villages", type=int, default=None, help="settlements of all counties together")
    parser.add_argument("--all", action="store_true", help="also all 88 once")
    given = parser.parse_args()
    real = os.environ.get("LAYOUT_REAL_DATA")
    shapes = Path(real) / "guizhou" if real and (Path(real) / "guizhou").is_dir() else None
    print(f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB, load {os.getloadavg()[0] if hasattr(os, 'getloadavg') else 0:.1f}; "
          f"{'real shapes' if shapes else 'a grid'}; counts to 20 million in {counted():.2f} s", flush=True)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "province"
        counts = layout.make_sample_province(home, counties=given.counties, shapes=shapes, villages=given.villages)
        print(f"{len(counts)} counties, {sum(counts.values()):,} settlements", flush=True)
        # nobody's time includes compiling
        warm = Path(folder) / "warm"
        layout.make_sample_province(warm, counties=1, villages=given.villages and round(given.villages / given.counties))
        layout.plan_province(warm, Path(folder) / "warmed", workers=1)
        one, _ = measured(home, Path(folder) / "one", 1)
        two, peak = measured(home, Path(folder) / "two", 2)
        judged("two workers against one", one / two, RATIO, "x", most=False)
        # counties of like size, so that neither waits long for the other
        alike = sorted(counts, key=lambda county: (counts[county], county))[len(counts) // 2 - 1 :][:2]
        print(f"{'two bare processes against one, two counties':<52} {bare_gain(home, Path(folder) / 'bare', alike):>9.2f} x", flush=True)
        kept, begun = killed_at_half(home, Path(folder) / "resumed", given.counties), set()

        def noted(step):
            told(step)
            begun.update([step.county] if step.state in ("begun", "again") else [])

        start = time.perf_counter()
        layout.plan_province(home, Path(folder) / "resumed", workers=2, lang="en", resume=True, progress=noted)
        again = time.perf_counter() - start
        print(f"resumed with {len(kept)} done: {again:.1f} s", flush=True)
        judged("resumed after a kill at half, of the full time", again / two, RESUMED, "")
        judged("counties done before the kill and planned again", float(len(begun & kept)), 0, "")
        judged("counties missing after the kill and not planned", float(len({*counts} - kept - begun)), 0, "")
        same = tables_of(Path(folder) / "two") == tables_of(Path(folder) / "one") == tables_of(Path(folder) / "resumed")
        judged("tables with the same bytes", float(same), 1, "", most=False)
        judged("peak of all processes", peak / 1e9, GIGABYTES, "GB")
        print(f"{two / sum(counts.values()):.3f} s a settlement", flush=True)
        if given.all:
            if shapes is None:
                sys.exit("--all needs the real shapes: set LAYOUT_REAL_DATA")
            every = Path(folder) / "every"
            villages = None if given.villages is None else round(given.villages * 88 / given.counties)
            many = layout.make_sample_province(every, counties=88, shapes=shapes, villages=villages)
            print(f"{len(many)} counties, {sum(many.values()):,} settlements", flush=True)
            seconds, peak = measured(every, Path(folder) / "every out", 2)
            judged("88 counties", seconds / 60, MINUTES, "min")
            judged("peak of all processes", peak / 1e9, GIGABYTES, "GB")
            ratio = (seconds / sum(many.values())) / (two / sum(counts.values()))
            judged("cost a settlement against the 16, off by", abs(ratio - 1), PER_VILLAGE, "")
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()

"""Feed generated inputs to whatever reads text or files: ``python tests/fuzz/fuzz.py --inputs 1000000 formula``.

An input fails if it raises anything but the documented errors, says more than one printable line, takes longer than
100 ms of processor time however often it is tried, or makes the process grow. The same seed gives the same inputs, in
any number of processes; ``--first N --inputs 1`` reads the one that failed again.
"""

import argparse
import json
import multiprocessing
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

import generators

from diffbench import Spec, load, parse_formula, run
from diffbench.errors import MAX_MESSAGE, DiffbenchError, defused
from diffbench.functions.suites import parse_toml
from diffbench.sweep.checked import entry_from
from diffbench.sweep.epsilons import epsilon_texts, expand_epsilons
from diffbench.sweep.files import checksum
from diffbench.sweep.store import RunFolder, journal_line
from diffbench.sweep.stored import status

SECONDS = 0.1
SECONDS_AN_EPSILON = 200e-6
"""A grid may have two thousand values; whoever asks for them waits for them."""

HANGS = 20
GROWTH = 600_000_000
SEEDS = 2**40


class Failure(NamedTuple):
    """An input that failed."""

    target: str
    number: int
    why: str


class Target(NamedTuple):
    """Something that reads inputs: how one is made, and read; the reader returns how many seconds more it may take."""

    generate: Callable[[Random], object]
    read: Callable[[object], float]


def read_formula(text: object) -> float:
    """Parse a formula."""
    parse_formula(text)
    return 0.0


def read_spec(text: object) -> float:
    """Make a spec of TOML; a small one that is accepted reads back from its canonical form."""
    spec = Spec(**parse_toml(text, "spec"))
    expected = SECONDS_AN_EPSILON * len(expand_epsilons(spec.epsilons))
    canonical = spec.to_toml()
    if len(spec.functions) <= 5 and "python_objects" not in canonical:
        again = Spec.from_text(canonical)
        if again.sha256 != spec.sha256:
            raise AssertionError("another spec is read back")
    return expected


def read_epsilons(value: object) -> float:
    """Read a grid, which reads back from its texts."""
    texts = epsilon_texts(value)
    values = expand_epsilons(texts)
    if not all(epsilon > 0 for epsilon in values):
        raise AssertionError("an epsilon is not positive")
    return SECONDS_AN_EPSILON * len(values)


class RunFiles:
    """A small run whose files are changed, one or two at a time, and put back."""

    def __init__(self, folder: Path) -> None:
        spec = Spec([{"formula": "x**2", "points": ["1/3"]}], ["central-2"], "1e-1:1e-2:1/decade")
        run(spec, out=folder)
        self.folder = folder
        self.files = {
            path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }
        self._changed: set[str] = set()
        manifest = json.loads(self.files["manifest.json"])
        self._journal = journal_line(entry_from(manifest["blocks"][0])).encode()
        # With its own checksum, every change of it would be the same damage.
        self._manifest = {key: value for key, value in manifest.items() if key != "check"}

    def generate(self, chance: Random) -> object:
        """Return the files of a changed run: a file with other bytes, mostly with a manifest that knows them."""
        name = chance.choice(("manifest.json", "manifest.json", *self.files, "journal.jsonl"))
        data = self.files.get(name, self._journal)
        if name == "manifest.json" and chance.random() < 0.95:
            data = json.dumps(self._manifest).encode()
        is_json = name.endswith((".json", ".jsonl"))
        changed = {name: (generators.mutated_object if is_json else generators.mutated_bytes)(chance, data)}
        if name not in {"manifest.json", "journal.jsonl"} and chance.random() < 0.9:
            changed["manifest.json"] = self._sealed(name, changed[name])
        if chance.random() < 0.02:
            changed = {name: b""}
        return changed

    def _sealed(self, name: str, data: bytes) -> bytes:
        manifest = deepcopy(self._manifest)
        for files in (manifest["files"], *(block["files"] for block in manifest["blocks"])):
            if name in files:
                files[name] = [checksum(data), len(data)]
        return json.dumps(manifest).encode()

    def read(self, changed: object) -> float:
        """Load the run and look at all of it; what one part refuses, another may read."""
        for name in self._changed - changed.keys():
            if name in self.files:
                (self.folder / name).write_bytes(self.files[name])
            else:
                (self.folder / name).unlink()
        for name, data in changed.items():
            (self.folder / name).write_bytes(data)
        self._changed = set(changed)
        refused: DiffbenchError | None = None
        looks = [self._status, self._resumed, self._results]
        is_table = any(name.endswith(".parquet") for name in changed)
        for look in looks[2:] if is_table else looks[:2] if "journal.jsonl" in changed else looks:
            try:
                look()
            except DiffbenchError as error:
                refused = error
        if refused is not None:
            raise refused
        return 0.0

    def _results(self) -> None:
        results = load(self.folder)
        repr((results.counts, results.verdicts))
        if any(name.endswith(".parquet") for name in self._changed):
            for each in (results.curves[0], results.blocks[0]):
                repr((each.key, each.verdicts))
            list(results.reference_tables())

    def _status(self) -> None:
        repr(status(self.folder))

    def _resumed(self) -> None:
        RunFolder.open(self.folder).missing()


@contextmanager
def targets(names: tuple[str, ...]) -> Iterator[dict[str, Target]]:
    """Give what is to be fuzzed; runs lie in memory where the system has a folder for that."""
    memory = Path("/dev/shm")  # noqa: S108  (a folder of its own is made in it)
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        found = {
            "formula": Target(generators.formula, read_formula),
            "spec": Target(generators.spec, read_spec),
            "epsilons": Target(generators.epsilons, read_epsilons),
        }
        if "run" in names:
            files = RunFiles(Path(folder) / "run")
            found["run"] = Target(files.generate, files.read)
        yield {name: found[name] for name in names}


def _late(*_: object) -> None:
    raise TimeoutError(f"more than {HANGS} s")


def problem_of(target: Target, value: object) -> tuple[str, str, float]:
    """Return why an input fails, or nothing; what became of it; and the seconds that it took."""
    start = time.process_time()
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    outcome, why, more = "accepted", "", 0.0
    try:
        more = target.read(value)
    except DiffbenchError as error:
        outcome, message = type(error).__name__, str(error)
        if defused(message) != message or len(message) > MAX_MESSAGE:
            why = f"says {message[:200]!a}"
    except Exception as error:  # noqa: BLE001  (whatever it is, it is what is looked for)
        outcome, why = "failed", f"{type(error).__name__}: {str(error)[:300]!a}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    taken = time.process_time() - start
    return (why or (f"takes {taken:.3f} s" if taken > SECONDS + more else "")), outcome, taken


def work(name: str, seed: int, numbers: range) -> tuple[list[Failure], Counter[str], float]:
    """Read some of the inputs of a target; return what failed, what became of all, and the longest time."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _late)
    failures: list[Failure] = []
    outcomes: Counter[str] = Counter()
    longest = 0.0
    with targets((name,)) as found:
        target = found[name]
        target_size = 0
        for count, number in enumerate(numbers):
            value = target.generate(Random(seed * SEEDS + number))  # noqa: S311  (no secret)
            why, outcome, taken = problem_of(target, value)
            for _ in range(3):
                # What else the machine does, or what is loaded once, is no fault of the input.
                if why.startswith("takes "):
                    again, _, seconds = problem_of(target, value)
                    why, taken = (again, min(taken, seconds)) if seconds < taken else (why, taken)
            outcomes[outcome] += 1
            longest = max(longest, taken)
            size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            target_size = target_size or size
            if count > 1000 and size > target_size + GROWTH:
                why, target_size = why or f"the process has grown to {size} bytes", size
            if why:
                failures.append(Failure(name, number, why))
                if len(failures) >= 50:
                    break
    return failures, outcomes, longest


def work_apart(name: str, seed: int, numbers: range) -> tuple[list[Failure], Counter[str], float]:
    """Do the work in a process of its own, which an input may end."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(work, name, seed, numbers).result()
        except BrokenProcessPool:
            return [Failure(name, numbers.start, f"or one up to {numbers.stop - 1} ends the process")], Counter(), 0.0


def fuzz(name: str, seed: int, chunks: list[range], processes: int) -> bool:
    """Read the inputs of a target, print how far it is and what became of them, and return whether none failed."""
    start = time.monotonic()
    say = partial(print, f"{name}:", flush=True)
    failures: list[Failure] = []
    outcomes: Counter[str] = Counter()
    longest = 0.0
    with ThreadPoolExecutor(processes) as threads:
        for done in as_completed([threads.submit(work_apart, name, seed, chunk) for chunk in chunks]):
            found, counted, seconds = done.result()
            failures += found
            outcomes += counted
            longest = max(longest, seconds)
            for failure in found:
                say(f"input {failure.number} {failure.why}")
            say(f"{outcomes.total()} inputs, {len(failures)} failures, {time.monotonic() - start:.0f} s")
    became = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    say(
        f"{outcomes.total()} inputs of seed {seed}: {became}; {len(failures)} failures;",
        f"longest {1000 * longest:.0f} ms; {time.monotonic() - start:.0f} s",
    )
    return not failures


def main() -> int:
    """Fuzz, and return 1 if any input failed."""
    parser = argparse.ArgumentParser(description="Feed generated inputs to whatever reads text or files.")
    parser.add_argument("targets", nargs="*", default=["formula", "spec", "epsilons", "run"])
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of each target")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--chunk", type=int, default=50_000, help="inputs that one process reads before it ends")
    chosen = parser.parse_args()
    numbers = range(chosen.first, chosen.first + chosen.inputs)
    chunks = [numbers[i : i + chosen.chunk] for i in range(0, len(numbers), chosen.chunk)]
    done = [fuzz(name, chosen.seed, chunks, chosen.processes) for name in chosen.targets]
    return int(not all(done))


if __name__ == "__main__":
    sys.exit(main())

"""The structure of the code, measured from its own imports and definitions; and what one run reads and builds.

    python benchmarks/structure.py [--tree FOLDER] [--no-run]

Imports inside functions count like those at the top of a file. A room is a folder, or a file beside folders. A run is
`defectgen run` on copper with ASE's EMT; its reads of the CIF, builds of the host, enumerations of defects and
relaxations of the host are counted by profiling the functions that do them.
"""

from __future__ import annotations

import argparse
import ast
import cProfile
import pstats
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGES = ("augment", "md", "defectgen")
LONG_FUNCTION = 60

COUNTED = {
    "reads of the CIF": ("augment/crystal/reading/blocks.py", "read_text"),
    "builds of the host": ("augment/host.py", "assemble_host"),
    "enumerations": ("augment/defects/point_defects.py", "point_defects"),
    "relaxations of the host": ("md/relaxation/relaxed_host.py", "_relaxation"),
}
"""File and function of what a run is to do once."""

SETTINGS = {
    "workers": 1,
    "potential.name": "emt",
    "defects.min_image_distance": 5.0,
    "defects.kinds": ["vacancy"],
    "md.steps": 10,
    "md.temperatures": [300.0],
    "md.pressures": [0.0],
}


def modules(tree: Path) -> dict[str, Path]:
    """Files of the packages by module name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((tree / package).rglob("*.py")):
            name = ".".join(path.relative_to(tree).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def imports(files: Mapping[str, Path]) -> dict[str, set[str]]:
    """Modules that each imports, lazily or not; what a type checker alone sees is left out."""
    graph: dict[str, set[str]] = {name: set() for name in files}
    for name, path in files.items():
        for node in _executed(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                targets = {f"{node.module}.{alias.name}" for alias in node.names}
                graph[name] |= {t if t in files else str(node.module) for t in targets}
            elif isinstance(node, ast.Import):
                graph[name] |= {alias.name for alias in node.names}
        graph[name] = {target for target in graph[name] if target in files and target != name}
    return graph


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        checking = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        if not checking:
            yield node
            yield from _executed(node)


def cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Sets of modules that import each other in a loop (strongly connected components, Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    loops: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph[node]:
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            loop = [stack.pop()]
            while loop[-1] != node:
                loop.append(stack.pop())
            if len(loop) > 1:
                loops.append(sorted(loop))

    for node in graph:
        if node not in index:
            visit(node)
    return loops


def rooms(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The same graph between the rooms of each package: the parts of its name below the package's."""
    between: dict[str, set[str]] = defaultdict(set)
    for module, targets in graph.items():
        for target in targets:
            one, other = module.split(".")[:2], target.split(".")[:2]
            if len(one) == len(other) == 2 and one[0] == other[0] and one != other:
                between[".".join(one)].add(".".join(other))
    return {room: set(between.get(room, ())) for room in {*between, *(t for ts in between.values() for t in ts)}}


def arrows_up(graph: Mapping[str, set[str]]) -> int:
    """Imports between two rooms that also import the other way round."""
    return sum(other in graph and room in graph[other] for room in graph for other in graph[room]) // 2


def folders(files: Mapping[str, Path]) -> Counter[str]:
    """Files of each folder, without those that only name a package."""
    return Counter(str(path.parent) for path in files.values() if path.name != "__init__.py")


def public_names(files: Mapping[str, Path]) -> dict[str, list[str]]:
    """Modules that define each public name at their top level."""
    where: dict[str, list[str]] = defaultdict(list)
    for module, path in files.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for name in _defined(node):
                if not name.startswith("_"):
                    where[name].append(module)
    return where


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def function_lengths(files: Mapping[str, Path]) -> list[int]:
    """Lines of each function without its docstring, rising."""
    lengths = []
    for path in files.values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node, clean=False)
                lengths.append(int(node.end_lineno or 0) - node.lineno + 1 - (text.count("\n") + 1 if text else 0))
    return sorted(lengths)


def counted_run() -> dict[str, int]:
    """How often one run does what it is to do once."""
    from defectgen import Settings, run_pipeline

    host = Path(__file__).parents[1] / "examples" / "hosts" / "Cu.cif"
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(host=host, output=Path(folder) / "run").replaced(SETTINGS)
        profile = cProfile.Profile()
        profile.runcall(run_pipeline, settings)
    calls: Counter[str] = Counter()
    for (path, _, function), (_, count, *_) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        for what, (file, name) in COUNTED.items():
            if path.endswith(file) and function == name:
                calls[what] += count
    return {what: calls[what] for what in COUNTED}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tree", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--no-run", action="store_true")
    asked = parser.parse_args()
    files = modules(asked.tree)
    graph, names, lengths = imports(files), public_names(files), function_lengths(files)
    loops, full = cycles(graph), folders(files)
    sizes = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in files.items()}
    between = rooms(graph)
    rows: list[tuple[str, object]] = [
        ("import cycles, lazy ones included", f"{len(loops)} (largest {max(map(len, loops), default=0)} files)"),
        ("cycles of rooms", len(cycles(between))),
        ("pairs of rooms that import each other", arrows_up(between)),
        *((f"rooms of {p}", len({r for r in between if r.split(".")[0] == p})) for p in PACKAGES),
        ("files in the fullest folder", max(full.values())),
        ("public names defined twice", sum(len(where) > 1 for where in names.values())),
        (
            "functions: p50, p90, longest",
            f"{lengths[len(lengths) // 2]}, {lengths[len(lengths) * 9 // 10]}, {lengths[-1]}",
        ),
        (f"functions of more than {LONG_FUNCTION} lines", sum(length > LONG_FUNCTION for length in lengths)),
        ("longest file", f"{max(sizes.values())} ({max(sizes, key=lambda name: sizes[name])})"),
        *(() if asked.no_run else counted_run().items()),
    ]
    for what, value in rows:
        print(f"{what:44} {value}")
    for name, where in sorted(names.items()):
        if len(where) > 1:
            print(f"  twice: {name} in {', '.join(where)}")


if __name__ == "__main__":
    main()

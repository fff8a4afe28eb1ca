"""Where in time the nodes of a graph are."""

from __future__ import annotations

from typing import NamedTuple

from minigrad.graph import Graph, Source

Places = tuple[tuple[str, "int | None"], ...]
Path = tuple[str, ...]


class Spot(NamedTuple):
    """A place in time: which loop over time, which of its steps, and where inside the step."""

    loop: int
    step: int
    inner: Path


class Loop(NamedTuple):
    """One run over time: of a layer, or of a loop of one's own. The same layer called twice is two loops."""

    place: Path
    call: int

    @property
    def is_layer(self) -> bool:
        """Whether it is the run of a layer of this library, whose steps are its cell and nothing else."""
        return _names_layer(self.place)


def _names_layer(place: Path) -> bool:
    return bool(place) and place[-1].partition(".")[0].removeprefix("layer").isdigit()


def locate(graph: Graph) -> tuple[list[Loop], list[Spot | None]]:
    """The loops over time, and the spot of each node: ``None`` if it is in no step."""
    runs: dict[Path, _Run] = {}
    told = _told(graph, runs)
    loops: dict[tuple[Path, int], int] = {}
    spots: list[Spot | None] = []
    known: dict[tuple[int, int], Spot] = {}
    for node in graph:
        apart = told.get(id(node.places)) if node.kind == "op" else None
        if apart is None:
            spots.append(None)
            if node.kind == "op" and (run := runs.get(tuple([name for name, _ in node.places if name]))) is not None:
                run.ended = True
            continue
        run, place, step, inner = apart
        call = run.call_of(step)
        spot = known.get((id(node.places), call))
        if spot is None:
            spot = known[id(node.places), call] = Spot(loops.setdefault((place, call), len(loops)), step, inner)
        spots.append(spot)
    streams = {place for place, run in runs.items() if run.is_stream}
    names = [Loop(*key) for key in loops]
    return (names, spots) if not streams else _streamed(names, spots, streams)


def _told(graph: Graph, runs: dict[Path, _Run]) -> dict[int, tuple[_Run, Path, int, Path]]:
    """What each place says, by the identity of its tuple, which the nodes there share: quicker than its hash.

    ``runs`` gets the run of every place around a step.
    """
    places = {id(node.places): node.places for node in graph}
    told = {}
    for number, level in _levels(places).items():
        around, step, inner = _taken_apart(places[number], level)
        if (run := runs.get(around)) is None:
            run = runs[around] = _Run()
        told[number] = run, around, step, inner
    return told


def _taken_apart(places: Places, level: int) -> tuple[Path, int, Path]:
    """What is around the time step, the step, and what is inside."""
    return _path(places[: level + 1]), places[level][1] or 0, _path(places[level + 1 :])


def _path(places: Places) -> Path:
    return tuple([name for name, _ in places if name])


class _Run:
    """The calls of one place so far.

    A step that comes a second time begins a new call, if another one came between, or what puts the steps together.
    """

    def __init__(self) -> None:
        self.call, self.last, self.seen, self.longest, self.ended = 0, -1, set[int](), 0, False

    def call_of(self, step: int) -> int:
        if (step != self.last or self.ended) and step in self.seen:
            self.call += 1
            self.seen.clear()
        self.ended = False
        self.seen.add(step)
        self.last, self.longest = step, max(self.longest, len(self.seen))
        return self.call

    @property
    def is_stream(self) -> bool:
        return self.call > 0 and self.longest == 1


def _levels(all_places: dict[int, Places]) -> dict[int, int]:
    """Which level of each place is the time step: the outermost whose number changes, else the innermost.

    A loop around the network, such as one over epochs, of which the graph has a single pass, does not count.
    """
    seen: dict[tuple[object, ...], set[int]] = {}
    stepped: dict[int, list[tuple[int, tuple[object, ...]]]] = {}
    for number, places in all_places.items():
        for i, (name, step) in enumerate(places):
            if step is not None:
                key = (*places[:i], name)
                seen.setdefault(key, set()).add(step)
                stepped.setdefault(number, []).append((i, key))
    around = {key[:i] for key in seen for i in range(1, len(key))}
    outer = {(*key[:-1], key[-1][0]) for key in around if isinstance(key[-1], tuple) and key[-1][1] is not None}
    levels = {}
    for number, keys in stepped.items():
        fitting = [i for i, key in keys if len(seen[key]) > 1] or [i for i, key in keys if key not in outer]
        if fitting:
            levels[number] = fitting[0]
    return levels


def _streamed(loops: list[Loop], spots: list[Spot | None], streams: set[Path]) -> tuple[list[Loop], list[Spot | None]]:
    """Calls of one step each, of a layer that is fed a stream, are the steps of a single run."""
    first = {loop.place: number for number, loop in reversed(list(enumerate(loops)))}
    moved: list[Spot | None] = []
    for spot in spots:
        if spot is None or loops[spot.loop].place not in streams:
            moved.append(spot)
        else:
            loop = loops[spot.loop]
            moved.append(Spot(first[loop.place], loop.call, spot.inner))
    return loops, moved


def stepped_layers(graph: Graph) -> set[Path]:
    """The places of layers that run one step at a time inside a loop of another kind: ``layer.step(x, state)``."""
    places = {id(node.places): node.places for node in graph}
    runs: dict[Places, set[int]] = {}  # of each run of a layer its steps
    for number, level in _levels(places).items():
        for i, (_, step) in enumerate(places[number][level + 1 :], level + 1):
            if step is not None:
                runs.setdefault(places[number][:i], set()).add(step)
    several = {_path(run) for run, steps in runs.items() if len(steps) > 1}
    return {path for path in map(_path, runs) if _names_layer(path)} - several


def reaching(graph: Graph, spots: list[Spot | None]) -> list[bool]:
    """Whether each node, by way of its own step or at once, has a part in another step of the same loop."""
    reaches = [False] * len(graph)
    for node in reversed(graph.nodes):
        here = spots[node.id]
        if here is None:
            continue
        for x in node.inputs:
            if isinstance(x, Source) and (there := spots[x.node]) is not None and there.loop == here.loop:
                reaches[x.node] = reaches[x.node] or there.step != here.step or reaches[node.id]
    return reaches


def handed_on(graph: Graph, spots: list[Spot | None]) -> list[bool]:
    """Whether each node comes to another step of the same loop past no other that has a name: so a state does."""
    handed = [False] * len(graph)
    for node in reversed(graph.nodes):
        here = spots[node.id]
        if here is None:
            continue
        on = handed[node.id] and not node.name
        for x in node.inputs:
            if isinstance(x, Source) and (there := spots[x.node]) is not None and there.loop == here.loop:
                handed[x.node] = handed[x.node] or there.step != here.step or on
    return handed

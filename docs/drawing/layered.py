"""Places the nodes of a directed graph without cycles in ranks, from top to bottom, and leads the edges around them.

Ranks by longest path; an edge over several ranks takes a slot of its own in each; the order within a rank by the mean
of its neighbours; positions by least squares. The same graph gives the same drawing.
"""

from dataclasses import dataclass, field

GAP, SLOT, BETWEEN, MARGIN = 26.0, 14.0, 46.0, 24.0


@dataclass
class Node:
    """A box; `x` and `y` are of its middle and its top, once placed. A slot of an edge has no name."""

    name: str
    width: float
    height: float
    rank: int = 0
    x: float = 0
    y: float = 0


@dataclass
class Drawing:
    """`paths` leads each edge through points; between two of different rank it bends, in a rank it is straight."""

    nodes: dict[str, Node]
    paths: dict[tuple[str, str], list[tuple[float, float]]] = field(default_factory=dict)
    width: float = 0
    height: float = 0


def layered(nodes: list[Node], edges: list[tuple[str, str]]) -> Drawing:
    """Places all nodes. Raises ValueError if there is a cycle or an edge to nowhere."""
    by_name = {node.name: node for node in nodes}
    _rank(by_name, edges)
    ranks: list[list[Node]] = [[] for _ in range(max(node.rank for node in nodes) + 1)]
    for node in nodes:
        ranks[node.rank].append(node)
    chains: dict[tuple[str, str], list[Node]] = {}
    for parent, child in edges:
        chain = [by_name[parent]]
        for rank in range(by_name[parent].rank + 1, by_name[child].rank):
            chain.append(Node("", SLOT, 0, rank))
            ranks[rank].append(chain[-1])
        chains[parent, child] = [*chain, by_name[child]]
    links = [(a, b) for chain in chains.values() for a, b in zip(chain, chain[1:])]
    ranks = _ordered(ranks, links)
    _positions(ranks, links)
    return _finished(by_name, ranks, chains)


def _rank(nodes: dict[str, Node], edges: list[tuple[str, str]]) -> None:
    """The longest path to each node; a node without parents goes right above its first child."""
    for parent, child in edges:
        if parent not in nodes or child not in nodes:
            raise ValueError(f"an edge leads from {parent} to {child}, and one of them is no node")
    for _ in range(len(nodes) + 1):
        late = [(parent, child) for parent, child in edges if nodes[child].rank <= nodes[parent].rank]
        for parent, child in late:
            nodes[child].rank = max(nodes[child].rank, nodes[parent].rank + 1)
        if not late:
            break
    else:
        raise ValueError("the edges have a cycle")
    for name, node in nodes.items():
        below = [nodes[child].rank for parent, child in edges if parent == name]
        if below and not any(child == name for _, child in edges):
            node.rank = min(below) - 1


def _ordered(ranks: list[list[Node]], links: list[tuple[Node, Node]]) -> list[list[Node]]:
    """The order of the ranks with the fewest crossings of several sweeps."""
    above: dict[int, list[Node]] = {}
    below: dict[int, list[Node]] = {}
    for a, b in links:
        above.setdefault(id(b), []).append(a)
        below.setdefault(id(a), []).append(b)
    best, fewest = [list(rank) for rank in ranks], _crossings(ranks, links)
    for sweep in range(24):
        neighbours, order = (above, ranks[1:]) if sweep % 2 == 0 else (below, ranks[-2::-1])
        for rank in order:
            place = {id(node): index for other in ranks for index, node in enumerate(other)}
            means = {id(node): _mean(place, neighbours.get(id(node), []), node) for node in rank}
            rank.sort(key=lambda node, means=means: means[id(node)])
        if (count := _crossings(ranks, links)) < fewest:
            best, fewest = [list(rank) for rank in ranks], count
    return best


def _mean(place: dict[int, int], near: list[Node], node: Node) -> float:
    """The mean place of a node's neighbours; without any its own."""
    return sum(place[id(other)] for other in near) / len(near) if near else place[id(node)]


def _crossings(ranks: list[list[Node]], links: list[tuple[Node, Node]]) -> int:
    place = {id(node): index for rank in ranks for index, node in enumerate(rank)}
    ends = [(a.rank, place[id(a)], place[id(b)]) for a, b in links]
    return sum(
        first[0] == second[0] and (first[1] - second[1]) * (first[2] - second[2]) < 0
        for index, first in enumerate(ends)
        for second in ends[index + 1 :]
    )


def _positions(ranks: list[list[Node]], links: list[tuple[Node, Node]]) -> None:
    """Each rank in turn as near to its neighbours as the boxes beside each other allow; slots pull harder."""
    for rank in ranks:
        x = 0.0
        for node in rank:
            node.x = x + node.width / 2
            x += node.width + GAP
    near: dict[int, list[Node]] = {id(node): [] for rank in ranks for node in rank}
    for a, b in links:
        near[id(a)].append(b)
        near[id(b)].append(a)
    for sweep in range(400):
        for rank in ranks if sweep % 2 == 0 else reversed(ranks):
            wanted, weights = [], []
            for node in rank:
                pulls = [4.0 if not other.name or not node.name else 1.0 for other in near[id(node)]]
                total = sum(pulls)
                wanted.append(sum(w * o.x for w, o in zip(pulls, near[id(node)])) / total if pulls else node.x)
                weights.append(total or 0.1)
            for node, x in zip(rank, _apart(rank, wanted, weights)):
                node.x = x


def _apart(rank: list[Node], wanted: list[float], weights: list[float]) -> list[float]:
    """Least squares under a smallest distance of neighbours, by pooling those that would overlap."""
    offsets = [0.0]
    for left, right in zip(rank, rank[1:]):
        offsets.append(offsets[-1] + (left.width + right.width) / 2 + GAP)
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for place, weight, offset in zip(wanted, weights, offsets):
        pools.append((place - offset, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, v, m), (b, w, n) = pools[-2:]
            pools[-2:] = [((a * v + b * w) / (v + w), v + w, m + n)]
    return [mean + offset for mean, offset in zip([mean for mean, _, count in pools for _ in range(count)], offsets)]


def _finished(nodes: dict[str, Node], ranks: list[list[Node]], chains: dict[tuple[str, str], list[Node]]) -> Drawing:
    """Moves everything into the page and leads the edges from box to box; edges of one box leave it apart."""
    left = min(node.x - node.width / 2 for rank in ranks for node in rank)
    y, heights = MARGIN, []
    for rank in ranks:
        heights.append(max(node.height for node in rank))
        for node in rank:
            node.x += MARGIN - left
            node.y = y + (heights[-1] - node.height) / 2 if node.name else y
        y += heights[-1] + BETWEEN
    drawing = Drawing(nodes, height=y - BETWEEN + MARGIN)
    drawing.width = max(node.x + node.width / 2 for rank in ranks for node in rank) + MARGIN
    for edge, chain in chains.items():
        start, end = chain[0], chain[-1]
        points = [(start.x + _port(edge, start, chains, 0), start.y + start.height)]
        for slot in chain[1:-1]:
            points += [(slot.x, slot.y), (slot.x, slot.y + heights[slot.rank])]
        drawing.paths[edge] = [*points, (end.x + _port(edge, end, chains, -1), end.y)]
    return drawing


def _port(edge: tuple[str, str], node: Node, chains: dict[tuple[str, str], list[Node]], end: int) -> float:
    """How far from the middle of a box an edge leaves or enters it, so that several stand side by side."""
    name = edge[end]
    beside = 1 if end == 0 else -2
    here = sorted((chain[beside].x, other) for other, chain in chains.items() if other[end] == name)
    index = [other for _, other in here].index(edge)
    step = min(18.0, (node.width - 30) / max(len(here), 1))
    return (index - (len(here) - 1) / 2) * step

"""What hangs together: the connected components of pairs, numbered the same way on every machine."""

import numpy as np
from numpy.typing import NDArray


def connected(n: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the component of each of `n` things that `pairs`, int64 (m, 2), join; int64 (n,).

    Components are numbered from 0 in the order in which they first appear.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = pairs.astype(np.int32)  # what the library computes in
    graph = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(n, n))
    count, component = connected_components(graph, directed=False)
    # The library numbers components in an order of its own.
    first = np.empty(count, np.int64)
    first[component[::-1]] = np.arange(n)[::-1]  # of several values for one place, the last one stays
    number = np.empty(count, np.int64)
    number[np.argsort(first)] = np.arange(count)
    return number[component]

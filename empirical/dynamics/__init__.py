"""Measurements over whole training runs, in reading order.

1. ``matrices``   an initial weight matrix: dense, or known only through its products
2. ``training``   the trajectory of a one-layer-block net under full-batch gradient descent
3. ``dependence`` how a forward pass depends on the backward passes before it
4. ``rate_training`` many learning rates and seeds of two-layer-block nets at once
5. ``rates``      the best rate, the edge and the speed, read off losses over a grid of rates
6. ``inside_blocks`` inside the blocks of a trained net: increments, linearisation, products of two updates
7. ``spectral``   spectral norms of the matrices a net applies and of their steps
8. ``equivalence`` two parametrizations trained from the same draws

Nothing is imported here.
"""

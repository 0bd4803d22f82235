"""Derivations for whole training runs, in reading order.

1. ``limit``     the infinite-width, infinite-depth system of one-layer blocks, step by step
2. ``linear``    its exact solution for linear blocks at any finite depth
3. ``gradient_independence`` gradient independence: the exponent of every reading of it
4. ``best_rates`` how the best learning rate and the edge of stability move with depth
5. ``block_powers`` inside a block: diversity, linearisation, products of two updates
6. ``spectral``  spectral norms of matrices and of their steps, as powers of n

Nothing is imported here.
"""

"""Measurements of scaling laws, in reading order.

1. ``features``       random features of a power-law spectrum, their error exact in the test input
2. ``width``          trained networks of one hidden layer over many initializations
3. ``interpolation``  nearest neighbour and piecewise linear
4. ``flow``           the two-layer linear network and its reduced gradient flow
5. ``fit``            a user's table of losses: power laws with an offset, and their intervals

Nothing is imported here.
"""

"""Measurements of scaling laws, in reading order.

1. ``features``       random features of a power-law spectrum, their error exact in the test input
2. ``narrow_nets``    trained networks of one hidden layer over many initializations
3. ``sampling``       one small network on samples of a finite population
4. ``interpolation``  nearest neighbour and piecewise linear
5. ``kernels``        kernel regression and random-feature students on a sphere's points, or on digits
6. ``flow``           the two-layer linear network and its reduced gradient flow
7. ``diagonal_nets``  a diagonal linear network with weight decay
8. ``scatter``        a user's table of losses, and how far the mean of each size may be off
9. ``fit``            power laws with an offset in it, and their intervals
10. ``units``         the same fits of a loss in any unit

Nothing is imported here.
"""

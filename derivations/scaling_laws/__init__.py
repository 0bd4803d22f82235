"""Derivations of neural scaling laws, in reading order.

1. ``spectra``     regression on power-law spectra: data and feature exponents, duality, the variance-limited law
2. ``ridge``       the deterministic equivalent of random-feature ridge regression at any finite size
3. ``width``       the variance of trained networks over initializations
4. ``resolution``  interpolation of points on a manifold: 1/d, 2/d, 4/d
5. ``learning``    what feature learning does to the exponent of time: a two-layer linear network

Nothing is imported here.
"""

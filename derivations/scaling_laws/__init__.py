"""Derivations of neural scaling laws, in reading order.

1. ``spectra``     regression on power-law spectra: data and feature exponents, duality, the variance-limited law
2. ``ridge``       the deterministic equivalent of random-feature ridge regression at any finite size
3. ``averages``    functionals of averages: what finitely many units or samples leave of the limit
4. ``width_expansion`` variance and bias of trained networks over initializations
5. ``resolution``  interpolation of points on a manifold: 1/d, 2/d, 4/d
6. ``sphere``      arc-cosine kernels on the sphere: t/m
7. ``spread``      the spread of a loss over initializations beside its mean
8. ``learning``    what feature learning does to the exponent of time: a two-layer linear network
9. ``lasso_risk``  weight decay on a diagonal linear network: state evolution, the best rate, the peak

Nothing is imported here.
"""

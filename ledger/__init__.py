"""The ledger: what the papers claim, and our verdict on each claim, in reading order.

1. ``claim``         what a claim is
2. ``one_step``      the claims about exponents of one step, blocks and width
3. ``scaling_laws``  the claims about neural scaling laws
4. ``register``      every claim, its source and the function that checks it
5. ``finding``       evidence, and the verdict computed from it
6. ``runs``          ensembles of training runs, and the statistics claims ask of them
7. checks of exponents of one step (``exponents``), blocks (``blocks``), width (``symmetry``), gradient independence
   (``coupling``, ``readings``), the infinite-depth limit (``convergence``), learning rates across depth (``transfer``)
8. checks of scaling laws: power-law spectra (``spectra``, ``ridge``), finite networks (``width``), interpolation
   (``resolution``), kernels on spheres and digits (``sphere``, ``digits``, ``spread``), feature learning
   (``learning``), weight decay (``lasso``)
9. ``record``        findings as data
10. ``page``         findings as a page, with its ``figures``
11. ``command``      ``powercount claims``
"""

"""The ledger: what the papers claim, and our verdict on each claim, in reading order.

1. ``claim``     what a claim is
2. ``finding``   evidence, and the verdict computed from it
3. ``runs``      ensembles of training runs, and the statistics claims ask of them
4. the families, each its checks and beside them its claims, as ``CLAIMS`` at the end of the file:
   exponents of one step (``exponents``), blocks (``blocks``), width (``symmetry``); the coupling of passes
   (``coupling``), gradient independence (``independence``, ``readings``), the infinite-depth limit
   (``convergence``), learning rates across depth (``transfer``); of scaling laws, power-law spectra (``spectra``,
   ``variance``, ``ridge``), finite networks (``width``), interpolation (``resolution``), kernels on spheres and
   digits (``sphere``, ``digits``, ``spread``), feature learning (``learning``, ``compute``), weight decay
   (``lasso``, ``peak``)
5. ``record``    findings as data
6. ``page``      findings as a page, with its ``figures``
7. ``register``  the claims of all families, in order
8. ``command``   ``powercount claims``
"""

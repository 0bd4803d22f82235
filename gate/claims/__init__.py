"""The ledger: what the papers claim, and our verdict on each claim, in reading order.

1. ``register``     every claim, its source and the function that checks it
2. ``finding``      evidence, and the verdict computed from it
3. ``study``        how a check is run: quick or in full, resumable
4. ``exponents``    claims about exponents of one step, from the laws
5. ``blocks``       claims about what happens inside a block
6. ``symmetry``     claims about width: equivalences, tables, spectral norms
7. ``coupling``     claims about gradient independence
8. ``convergence``  claims about the infinite-depth limit
9. ``transfer``     claims about learning rates across depth, and where depth stops helping
10. ``record``      findings as data
11. ``page``        findings as a page
"""

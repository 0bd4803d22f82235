"""The ledger: what the papers claim, and our verdict on each claim, in reading order.

1. ``claim``        what a claim is
2. ``one_step``     the claims about exponents of one step, blocks and width
3. ``register``     every claim, its source and the function that checks it
4. ``finding``      evidence, and the verdict computed from it
6. ``exponents``    claims about exponents of one step, from the laws
7. ``blocks``       claims about what happens inside a block
8. ``symmetry``     claims about width: equivalences, tables, spectral norms
9. ``coupling``     claims about gradient independence
10. ``convergence`` claims about the infinite-depth limit
11. ``transfer``    claims about learning rates across depth, and where depth stops helping
12. ``record``      findings as data
13. ``page``        findings as a page
"""

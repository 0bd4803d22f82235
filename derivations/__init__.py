"""Derivations: the expected powers of width n and depth L, exact, in reading order.

1. ``recipe``      the question: which network, which powers, which observable (standard library only)
2. ``named``       the parametrizations people use, as recipes
3. ``scale``       the algebra of n^a L^b and its lemmas
4. ``steps``       the recorded chain of a derivation
5. ``forward``     sizes at initialization: stream, branches, gradient, output
6. ``updates``     one optimizer step: error signal, own update of every role
7. ``features``    what the step does to preactivations, stream and output
8. ``predict``     ``derive(recipe, observable)``: the chain with a recipe's powers put in
9. ``moments``     Gaussian moments of the activations
10. ``mean_field`` the exact infinite-width values at finite depth
11. ``next_order`` what fluctuates inside a block, to order 1/n
12. ``norms``      how norms differ from net to net, to order 1/n
13. ``squared_loss`` the next order in 1/n where the error signal is read off the stream
14. ``limits``     the second road: closed forms in n and L, and SymPy's limit of them
15. ``laws``       the register: the only list of laws

Nothing is imported here, and nothing in this folder imports torch or the measuring side.
"""

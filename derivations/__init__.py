"""Derivations: the expected powers of width n and depth L, exact, in reading order.

1. ``recipe``      the question: which network, which powers, which observable (standard library only)
2. ``named``       the parametrizations people use, as recipes
3. ``scale``       the algebra of n^a L^b and its lemmas
4. ``steps``       the recorded chain of a derivation
5. ``forward``     sizes at initialization: stream, branches, gradient, output
6. ``optimizers``  a rule for each: how large its step is, and how it meets what it was made from; ``momentum`` several
7. ``updates``     one optimizer step: error signal, own update of every role
8. ``features``    what the step does to preactivations, stream and output; ``shrinkage`` what weight decay does
9. ``predict``     ``derive(recipe, observable)``: the chain with a recipe's powers put in
10. ``moments``    Gaussian moments of the activations
11. ``propagation`` what goes up and what comes down in infinite width, at finite depth
12. ``traces``     how layers act on the traces of what a step changes
13. ``mean_field`` the exact infinite-width values of every observable; ``decay`` those of weight decay
14. ``normalised`` steps that do not see the gradient's size; ``coordinates`` of one-layer blocks, their signs;
                   ``adam`` beside an ``epsilon``
15. ``next_order`` what fluctuates inside a block, to order 1/n
16. ``norms``      how norms differ from net to net, to order 1/n
17. ``squared_loss`` the next order in 1/n where the error signal is read off the stream
18. ``translate``  a recipe under another optimizer, own updates kept; ``published`` with the rates that are printed
19. ``limits``     the second road: closed forms in n and L, and SymPy's limit of them
20. ``laws``       the register: the only list of laws; ``sources`` the papers

Nothing is imported here, and nothing in this folder imports torch or the measuring side.
"""

"""Measurements: finite networks in torch, in reading order.

1. ``data``         real images (``digits``) and Gaussian inputs, with labels
2. ``activations``  the activations and their derivatives; ``losses`` the losses and their error signals
3. ``network``      ``build``: the plain residual net, one obvious loop
4. ``ensemble``     many seeds of that net at once, and one optimizer step differentiated exactly
5. ``optimizers``   the step that is differentiated and the one that is made; ``descent`` those that torch has not;
                    ``training`` T real steps
6. ``observables``  one reduction per observable
7. ``design``       points over any axes, seeds and their growth, data, steps, device
8. ``subject``      the socket: what an instrument needs to know of what it measures
9. ``nets``         ``RecipeNets``: a recipe's own nets as a subject; ``memory``: whether they fit
10. ``fit``         slopes, their intervals and covariance by leaving seeds out
11. ``grow``        the one loop: members by doubling until every interval is narrow
12. ``sweep``       ``measure``: one recipe along one axis, first-order or real steps

13. ``replay``      what a step did at every use (``uses``) of every parameter of any torch model, from what torch
                    dispatches (``dispatched``); ``factory`` a user's own model, stepped by its own optimizer, as a
                    subject; ``probe`` its optimizer as a black box; ``reading`` what it says of itself

Nothing is imported here. Of the derivations this folder reads ``recipe`` alone: an instrument that can
read the answer can be bent to it.
"""

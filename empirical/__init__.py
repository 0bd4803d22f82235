"""Measurements: finite networks in torch, in reading order.

1. ``data``         real images and Gaussian inputs, with labels
2. ``activations``  the activations and their derivatives
3. ``network``      ``build``: the plain residual net, one obvious loop
4. ``ensemble``     many seeds of that net at once, and one optimizer step differentiated exactly
5. ``training``     T real steps of a torch optimizer
6. ``observables``  one reduction per observable
7. ``fit``          a slope, its interval by leaving seeds out
8. ``sweep``        ``measure``: sizes x seeds, growing until the interval is narrow

Nothing is imported here. Of the derivations this folder reads ``recipe`` alone: an instrument that can
read the answer can be bent to it.
"""

"""Training dynamics at large width and depth, derived and measured side by side: the studies and their plots.

1. ``limit``     finite networks beside Neural Feature Dynamics
2. ``transfer``  the best learning rate against depth
"""

"""Training dynamics at large width and depth, derived and measured side by side: the studies and their plots.

1. ``arguments``  what both verbs read from the command line
2. ``limit``      finite networks beside Neural Feature Dynamics
3. ``transfer``   the best learning rate against depth
"""

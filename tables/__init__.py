"""Scaling laws of a user's own table: read it, fit it, say which regime it is in.

1. ``table_file``   the table, checked at the door
2. ``regime``       the rule by which a fit is variance-limited, resolution-limited or undecided
3. ``fit_command``  ``powercount scaling-law fit``
4. ``fit_page``     its figure
"""

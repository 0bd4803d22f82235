"""The door: what comes in as text and goes out as text, in reading order.

1. ``entry``        what the command refuses before anything runs, exit codes, and how it ends when something fails
2. ``recipe_file``  a recipe as TOML, read and written
3. ``forecast``     what a command will cost, said before it starts
4. ``table``        numbers and tables as text; ``report`` verdicts and their story
5. ``figure``       where plots go
6. ``process``      one thread a process, linear algebra included, and memory that is kept
7. ``verbs``        laws, derive, measure and verify: what they are asked and what they answer
"""

"""The rules: one module each, in a folder for each concern. `index` lists them; `python -m tools.rules` writes it."""

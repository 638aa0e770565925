"""Bicoastal: a web application that survives losing an AWS region.

The layers, from the bottom (imports point down only; import-linter enforces it):

- `core`: findings, errors, documents with positions. Knows neither AWS nor the user's file.
- `spec` the user's file; `cfn` the CloudFormation language.
- `blueprint` writes templates; `review` reads them. Review never imports blueprint: a proof that asks its author proves
  nothing.
- `cli`: one file per command; parses, calls, prints.
- `kit`: what runs on the instances; imports nothing of the rest.
"""

__version__ = "0.1.0"

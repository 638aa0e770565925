"""`python -m bicoastal.cli`: the same as `bicoastal`, for a process that starts itself again."""

from bicoastal.cli.main import main

main()

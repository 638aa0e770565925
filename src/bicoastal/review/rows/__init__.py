"""The rows of the request, M1 to M14: one module each, with its `TITLE` and `judge(case) -> Judgement`."""

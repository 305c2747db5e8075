"""The exposition formats as Lark grammars; installed as `expofmt.grammar`, read through `importlib.resources`."""

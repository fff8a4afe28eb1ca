"""The ops, one file per family: each a forward and, beside it, its rules."""

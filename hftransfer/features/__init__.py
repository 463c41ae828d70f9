"""What a frozen backbone says of every row: computed once, kept on disk, and trained on instead of the rows.

`store` keeps features, `rows` reads and computes them, `head` is the model without its backbone.
"""

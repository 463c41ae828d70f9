"""What a frozen backbone says of every row: computed once, kept on disk, and trained on instead of the rows.

`store` keeps features, `rows` reads and computes them, `head` is the model without its backbone. Where the lower blocks
alone are frozen, `prefix` finds them, `states` keeps their hidden states, and `upper` is the model without them.
"""

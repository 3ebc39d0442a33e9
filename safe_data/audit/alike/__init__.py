"""Which records are alike, and by what: one kind of likeness per file; `all_alike.KINDS` lists them."""

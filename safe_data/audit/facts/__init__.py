"""One kind of fact about a dataset per file; `all_facts.FACTS` lists them."""

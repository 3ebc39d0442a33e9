"""CIDEr-D, CIDEr, BLEU and ROUGE-L in NumPy; METEOR and SPICE in Java, where it is installed."""

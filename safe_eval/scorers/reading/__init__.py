"""How an English reply is read: unwrapped, cut into sentences, and searched for what it says of choices."""

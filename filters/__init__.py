"""Filter sets, one module each: pure functions on a document, and a table of rules beside them."""

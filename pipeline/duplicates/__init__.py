"""The match stage: equal texts and URLs, near-duplicates, which of them stay, and the evidence."""
